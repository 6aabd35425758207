"""Edits of a cohort's programme: its stages, what they train by which edges, and their samplers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Spec, Stage, split_end
from evonas.morph.cohort.edit import proposed, remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.learning import FROZEN, is_active
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State

_CUT = (0.2, 0.8)
"""From and to which part of a stage it is split, and of two stages their boundary moves."""

_STEP = 0.15
"""Standard deviation of a boundary's step, as a part of both stages."""

_MAX_STAGES = 8
_MAIN = "main"


@final
@dataclass(frozen=True, kw_only=True)
class CohortStage(Mutation):
    """Split or merge stages, move a boundary, or change what one of them trains by which edges.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-stage"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortStage":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw what changes."""
        return proposed(genome, self.operator, self.options, lambda one: _varied(one, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are there."""
        del before, edit, rng
        return remaining(after, state)


@final
@dataclass(frozen=True, kw_only=True)
class CohortSampler(Mutation):
    """Draw a stage's samples another way, or by another network's losses.

    Attributes:
        options: What the search allows; without a second sampler there is nothing to choose.
    """

    operator: ClassVar[str] = "cohort-sampler"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortSampler":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the stage, the sampler and who scores."""
        return proposed(genome, self.operator, self.options, lambda one: self._varied(one, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are there."""
        del before, edit, rng
        return remaining(after, state)

    def _varied(self, cohort: Cohort, rng: Rng) -> Cohort:
        number = int(rng.integers(len(cohort.stages)))
        stage = cohort.stages[number]
        ways = [way for spec in self.options.samplers if (way := self._ways(cohort, stage, spec))]
        if not ways:
            raise EditError("there is no other sampler")
        way = ways[int(rng.integers(len(ways)))]
        return _with_stages(cohort, number, 1, way[int(rng.integers(len(way)))])

    def _ways(self, cohort: Cohort, stage: Stage, sampler: Spec) -> list[Stage]:
        """Return the stage with a sampler and every network that may score, unlike it is now."""
        scorers = [""]
        if sampler["name"] in self.options.scorers:
            scorers = sorted(name for name, node in cohort.nodes.items() if node.kind != "view")
        ways = [replace(stage, sampler=sampler, scorer=scorer) for scorer in scorers]
        return [way for way in ways if way != stage]


def _varied(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort after the first drawn change that can be made.

    Raises:
        EditError: if there is none.
    """
    for place in rng.permutation(len(_CHANGES)):
        try:
            return _CHANGES[int(place)](cohort, rng)
        except EditError:
            continue
    raise EditError("no stage can be changed")


def _split(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort with one stage as two; the second may start the learning rate anew."""
    if len(cohort.stages) >= _MAX_STAGES:
        raise EditError(f"there are {_MAX_STAGES} stages")
    number = int(rng.integers(len(cohort.stages)))
    stage, cut = cohort.stages[number], float(rng.uniform(*_CUT))
    taken = {one.name for one in cohort.stages}
    name = next(new for k in range(2, _MAX_STAGES + 2) if (new := f"{stage.name}{k}") not in taken)
    first = replace(stage, share=stage.share * cut)
    second = replace(
        stage,
        name=name,
        share=stage.share * (1 - cut),
        snapshots=(),
        restart=bool(rng.random() < 0.5),
    )
    return _with_stages(cohort, number, 1, first, second)


def _merged(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort with two stages as one, which does what either did."""
    number, first, second = _neighbours(cohort, rng)
    longer = first if first.share >= second.share else second
    both = replace(
        first,
        share=first.share + second.share,
        train=_joined(first.train, second.train),
        tags=_joined(first.tags, second.tags) if first.tags and second.tags else (),
        sampler=longer.sampler,
        scorer=longer.scorer,
        snapshots=_joined(first.snapshots, second.snapshots),
    )
    return _with_stages(cohort, number, 2, both)


def _moved(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort with the boundary of two stages elsewhere."""
    number, first, second = _neighbours(cohort, rng)
    total = first.share + second.share
    part = min(max(first.share / total + float(rng.normal(0.0, _STEP)), _CUT[0]), _CUT[1])
    first, second = replace(first, share=total * part), replace(second, share=total * (1 - part))
    return _with_stages(cohort, number, 2, first, second)


def _restarted(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort in which a later stage starts the learning rate anew, or no longer."""
    number, _, second = _neighbours(cohort, rng)
    return _with_stages(cohort, number + 1, 1, replace(second, restart=not second.restart))


def _frozen(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort in which a stage leaves a member, or an aggregator, as it is."""
    places = [
        (number, name)
        for number, stage in enumerate(cohort.stages)
        for name in stage.train
        if name != CANDIDATE and sum(name in one.train for one in cohort.stages) > 1
    ]
    number, name = _drawn(places, rng)

    def tag(edge: Edge) -> str:
        whole = edge.tag or _MAIN
        mine = split_end(edge.to)[0] == name and not whole.endswith(f"_{name}")
        return f"{whole}_{name}" if mine else whole

    def chosen(place: int, edge: Edge) -> bool:
        is_mine = split_end(edge.to)[0] == name
        return is_active(edge, cohort.stages[place]) and not (is_mine and place == number)

    edges = tuple(replace(edge, tag=tag(edge)) for edge in cohort.edges)
    stages = [
        replace(one, tags=tuple(sorted({tag(edge) for edge in cohort.edges if chosen(k, edge)})))
        for k, one in enumerate(cohort.stages)
    ]
    stage = stages[number]
    stages[number] = replace(stage, train=tuple(one for one in stage.train if one != name))
    return replace(cohort, edges=edges, stages=tuple(stages))


def _thawed(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort in which a stage trains one more network, by the edges that end at it."""
    movable = {name for name, node in cohort.nodes.items() if node.kind not in {*FROZEN, "view"}}
    places = [
        (number, name)
        for number, stage in enumerate(cohort.stages)
        for name in sorted(movable - set(stage.train))
    ]
    number, name = _drawn(places, rng)
    stage = cohort.stages[number]
    tags = sorted({edge.tag for edge in cohort.edges if split_end(edge.to)[0] == name})
    more = replace(
        stage, train=(*stage.train, name), tags=_joined(stage.tags, tags) if stage.tags else ()
    )
    return _with_stages(cohort, number, 1, more)


def _tagged(cohort: Cohort, rng: Rng) -> Cohort:
    """Return the cohort in which a stage chooses one kind of edges more, or one less."""
    every = sorted({edge.tag for edge in cohort.edges})
    if len(every) == 1:
        raise EditError("all edges have one tag")
    number, tag = _drawn([(k, tag) for k in range(len(cohort.stages)) for tag in every], rng)
    stage = cohort.stages[number]
    chosen = set(stage.tags or every) ^ {tag}
    if not chosen:
        raise EditError("a stage has edges")
    tags = () if chosen == set(every) else tuple(sorted(chosen))
    return _with_stages(cohort, number, 1, replace(stage, tags=tags))


_CHANGES: tuple[Callable[[Cohort, Rng], Cohort], ...] = (
    _split,
    _merged,
    _moved,
    _restarted,
    _frozen,
    _thawed,
    _tagged,
)


def _neighbours(cohort: Cohort, rng: Rng) -> tuple[int, Stage, Stage]:
    if len(cohort.stages) < 2:
        raise EditError("there is one stage")
    number = int(rng.integers(len(cohort.stages) - 1))
    return number, cohort.stages[number], cohort.stages[number + 1]


def _drawn(places: list[tuple[int, str]], rng: Rng) -> tuple[int, str]:
    if not places:
        raise EditError("there is no such stage")
    return places[int(rng.integers(len(places)))]


def _with_stages(cohort: Cohort, number: int, count: int, *stages: Stage) -> Cohort:
    """Return the cohort with others in place of `count` stages from `number` on."""
    before, after = cohort.stages[:number], cohort.stages[number + count :]
    return replace(cohort, stages=(*before, *stages, *after))


def _joined(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
