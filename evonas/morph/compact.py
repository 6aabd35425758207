"""The removal of what pruning genes prune: the edit `compact`, in which a pruned birth ends.

A child is born small and trained wide. Its genome ends in `compact` and is the network that is
handed over; the evaluation trains the genome before that edit, whose genes are still pending, and
maps the trained state. Which channels go is decided by the weights (see `evonas.morph.removal`);
after pruning they are those that it has zeroed, so the small network computes what the wide one
did, up to the order of sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

from evonas.errors import EditError, unknown
from evonas.genome import Edit, Genome
from evonas.genome.pruning import GENES, PruningGenes
from evonas.morph.keep import Prunable
from evonas.morph.mutation import Mutation
from evonas.morph.naming import prefix
from evonas.morph.removal import Strengths, removed
from evonas.seeds import Rng
from evonas.state import State

COMPACT = "compact"


@final
@dataclass(frozen=True)
class Compact(Mutation):
    """Remove the channels that the genes do not keep; the schedule stays as heritage.

    The genes say all there is to say, so nothing is drawn, and `closed` makes the edit. Its
    argument `removed`, how many channels of each group go, is there to be read.
    """

    operator: ClassVar[str] = COMPACT
    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "Li et al. 2017, arXiv 1608.08710"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Return the one edit there is for a genome with pending genes."""
        del rng
        if not pending(genome):
            return None
        return genome.edit(COMPACT, GENES, removed=_Removal.of(genome).counts)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome as wide as its genes say, and without pending genes."""
        if edit.targets != (GENES,) or not pending(genome):
            raise EditError(f"there are no genes at {edit.targets!r} whose channels could go")
        removal = _Removal.of(genome)
        if edit.args["removed"] != removal.counts:
            raise EditError(f"{edit.args['removed']!r} should go, the genes say {removal.counts!r}")
        small = removal.prunable.thinned(removal.genes.kept)
        for graph in small.architecture.values():
            graph.validate()
        return replace(removal.genes, kept={}).put_into(small).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Drop the weakest channels of all groups at once, each group's own."""
        del edit
        removal = _Removal.of(before)
        for name, graph in before.architecture.items():
            start, channels = prefix(after, name), removal.prunable.widths.channels[name]
            strengths = Strengths.of(graph, channels, start, state)
            gone = removal.weakest(name, strengths)
            if gone:
                state = removed(state, graph, channels, start, gone, rng)
        return state


def pending(genome: Genome) -> bool:
    """Return whether a genome has genes whose channels have not gone yet."""
    genes = PruningGenes.of(genome)
    return genes is not None and genes.schedule.granularity == "filter" and bool(genes.kept)


def closed(genome: Genome) -> Genome:
    """Return the genome without pending genes, by the edit `compact` if there are any.

    Raises:
        EditError: if the genes ask for what cannot be.
    """
    if not pending(genome):
        return genome
    compact = Compact()
    edit = genome.edit(COMPACT, GENES, removed=_Removal.of(genome).counts)
    return compact.apply(genome, edit)


def opened(child: Genome, parent: Genome, mutations: Mapping[str, Mutation]) -> Genome | None:
    """Return what is trained instead of a child that was born pruned, or None for any other.

    That is the child before the `compact` that its own edits end in.

    Args:
        child: The child.
        parent: Whose edits the child's own ones follow.
        mutations: The operators, by name; those of `evonas.morph.always` with the space's.

    Raises:
        EditError: if the child does not stem from this parent.
    """
    own = child.edits[len(parent.edits) :]
    if not own or own[-1].operator != COMPACT:
        return None
    if child.edits[: len(parent.edits)] != parent.edits:
        raise EditError("the child's edits do not begin with those of its first parent")
    wide = parent
    for edit in own[:-1]:
        if edit.operator not in mutations:
            raise unknown("mutation", edit.operator, mutations)
        wide = mutations[edit.operator].apply(wide, edit)
    if _keys(Compact().apply(wide, own[-1])) != _keys(child):
        raise EditError("the child's edits do not lead from its first parent to its architecture")
    return wide.with_settings(child.settings)


def _keys(genome: Genome) -> Mapping[str, str]:
    return {name: graph.key for name, graph in genome.architecture.items()}


@final
@dataclass(frozen=True, eq=False)
class _Removal:
    """What pending genes ask to go; the genes are complete and fit the widths there are."""

    prunable: Prunable
    genes: PruningGenes

    @classmethod
    def of(cls, genome: Genome) -> "_Removal":
        genes = PruningGenes.of(genome)
        assert genes is not None, "the caller has asked whether genes are pending"
        prunable = Prunable.of(genome, genes.schedule.residual)
        return cls(prunable, replace(genes, kept=prunable.fitted(genes)))

    @property
    def counts(self) -> dict[str, int]:
        """How many channels of each group go, by name, those left out of which none goes."""
        kept = sorted(self.genes.kept.items())
        return {name: gene.width - gene.keep for name, gene in kept if gene.keep != gene.width}

    def weakest(self, graph: str, strengths: Strengths) -> list[int]:
        """Return the classes of one graph that go."""
        return [
            label
            for name, count in self.counts.items()
            if (choice := self.prunable.choices[name]).name == graph
            for group in choice.groups
            for label in strengths.weakest(group, count)
        ]
