"""A member's architecture evolves, too: an exact edit of its network, with inherited weights.

The edit is one of an operator of networks, on a genome that is the member's network alone. It is
chained to the candidate's last edit, so that layers made by two equal ones have different names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

from evonas.errors import EditError, unknown
from evonas.genome import Edit, Genome
from evonas.genome.members import NETWORK, as_genome, members
from evonas.morph.branch import Branch
from evonas.morph.cohort.edit import remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.members import (
    member_edit,
    network,
    present,
    surviving,
    with_member,
)
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.dense import InsertDense
from evonas.morph.grow_kernel import GrowKernel
from evonas.morph.insert_layer import InsertLayer
from evonas.morph.mutation import Mutation
from evonas.morph.separable import InsertSeparable
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.skip import AddSkip
from evonas.morph.squeeze_excite import AddSqueezeExcite
from evonas.morph.widen import Widen, WidenCopies
from evonas.seeds import Rng
from evonas.state import State

_ATTEMPTS = 4

GROWTHS: Mapping[str, Mutation] = {
    mutation.operator: mutation
    for mutation in (
        AddSkip(),
        AddSqueezeExcite(),
        Branch(),
        GrowKernel(),
        InsertDense(),
        InsertLayer(),
        InsertSeparable(),
        InsertShortcut(),
        Widen(),
        WidenCopies(),
    )
}
"""The operators that a member's network may grow by; the member computes what it computed."""


@final
@dataclass(frozen=True, kw_only=True)
class CohortGrow(Mutation):
    """Edit the network of one member by an exact operator.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-grow"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "this project; operators of EENA, Zhu et al., 2019, https://arxiv.org/abs/1905.07320"
    )

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortGrow":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the member, the operator and its edit."""
        cohort = present(genome, self.options)
        names = sorted(members(genome).keys() & (cohort.nodes.keys() if cohort else ()))
        if cohort is None or not names:
            return None
        for _ in range(_ATTEMPTS):
            node = names[int(rng.integers(len(names)))]
            mutation = list(GROWTHS.values())[int(rng.integers(len(GROWTHS)))]
            before = as_genome(network(genome, node))
            inner = mutation.propose(before, rng)
            if inner is None:
                continue
            inner = replace(inner, previous=genome.edits[-1].id if genome.edits else "")
            graph = mutation.apply(before, inner).architecture[NETWORK]
            changed = with_member(cohort.put_into(genome), node, graph)
            args = {"node": node, "edit": inner.to_json()}
            edit = surviving(
                member_edit(genome, self.operator, changed, self.options, **args), node
            )
            if edit is not None:
                return edit
        return None

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in, and the member's network after its own edit."""
        node, inner = edit.args["node"], _inner(edit)
        grown = _mutation(inner).apply(as_genome(network(genome, node)), inner)
        return with_cohort(genome, edit, {node: grown.architecture[NETWORK]})

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Map the member's tensors and slots as its operator maps a candidate's."""
        node, inner = edit.args["node"], _inner(edit)
        part = state.part(node)
        if part.tensors:
            old, new = (as_genome(network(genome, node)) for genome in (before, after))
            part = _mutation(inner).inherit(old, new, inner, part, rng)
        return remaining(after, state).plus(node, part)


def _inner(edit: Edit) -> Edit:
    row: list[Any] = edit.args["edit"]
    return Edit.from_json(row)


def _mutation(edit: Edit) -> Mutation:
    """Return the operator of a member's edit.

    Raises:
        EditError: if members do not grow by it.
    """
    if edit.operator not in GROWTHS:
        raise EditError(str(unknown("mutation of a member", edit.operator, GROWTHS)))
    return GROWTHS[edit.operator]
