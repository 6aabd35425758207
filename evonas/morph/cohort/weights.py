"""Small steps of what an edge says: another loss, another weight, temperature or curve."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np

from evonas.errors import EditError
from evonas.genome.cohort import Cohort, Edge
from evonas.genome.schedule import Curve, CurveKind
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import TASK, is_live
from evonas.morph.cohort.moves import exchanged, fits, fresh, one_of, shuffled
from evonas.seeds import Rng

WEIGHTS = (1e-3, 1e3)
"""Between which the weight of an edge that is on stays."""

TEMPERATURES = (1.0, 20.0)

_WEIGHT_SIGMA, _TEMPERATURE_SIGMA, _UNTIL_SIGMA = 0.5, 0.3, 0.3
"""Standard deviations of the logarithms of factors."""

_OFF = 0.1
"""How often an edge is switched off; one that is off is always switched on."""

_SHORTEST = 0.05
"""The least part of the training that a curve takes."""


def reweighed(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another loss on an edge, and the weight with which that starts.

    Raises:
        EditError: if no other loss fits any edge.
    """
    for edge in shuffled(joints.cohort.edges, rng):
        kind = joints.kind(edge)
        others = [
            fresh(replace(edge, loss={"name": name}), other)
            for name, other in joints.options.losses.items()
            if (other.ends, other.has_source) == (kind.ends, kind.has_source)
            and name != edge.loss["name"]
        ]
        others = [one for one in others if edge.loss["name"] != TASK and fits(joints, one)]
        if others:
            return exchanged(joints.cohort, edge, one_of(others, rng))
    raise EditError("no other loss fits an edge")


def jittered(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another weight or temperature on one edge."""
    edge = one_of(joints.cohort.edges, rng)
    weighs = "temperature" not in edge.loss or rng.random() < 0.5
    other = _weighed(joints, edge, rng) if weighs else _heated(edge, rng)
    return exchanged(joints.cohort, edge, other)


def rescheduled(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another curve of one edge's weight; its largest value stays.

    Raises:
        EditError: if all edges are switched off.
    """
    edge = one_of(filter(is_live, joints.cohort.edges), rng)
    moves: list[Callable[[Curve, Rng], Curve]] = [_bent]
    if edge.weight.kind != "constant":
        moves += [_reversed, _moved]
    return exchanged(
        joints.cohort, edge, replace(edge, weight=one_of(moves, rng)(edge.weight, rng))
    )


def _weighed(joints: Joints, edge: Edge, rng: Rng) -> Edge:
    if not is_live(edge):
        again = fresh(edge, joints.kind(edge))
        return replace(edge, weight=again.weight, unit=again.unit)
    if rng.random() < _OFF:
        return replace(edge, weight=Curve(end=0.0))
    peak = _peak(edge.weight)
    wanted = float(np.clip(peak * _factor(_WEIGHT_SIGMA, rng), *WEIGHTS))
    curve = edge.weight
    scaled = replace(curve, start=curve.start * wanted / peak, end=curve.end * wanted / peak)
    return replace(edge, weight=scaled)


def _heated(edge: Edge, rng: Rng) -> Edge:
    heat = edge.loss["temperature"] * _factor(_TEMPERATURE_SIGMA, rng)
    return replace(edge, loss={**edge.loss, "temperature": float(np.clip(heat, *TEMPERATURES))})


def _bent(curve: Curve, rng: Rng) -> Curve:
    """Return a curve of another kind; a constant one becomes one that rises, or falls."""
    kind = one_of([one for one in get_args(CurveKind) if one != curve.kind], rng)
    if curve.kind != "constant":
        return Curve(end=_peak(curve)) if kind == "constant" else replace(curve, kind=kind)
    until = float(rng.uniform(2 * _SHORTEST, 1.0))
    rises = Curve(kind=kind, start=0.0, end=curve.end, until=until)
    return rises if rng.random() < 0.5 else _reversed(rises, rng)


def _reversed(curve: Curve, rng: Rng) -> Curve:
    del rng
    return replace(curve, start=curve.end, end=curve.start)


def _moved(curve: Curve, rng: Rng) -> Curve:
    until = curve.until * _factor(_UNTIL_SIGMA, rng)
    return replace(curve, until=float(np.clip(until, _SHORTEST, 1.0)))


def _peak(curve: Curve) -> float:
    return curve.end if curve.kind == "constant" else max(curve.start, curve.end)


def _factor(sigma: float, rng: Rng) -> float:
    return math.exp(float(rng.normal(0.0, sigma)))
