"""Whether the stages of a cohort can be run: who trains, by which edges, on which samples."""

import math
from typing import Any

from evonas.errors import EditError, unknown
from evonas.genome.cohort import Cohort, Edge, Spec, Stage
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import (
    FROZEN,
    can_move,
    is_active,
    is_ever_active,
    made_of,
    trained,
)

PER_CLASS = "per-class"
"""The sampler that holds `count` samples of every class that a batch has."""

CONTRASTED = 2
"""How many classes a batch holds at least where a loss sets samples of one against others'."""

SLACK = 1e-3
"""By how much the sum of rounded shares may differ from 1."""


def check_programme(joints: Joints) -> None:
    """Check all stages, and that every edge is active and every network trained in one.

    Raises:
        EditError: naming the stage, the edge or the node.
    """
    cohort = joints.cohort
    total = math.fsum(stage.share for stage in cohort.stages)
    if abs(total - 1) > SLACK:
        raise EditError(f"the shares of all stages sum to 1, given {total:g}")
    for number, stage in enumerate(cohort.stages):
        try:
            check_stage(joints, stage)
            _check_snapshots(cohort, number)
        except EditError as error:
            raise EditError(f"the stage {stage.name!r}: {error}") from None
    for edge in cohort.edges:
        if not is_ever_active(edge, cohort):
            raise EditError(f"the edge {edge.name!r} with the tag {edge.tag!r} is in no stage")
    for name, node in cohort.nodes.items():
        if node.kind not in FROZEN and name not in trained(cohort):
            raise EditError(f"{name!r} is trained in no stage; name it where it is to be trained")


def check_stage(joints: Joints, stage: Stage) -> None:
    """Check one stage by itself.

    Raises:
        EditError: naming the edge or the node, not the stage.
    """
    cohort = joints.cohort
    if not stage.share > 0:
        raise EditError(f"its share is above 0, given {stage.share!r}")
    _check_trained(cohort, stage)
    tags = {edge.tag for edge in cohort.edges}
    for tag in stage.tags:
        if tag not in tags:
            raise EditError(f"no edge has the tag {tag!r} (known: {', '.join(sorted(tags))})")
    _check_sampler(joints, stage)
    edges = [edge for edge in cohort.edges if is_active(edge, stage)]
    if not edges:
        raise EditError("no edge is active in it")
    for edge in edges:
        check_active(joints, edge, stage)


def check_active(joints: Joints, edge: Edge, stage: Stage) -> None:
    """Check that an edge can be active in a stage.

    Raises:
        EditError: naming the edge.
    """
    if not can_move(joints.cohort, edge.to, stage):
        raise EditError(
            f"the edge {edge.name!r} ends at what is frozen; train it, or let the stage choose"
            " other edges by their tags"
        )
    check_batch(joints, edge)
    count = joints.kind(edge).per_class
    if not holds(stage.sampler, count):
        raise EditError(
            f"the edge {edge.name!r} needs {count} samples of a class in a batch, and the sampler"
            f" is {dict(stage.sampler)!r}; take {per_class(count)!r}"
        )


def check_batch(joints: Joints, edge: Edge) -> None:
    """Check that the trainer's batches do for an edge.

    Raises:
        EditError: naming the edge.
    """
    kind, options = joints.kind(edge), joints.options
    if kind.per_class > 1 and kind.per_class * CONTRASTED > options.batch_size:
        raise EditError(
            f"the edge {edge.name!r} needs {kind.per_class} samples of each of {CONTRASTED} classes"
            f" at least, and a batch has {options.batch_size}; raise batch_size"
        )
    if kind.max_batch and kind.max_batch < options.batch_size:
        raise EditError(
            f"the edge {edge.name!r} takes batches of at most {kind.max_batch}, given"
            f" {options.batch_size}; lower batch_size"
        )


def holds(sampler: Spec, count: int) -> bool:
    """Return whether a sampler's batches have so many samples of every class that they have."""
    return count <= 1 or (sampler["name"] == PER_CLASS and sampler.get("count", count) >= count)


def per_class(count: int) -> dict[str, Any]:
    """Return the sampler that holds so many samples of every class."""
    return {"name": PER_CLASS, "count": count}


def _check_trained(cohort: Cohort, stage: Stage) -> None:
    if not stage.train:
        raise EditError("it trains nothing")
    for name in stage.train:
        if name in cohort.nodes and cohort.nodes[name].kind in FROZEN:
            raise EditError(f"{name!r} is a {cohort.nodes[name].kind} and stays as it is")
        if name not in cohort.nodes and name not in cohort.aggregators:
            raise EditError(f"there is no {name!r} to train")


def _check_sampler(joints: Joints, stage: Stage) -> None:
    options, name = joints.options, stage.sampler["name"]
    known = {one["name"] for one in options.samplers}
    if name not in known:
        raise EditError(str(unknown("sampler", name, known)))
    if stage.scorer and stage.scorer not in joints.cohort.nodes:
        raise EditError(f"the scorer {stage.scorer!r} is no node of the cohort")
    if (name in options.scorers) != bool(stage.scorer):
        wants = "wants a scorer" if name in options.scorers else "takes no scorer"
        raise EditError(f"the sampler {name!r} {wants}, given {stage.scorer!r}")


def _check_snapshots(cohort: Cohort, number: int) -> None:
    """Check that a snapshot that a stage looks at has been taken by then."""
    stage = cohort.stages[number]
    for name in stage.snapshots:
        if name not in cohort.nodes or cohort.nodes[name].kind != "snapshot":
            raise EditError(f"{name!r} is no snapshot that could be taken")
    taken = {name for one in cohort.stages[: number + 1] for name in one.snapshots}
    for name in sorted(snapshots_in(cohort, stage) - taken):
        raise EditError(f"the snapshot {name!r} is used before it is taken")


def snapshots_in(cohort: Cohort, stage: Stage) -> frozenset[str]:
    """Return the snapshots that a stage looks at."""
    names = {stage.scorer}
    for edge in cohort.edges:
        if is_active(edge, stage):
            names |= made_of(cohort, edge.source)
    snapshots = (name for name, node in cohort.nodes.items() if node.kind == "snapshot")
    return frozenset(names.intersection(snapshots))
