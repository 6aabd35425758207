"""Members that come and go: copies of a network to learn with, and leaves taken of others.

Copies start with their network's trained weights, for in the few epochs of one candidate's training
a peer with fresh ones has nothing to teach.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch

from evonas.genome import Edit, Genome
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Node, Stage, split_end
from evonas.genome.members import members, with_members
from evonas.morph.carry import floating_dtype, torch_generator
from evonas.morph.cohort.check import NUMBERED
from evonas.morph.cohort.edit import remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.joining import among_equals
from evonas.morph.cohort.members import (
    DIVERGENCE,
    free_name,
    fresh_state,
    has_room,
    labelled,
    member_edit,
    network,
    present,
    surviving,
    tag_of,
    taught,
    trained_where_taught,
    with_member,
)
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State

_FRESH_RATIO = 0.25
"""Of the copies, those that start with fresh weights."""


@final
@dataclass(frozen=True, kw_only=True)
class CohortClone(Mutation):
    """Copy the candidate or a member into a new peer; the candidate and it learn from each other.

    The copy of one that attends to others, and is attended to, joins these instead.

    Attributes:
        options: What the search allows.
        noise: On the weights of copies, relative to their standard deviation in each tensor.
    """

    operator: ClassVar[str] = "cohort-clone"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "this project; peers as in Deep Mutual Learning, Zhang et al., 2018,"
        " https://arxiv.org/abs/1706.00384"
    )

    options: CohortOptions = field(default_factory=CohortOptions)
    noise: float = 0.02

    @classmethod
    def example(cls) -> "CohortClone":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw whom to copy, and whether with its weights."""
        cohort = present(genome, self.options)
        if cohort is None or not has_room(cohort, self.options):
            return None
        if DIVERGENCE not in self.options.losses:
            return None
        sources = [CANDIDATE, *sorted(members(genome).keys() & cohort.nodes.keys())]
        copied = sources[int(rng.integers(len(sources)))]
        name, tag = free_name(cohort, "peer"), tag_of(cohort, CANDIDATE)
        larger = replace(
            cohort,
            nodes={**cohort.nodes, name: Node(kind="member", role="peer")},
            edges=(*cohort.edges, labelled(name, tag)),
        )
        joined = among_equals(larger, copied, name, self.options)
        if joined == larger:
            mutual = (
                taught(name, CANDIDATE, self.options, tag),
                taught(CANDIDATE, name, self.options, tag),
            )
            joined = replace(larger, edges=(*larger.edges, *mutual))
        larger = trained_where_taught(joined, name)
        changed = larger.put_into(with_member(genome, name, network(genome, copied)))
        is_fresh = bool(rng.random() < _FRESH_RATIO)
        args = {"node": name, "of": copied, "fresh": is_fresh, "noise": self.noise}
        edit = member_edit(genome, self.operator, changed, self.options, **args)
        return surviving(edit, name)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in, and the copied graph."""
        graph = network(genome, edit.args["of"])
        return with_cohort(genome, edit, {edit.args["node"]: graph})

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Copy the weights with noise, and the optimizer's slots; or draw them."""
        args, generator = edit.args, torch_generator(rng)
        copied = state.own if args["of"] == CANDIDATE else state.part(args["of"])
        if args["fresh"]:
            graph = network(before, args["of"])
            part = fresh_state(graph, floating_dtype(state), generator)
        else:
            part = _noisy(copied, args["noise"], generator)
        return remaining(after, state).plus(args["node"], part)


@final
@dataclass(frozen=True, kw_only=True)
class CohortDrop(Mutation):
    """Take a member or a snapshot away; who learned from it learns from whom it learned.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-drop"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortDrop":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw who goes."""
        cohort = present(genome, self.options)
        if cohort is None:
            return None
        leaving = sorted(name for name, node in cohort.nodes.items() if node.kind in NUMBERED)
        if not leaving:
            return None
        name = leaving[int(rng.integers(len(leaving)))]
        smaller = without(cohort, name)
        graphs = {node: graph for node, graph in members(genome).items() if node in smaller.nodes}
        changed = smaller.put_into(with_members(genome, graphs))
        return member_edit(genome, self.operator, changed, self.options, node=name)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in; graphs go with their nodes."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Drop the tensors of nodes that are gone."""
        del before, edit, rng
        return remaining(after, state)


