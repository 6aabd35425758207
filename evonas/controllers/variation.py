"""How children are made: by mutation, by crossover, unedited, or from scratch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from evonas import seeds
from evonas.controllers.controller import Question
from evonas.controllers.tried import tried
from evonas.errors import ConfigError, EditError
from evonas.genome import CONTROL, Birth, Genome
from evonas.history import History, Individual
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
        are no `chances`.
        """
        genome = self._edited(parent.birth.genome, num_edits, chances)
        if genome is None:
            return self.control(parent)
        operator = genome.edits[-1].operator if num_edits == 1 else MUTATION
        return self._child(genome, operator, parent)

    def crossed(self, ranked: Sequence[Individual]) -> Birth | None:
        """Return a new child of the fittest and of the next that differs from it, or None.

        Where two parents have no new child together, the next fittest few are tried.
        """
        first = ranked[0]
        key = first.birth.genome.key
        others = [one for one in ranked[1:] if one.birth.genome.key != key]
        for other in others[:MATES]:
            genome = self.question.space.crossover(first.birth.genome, other.birth.genome, self.rng)
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
        seed = self.history[0].birth.genome
        genome = self._edited(seed, num_edits, None) or seed
        return Birth(genome, RANDOM, (), seeds.integer(self.question.seed, "train", number))

    def _child(self, genome: Genome, operator: str, *parents: Individual) -> Birth:
        numbers = tuple(parent.number for parent in parents)
        training = seeds.integer(self.question.seed, "train", numbers[0])
        return Birth(genome, operator, numbers, training)

    def _is_new(self, genome: Genome) -> bool:
        return genome.key not in tried(self.history)

    def _edited(self, before: Genome, num_edits: int, chances: Chances | None) -> Genome | None:
        """Return a new genome some edits away, or None if none is found."""
        for _ in range(TRIES):
            genome = self._edited_once_each(before, self._operators(num_edits, chances))
            if genome is not None and genome.key != before.key and self._is_new(genome):
                return genome
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

    def _edited_once_each(self, genome: Genome, operators: Sequence[str]) -> Genome | None:
        """Return the genome after one edit by each operator, or None if one does not apply."""
        for name in operators:
            mutation = self.question.mutations[name]
            edit = mutation.propose(genome, self.rng)
            if edit is None:
                return None
            try:
                genome = mutation.apply(genome, edit)
            except EditError:
                return None
        return genome
