"""An assistant between a teacher and who learns from it: T -> S becomes T -> A -> S.

Improved Knowledge Distillation via Teacher Assistant, Mirzadeh et al., 2020,
https://arxiv.org/abs/1902.03393: where the teacher is much larger than its student, one of a size
between them helps. Here the assistant is the candidate's network, wider, with the geometric mean of
both numbers of parameters. It learns in a stage of its own first, as in the paper, or along with
its student.
"""

from dataclasses import dataclass, field, replace
from math import sqrt
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, cost
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Node, Stage, split_end
from evonas.genome.members import members, with_members
from evonas.morph.carry import floating_dtype, torch_generator
from evonas.morph.cohort.edit import remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.learning import is_active
from evonas.morph.cohort.members import (
    free_name,
    fresh_state,
    has_room,
    labelled,
    member_edit,
    network,
    present,
    surviving,
    tag_of,
    trained_where_taught,
    with_member,
)
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.morph.scaled import scaled
from evonas.seeds import Rng
from evonas.state import State

_SHARE = 1 / 3
"""Of the training, for an assistant that learns first."""

_HALVINGS = 12
_LARGEST = 16.0
_DIGITS = 3
_MAIN = "main"


@final
@dataclass(frozen=True, kw_only=True)
class CohortAssistant(Mutation):
    """Put a network of a size between them between a teacher and who learns from it.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-assistant"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "TAKD, Mirzadeh et al., 2020, https://arxiv.org/abs/1902.03393"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortAssistant":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort whose members teach it, and have wider networks."""
        wider = {name: scaled(graph, 2.0) for name, graph in members(with_example(genome)).items()}
        return with_members(with_example(genome), wider)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a teacher with a smaller student, and whether the assistant learns first."""
        cohort = present(genome, self.options)
        if cohort is None or not has_room(cohort, self.options):
            return None
        pairs = self._pairs(genome, cohort)
        if not pairs:
            return None
        teacher, student = pairs[int(rng.integers(len(pairs)))]
        sizes = self._size(genome, teacher), self._size(genome, student)
        base = network(genome, CANDIDATE)
        width = _width(base, sqrt(sizes[0] * sizes[1]))
        name = free_name(cohort, "assistant")
        node = Node(kind="member", role="assistant", width=width)
        larger = replace(cohort, nodes={**cohort.nodes, name: node})
        if rng.random() < 0.5:
            larger = _first(_between(larger, teacher, student, name), name)
        else:
            larger = trained_where_taught(_between(larger, teacher, student, name), name)
        try:
            changed = larger.put_into(with_member(genome, name, scaled(base, width)))
        except EditError:
            return None
        args = {"node": name, "width": width}
        return surviving(member_edit(genome, self.operator, changed, self.options, **args), name)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in, and the candidate's network with other widths."""
        graph = scaled(network(genome, CANDIDATE), edit.args["width"])
        return with_cohort(genome, edit, {edit.args["node"]: graph})

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the assistant's weights: nobody has any of these widths."""
        del before
        node, generator = edit.args["node"], torch_generator(rng)
        part = fresh_state(network(after, node), floating_dtype(state), generator)
        return remaining(after, state).plus(node, part)

    def _pairs(self, genome: Genome, cohort: Cohort) -> list[tuple[str, str]]:
        """Return teachers with students that have fewer parameters."""
        taught = {
            (split_end(edge.source)[0], split_end(edge.to)[0])
            for edge in cohort.edges
            if edge.source
        }
        return [
            (teacher, student)
            for teacher, student in sorted(taught)
            if {teacher, student} <= cohort.nodes.keys()
            and self._size(genome, teacher) > self._size(genome, student) > 0
        ]

    def _size(self, genome: Genome, node: str) -> int:
        """Return how many parameters a node has; 0 if it is no network of its own."""
        if node in self.options.sizes:
            return self.options.sizes[node]
        try:
            return cost.parameters(network(genome, node))
        except EditError:
            return 0


def _width(graph: LayerGraph, wanted: float) -> float:
    """Return the factor on widths by which a network has about so many parameters."""
    low, high = 1 / _LARGEST, _LARGEST
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        fits = cost.parameters(scaled(graph, middle)) <= wanted
        low, high = (middle, high) if fits else (low, middle)
    return round(low, _DIGITS)


def _between(cohort: Cohort, teacher: str, student: str, name: str) -> Cohort:
    """Return the cohort in which a node learns all that a student learned, and passes it on."""
    edges: list[Edge] = [labelled(name, tag_of(cohort, student))]
    for edge in cohort.edges:
        if (split_end(edge.source)[0], split_end(edge.to)[0]) == (teacher, student):
            end = f"{name}:{split_end(edge.to)[1]}"
            edges += [replace(edge, to=end), replace(edge, source=end)]
        else:
            edges.append(edge)
    return replace(cohort, edges=tuple(edges))


def _first(cohort: Cohort, name: str) -> Cohort:
    """Return the cohort with a stage before all others in which one node alone learns.

    The other stages choose all edges but those that end at it.
    """
    own = [edge for edge in cohort.edges if split_end(edge.to)[0] == name]
    others = [replace(edge, tag=edge.tag or _MAIN) for edge in cohort.edges if edge not in own]
    stages = [
        replace(
            stage,
            share=stage.share * (1 - _SHARE),
            tags=tuple(sorted({e.tag or _MAIN for e in cohort.edges if is_active(e, stage)})),
        )
        for stage in cohort.stages
    ]
    stages[0] = replace(stages[0], restart=True)
    alone = Stage(name=name, share=_SHARE, train=(name,), tags=(name,))
    edges = (*others, *(replace(edge, tag=name) for edge in own))
    return replace(cohort, edges=edges, stages=(alone, *stages))