@final
@dataclass(frozen=True, kw_only=True)
class CohortSnapshot(Mutation):
    """Let the candidate learn from itself as it was born: from its parent.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-snapshot"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "this project; generations as in Born-Again Neural Networks, Furlanello et al., 2018,"
        " https://arxiv.org/abs/1805.04770"
    )

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortSnapshot":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Return the one edit there is, unless there is such a snapshot."""
        del rng
        cohort = present(genome, self.options)
        if cohort is None or not has_room(cohort, self.options):
            return None
        first, *later = cohort.stages
        if DIVERGENCE not in self.options.losses or any(
            cohort.nodes[name].of == CANDIDATE for name in first.snapshots
        ):
            return None
        name = free_name(cohort, "parent")
        node = Node(kind="snapshot", role="teacher", of=CANDIDATE)
        edge = taught(CANDIDATE, name, self.options, tag_of(cohort, CANDIDATE))
        larger = replace(
            cohort,
            nodes={**cohort.nodes, name: node},
            edges=(*cohort.edges, edge),
            stages=(replace(first, snapshots=(*first.snapshots, name)), *later),
        )
        changed = larger.put_into(genome)
        return surviving(member_edit(genome, self.operator, changed, self.options), name)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are there: a snapshot is taken in training."""
        del before, edit, rng
        return remaining(after, state)


def without(cohort: Cohort, name: str) -> Cohort:
    """Return the cohort without a node, and without its snapshots and views."""
    gone = {name, *(node for node, one in cohort.nodes.items() if one.of == name)}
    joined = tuple(edge for edge in cohort.edges if not _touches(edge, gone))
    known = {edge.name for edge in joined}
    bridges = {edge.name: edge for edge in _bridges(cohort, name) if not _touches(edge, gone)}
    return replace(
        cohort,
        nodes={node: one for node, one in cohort.nodes.items() if node not in gone},
        aggregators={
            rule: less for rule, one in cohort.aggregators.items() if (less := _less(one, gone))
        },
        edges=(*joined, *(edge for key, edge in bridges.items() if key not in known)),
        stages=tuple(_left(stage, gone) for stage in cohort.stages),
        readout=tuple(node for node in cohort.readout if node not in gone),
    )


def _bridges(cohort: Cohort, name: str) -> Iterator[Edge]:
    """Yield the edges that pass a node over, from what its taps learned to who learned from them.

    Ends of the cohort's own candidate learn nothing from themselves.
    """
    for after in cohort.edges:
        if not after.source or split_end(after.source)[0] != name:
            continue
        for before in cohort.edges:
            is_chained = before.to == after.source and before.loss["name"] == after.loss["name"]
            if is_chained and split_end(before.source)[0] not in {"", split_end(after.to)[0]}:
                yield replace(after, source=before.source)


def _touches(edge: Edge, gone: set[str]) -> bool:
    return any(split_end(one)[0] in gone for one in (edge.to, edge.source))


def _less(one: Aggregator, gone: set[str]) -> Aggregator | None:
    """Return an aggregator without the inputs that are gone, or None if it loses what it needs."""
    places = [at for at, end in enumerate(one.inputs) if split_end(end)[0] not in gone]
    queries = one.queries
    if len(queries) == len(one.inputs):
        queries = tuple(queries[at] for at in places)
    if not places or any(split_end(end)[0] in gone for end in queries):
        return None
    return replace(one, inputs=tuple(one.inputs[at] for at in places), queries=queries)


def _left(stage: Stage, gone: set[str]) -> Stage:
    """Return a stage without nodes; a sampler that looked at one of them looks at the candidate."""
    return replace(
        stage,
        train=tuple(name for name in stage.train if name not in gone),
        snapshots=tuple(name for name in stage.snapshots if name not in gone),
        scorer=CANDIDATE if stage.scorer in gone else stage.scorer,
    )


def _noisy(state: State, noise: float, generator: torch.Generator) -> State:
    """Return a copy with normal noise on weights; vectors, statistics and slots stay."""
    tensors = dict(state.tensors)
    for name, tensor in tensors.items():
        if noise and tensor.is_floating_point() and tensor.ndim > 1:
            drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensors[name] = (tensor + noise * tensor.std() * drawn).to(tensor.dtype)
    return replace(state, tensors=tensors)
