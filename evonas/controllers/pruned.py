"""Varying how an individual was pruned: from the weights that its pruning started from.

An individual that was born pruned has lost the channels that other genes would have kept. So its
genes are varied on the genome it started from, its first parent's, whose weights the child
inherits; whatever else its own edits changed is replayed after the genes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from evonas.controllers.controller import Question
from evonas.genome import Edit, Genome
from evonas.genome.pruning import GENES, PruningGenes
from evonas.history import History, Individual
from evonas.morph.always import ALWAYS
from evonas.morph.cohort.crossover import with_crossed_cohort
from evonas.morph.compact import COMPACT, closed
from evonas.morph.mutation import Mutation
from evonas.morph.prune_crossover import crossed_genes
from evonas.morph.prune_operators import mutations_for
from evonas.seeds import Rng


@final
@dataclass(frozen=True)
class Pruned:
    """An individual that was born pruned.

    Attributes:
        individual: Itself.
        start: Its first parent, whose weights it was pruned from.
        genes: By which it was pruned.
        others: Its own edits of other kinds, in their order.
    """

    individual: Individual
    start: Individual
    genes: PruningGenes
    others: tuple[Edit, ...]

    @classmethod
    def of(cls, individual: Individual, history: History) -> "Pruned | None":
        """Read it from the birth; None if no edit of its own is one of genes."""
        birth = individual.birth
        if not birth.parents:
            return None
        start = history.member(birth.parents[0])
        own = birth.genome.edits[len(start.birth.genome.edits) :]
        genes = [edit for edit in own if _is_of_genes(edit) and edit.operator != COMPACT]
        if not genes:
            return None
        last = PruningGenes.from_json(genes[-1].args["genes"])
        others = tuple(edit for edit in own if not _is_of_genes(edit))
        return cls(individual, start, last, others)

    @property
    def shown(self) -> Genome:
        """The genome it started from, with its genes put in for a mutation to vary.

        An edit of genes holds all of them, so what is put in is gone after it.
        """
        return self.genes.put_into(self.start.birth.genome)

    def completed(self, genome: Genome, mutations: Mapping[str, Mutation]) -> Genome:
        """Return a genome with other genes after the rest of the individual's own edits.

        Raises:
            EditError: if one does not apply.
        """
        mutations = {**ALWAYS, **mutations}
        for edit in self.others:
            genome = mutations[edit.operator].apply(genome, edit)
        return genome


def genes_first(operators: Iterable[str], question: Question) -> tuple[list[str], list[str]]:
    """Return the operators of pruning genes, and the others.

    Genes come first in a birth: what later edits add is not pruned before it has trained.
    """
    of_genes = mutations_for(question.pruning) if question.pruning is not None else {}
    operators = list(operators)
    return (
        [name for name in operators if name in of_genes],
        [name for name in operators if name not in of_genes],
    )


def crossed(first: Pruned, second: Pruned, question: Question, rng: Rng) -> Genome | None:
    """Return what `first` started from, pruned by the genes of both, or None if they are the same.

    If they have cohorts, the child's is of both, too.

    Raises:
        EditError: if the rest of the first one's edits does not apply.
    """
    assert question.pruning is not None, "what was born pruned comes from a search that prunes"
    before = first.start.birth.genome
    edit = crossed_genes(before, first.genes, second.genes, question.pruning, rng)
    if edit is None:
        return None
    genome = mutations_for(question.pruning)[edit.operator].apply(before, edit)
    genome = first.completed(genome, question.mutations)
    other = second.individual.birth.genome
    return closed(with_crossed_cohort(genome, other, question.cohort, rng))


def _is_of_genes(edit: Edit) -> bool:
    return edit.targets == (GENES,)
