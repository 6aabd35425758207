"""How children are made: by mutation, by crossover, unedited, or from scratch.

Births are closed: channels that pending genes prune are gone in the genome that is proposed, whose
last edit is then `compact`, so that what is new and what is within limits is the rebuilt network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from evonas import seeds
from evonas.controllers.controller import Question
from evonas.controllers.pruned import Pruned, crossed, genes_first
from evonas.controllers.tried import tried
from evonas.errors import ConfigError, EditError
from evonas.genome import CONTROL, Birth, Genome
from evonas.history import History, Individual
from evonas.morph.cohort.crossover import with_crossed_cohort
from evonas.morph.compact import closed
from evonas.seeds import Rng

TRIES = 20
"""How many children are drawn until one is new."""

MATES = 3
"""How many partners the fittest is crossed with until a child is new."""

CROSSOVER = "crossover"
MUTATION = "mutation"
RANDOM = "random"

Chances = Mapping[str, float]
"""The probability of each mutation."""


@final
@dataclass(frozen=True)
class Breeder:
    """Makes one birth from what may be known and a generator of its own.

    All children of one parent share the seed of their training, and so their data and its order.
    """

    history: History
    question: Question
    rng: Rng

    def control(self, parent: Individual) -> Birth:
        """Return the parent's unedited clone, which trains as long as its edited siblings."""
        return self._child(parent.birth.genome, CONTROL, parent)

    def mutant(
        self, parent: Individual, *, num_edits: int = 1, chances: Chances | None = None
    ) -> Birth:
        """Return an edited child that is new to the history, or a control child if none is found.

        A single edit gives the birth its operator's name. Mutations are drawn evenly where there
        are no `chances`. Another pruning of a parent that was born pruned has two parents: the one
        it was pruned from, whose weights it inherits and whose control child it is compared with,
        and the one whose genes it varies.
        """
        found = self._edited(parent, num_edits, chances)
        if found is None:
            return self.control(parent)
        return self._child(found.genome, found.operator, found.start, parent)

    def crossed(self, ranked: Sequence[Individual]) -> Birth | None:
        """Return a new child of the fittest and of the next that differs from it, or None.

        Where two parents have no new child together, the next fittest few are tried.
        """
        first = ranked[0]
        key = first.birth.genome.key
        others = [one for one in ranked[1:] if one.birth.genome.key != key]
        for other in others[:MATES]:
            if child := self._crossed_genes(first, other):
                return child
            genome = self._crossed(first.birth.genome, other.birth.genome)
            if genome is not None and self._is_new(genome):
                return self._child(genome, CROSSOVER, first, other)
        return None

    def founder(self, ranked: Sequence[Individual], number: int, max_edits: int) -> Birth:
        """Return a member of a first population: the oldest of `ranked` after 1 to `max_edits`.

        That is the trained seed. Where nobody is alive, the child starts with fresh weights.
        """
        num_edits = int(self.rng.integers(1, max_edits, endpoint=True))
        if not ranked:
            return self.from_scratch(number, num_edits)
        return self.mutant(min(ranked, key=lambda one: one.number), num_edits=num_edits)

    def from_scratch(self, number: int, num_edits: int) -> Birth:
        """Return the seed genome with random edits and fresh weights; unedited if none is new."""
        seed = self.history[0]
        found = self._edited(seed, num_edits, None)
        genome = seed.birth.genome if found is None else found.genome
        return Birth(genome, RANDOM, (), seeds.integer(self.question.seed, "train", number))

    def _child(self, genome: Genome, operator: str, *parents: Individual) -> Birth:
        numbers = tuple(dict.fromkeys(parent.number for parent in parents))
        training = seeds.integer(self.question.seed, "train", numbers[0])
        return Birth(genome, operator, numbers, training)

    def _is_new(self, genome: Genome) -> bool:
        return genome.key not in tried(self.history)

    def _edited(
        self, parent: Individual, num_edits: int, chances: Chances | None
    ) -> "_Variation | None":
        """Return a new genome some edits away, or None if none is found."""
        key = parent.birth.genome.key
        pruned = Pruned.of(parent, self.history)
        for _ in range(TRIES):
            operators = self._operators(num_edits, chances)
            try:
                found = self._edited_once_each(parent, pruned, operators)
            except EditError:
                continue
            if found.genome.key != key and self._is_new(found.genome):
                return found
        return None

    def _operators(self, num_edits: int, chances: Chances | None) -> list[str]:
        names = sorted(self.question.mutations)
        if not names:
            raise ConfigError(
                f"space {type(self.question.space).__name__!r} has no mutations and no genes to "
                "evolve; choose controller = 'optuna', or give [genes]"
            )
        weights = None if chances is None else [chances[name] for name in names]
        return [names[int(place)] for place in self.rng.choice(len(names), num_edits, p=weights)]

    def _edited_once_each(
        self, parent: Individual, pruned: Pruned | None, operators: Sequence[str]
    ) -> "_Variation":
        """Return the parent after one edit by each operator, closed.

        Raises:
            EditError: if one has no edit, or it does not apply.
        """
        of_genes, others = genes_first(operators, self.question)
        start, genome = parent, parent.birth.genome
        if pruned is not None and of_genes:
            start, genome = pruned.start, pruned.shown
        genome = self._applied(of_genes, genome)
        if start is not parent and pruned is not None:
            genome = pruned.completed(genome, self.question.mutations)
        genome = closed(self._applied(others, genome))
        return _Variation(genome, operators[0] if len(operators) == 1 else MUTATION, start)

    def _applied(self, operators: Sequence[str], genome: Genome) -> Genome:
        for name in operators:
            mutation = self.question.mutations[name]
            edit = mutation.propose(genome, self.rng)
            if edit is None:
                raise EditError(f"mutation {name!r} has no edit of this genome")
            genome = mutation.apply(genome, edit)
        return genome

    def _crossed(self, first: Genome, second: Genome) -> Genome | None:
        """Return `first` with edits of `second` and a cohort of both, or None if it stays alike."""
        child = self.question.space.crossover(first, second, self.rng) or first
        child = with_crossed_cohort(child, second, self.question.cohort, self.rng)
        return None if child is first else child

    def _crossed_genes(self, first: Individual, second: Individual) -> Birth | None:
        """Return a new child of two that were born pruned, from the weights the first was."""
        one, other = Pruned.of(first, self.history), Pruned.of(second, self.history)
        if one is None or other is None:
            return None
        try:
            genome = crossed(one, other, self.question, self.rng)
        except EditError:
            return None
        if genome is None or not self._is_new(genome):
            return None
        return self._child(genome, CROSSOVER, one.start, first, second)


@final
@dataclass(frozen=True)
class _Variation:
    """A new genome.

    Attributes:
        genome: Closed.
        operator: What made it.
        start: Whose edits it begins with.
    """

    genome: Genome
    operator: str
    start: Individual
