"""Stages that fit the nodes and edges which are there."""

import math
from collections.abc import Iterable
from dataclasses import replace

from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Stage, split_end
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import FROZEN, can_move, is_active, is_ever_active, trained
from evonas.morph.cohort.programme import SLACK, holds, per_class, snapshots_in


def refitted(joints: Joints) -> Cohort:
    """Return the cohort with stages in which every network is trained, and what edges end at.

    Stages without anything to train or to learn from are left out, and what they took of the
    training goes to the others; edges that no stage chooses are dropped.
    """
    cohort = joints.cohort
    stages = [_known(joints, stage) for stage in cohort.stages]
    stages = [stage for stage in stages if stage.share > 0 and _does_something(cohort, stage)]
    cohort = replace(cohort, stages=_whole(stages or [Stage()]))
    cohort = _all_trained(cohort)
    edges = [edge for edge in cohort.edges if _can_be_trained(joints, edge)]
    cohort = replace(cohort, edges=tuple(one for one in edges if is_ever_active(one, cohort)))
    joints = replace(joints, cohort=cohort)
    stages = [_sampled(joints, _thawed(cohort, stage)) for stage in cohort.stages]
    return _snapped(replace(cohort, stages=tuple(stages)))


def _known(joints: Joints, stage: Stage) -> Stage:
    """Return the stage with what is there of what it names; without edges if none of its are."""
    cohort = joints.cohort
    frozen = {name for name, node in cohort.nodes.items() if node.kind in FROZEN}
    snapshots = {name for name, node in cohort.nodes.items() if node.kind == "snapshot"}
    movable = (cohort.nodes.keys() | cohort.aggregators.keys()) - frozen
    tags = _among({edge.tag for edge in cohort.edges}, stage.tags)
    return replace(
        stage,
        train=_among(movable, stage.train),
        tags=tags,
        snapshots=_among(snapshots, stage.snapshots),
        share=0.0 if stage.tags and not tags else stage.share,
    )


def _does_something(cohort: Cohort, stage: Stage) -> bool:
    return bool(stage.train) and any(is_active(edge, stage) for edge in cohort.edges)


def _whole(stages: list[Stage]) -> tuple[Stage, ...]:
    """Return the stages with shares that sum to 1."""
    total = math.fsum(stage.share for stage in stages)
    if abs(total - 1) <= SLACK:
        return tuple(stages)
    return tuple(replace(stage, share=stage.share / total) for stage in stages)


def _all_trained(cohort: Cohort) -> Cohort:
    """Return the cohort with the candidate trained at last, and the others along with it."""
    if CANDIDATE not in trained(cohort):
        *first, last = cohort.stages
        last = replace(last, train=(*last.train, CANDIDATE))
        cohort = replace(cohort, stages=(*first, last))
    idle = [
        name
        for name, node in sorted(cohort.nodes.items())
        if node.kind not in FROZEN and name not in trained(cohort)
    ]
    stages = [
        replace(stage, train=(*stage.train, *idle)) if CANDIDATE in stage.train else stage
        for stage in cohort.stages
    ]
    return replace(cohort, stages=tuple(stages))


def _can_be_trained(joints: Joints, edge: Edge) -> bool:
    """Return whether there is anything at the end of an edge that a stage could train."""
    cohort = joints.cohort
    name, _ = split_end(edge.to)
    if name in cohort.nodes:
        return cohort.nodes[name].kind not in FROZEN
    stages = [stage for stage in cohort.stages if is_active(edge, stage)]
    return joints.rule(name).has_parameters or all(
        can_move(cohort, edge.to, stage) for stage in stages
    )


def _thawed(cohort: Cohort, stage: Stage) -> Stage:
    """Return the stage, training what its edges end at."""
    for edge in cohort.edges:
        if is_active(edge, stage) and not can_move(cohort, edge.to, stage):
            stage = replace(stage, train=(*stage.train, split_end(edge.to)[0]))
    return stage


def _sampled(joints: Joints, stage: Stage) -> Stage:
    """Return the stage with a sampler of the search that holds what its edges look for."""
    options = joints.options
    edges = [edge for edge in joints.cohort.edges if is_active(edge, stage)]
    count = max((joints.kind(edge).per_class for edge in edges), default=1)
    sampler = stage.sampler
    if sampler["name"] not in {one["name"] for one in options.samplers}:
        sampler = options.samplers[0]
    if not holds(sampler, count):
        sampler = per_class(count)
    if sampler["name"] not in options.scorers:
        scorer = ""
    else:
        scorer = stage.scorer if stage.scorer in joints.cohort.nodes else CANDIDATE
    return replace(stage, sampler=sampler, scorer=scorer)


def _snapped(cohort: Cohort) -> Cohort:
    """Return the cohort with every snapshot taken before it is looked at, or else at once."""
    taken: set[str] = set()
    late: set[str] = set()
    for stage in cohort.stages:
        taken |= set(stage.snapshots)
        late |= snapshots_in(cohort, stage) - taken
    first, *others = cohort.stages
    first = replace(first, snapshots=(*first.snapshots, *sorted(late)))
    return replace(cohort, stages=(first, *others))


def _among(there: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    known = frozenset(there)
    return tuple(dict.fromkeys(name for name in names if name in known))
