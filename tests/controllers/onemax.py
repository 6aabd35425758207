"""A small real search space without networks, and a search in it by known outcomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from optuna.distributions import BaseDistribution, CategoricalDistribution
from torch import nn

from evonas import seeds
from evonas.controllers.controller import Controller, Question
from evonas.errors import EditError
from evonas.genome import Birth, Edit, Genome
from evonas.genome.cohort_kinds import Tap
from evonas.genome.taps import network_taps
from evonas.history import Cost, Evaluation, Failure, History, Individual, Objective, Outcome
from evonas.morph.mutation import Mutation
from evonas.networks import Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State

WIDTH = 24
GAIN = 0.002
"""What training once more is worth, whatever the bits."""

ERROR = Objective("error", "min")
SIZE = Objective("size", "min")


@final
@dataclass(frozen=True)
class Write(Mutation):
    """Give one bit that has the other value this value."""

    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "one-bit mutation"

    name: str
    value: int

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        places = [place for place, bit in enumerate(bits(genome)) if bit != self.value]
        if not places:
            return None
        return genome.edit(self.name, f"bits/{places[int(rng.integers(len(places)))]}")

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        place = int(edit.targets[0].removeprefix("bits/"))
        changed = list(bits(genome))
        if changed[place] == self.value:
            raise EditError(f"bit {place} is {self.value} already")
        changed[place] = self.value
        chromosomes = {**genome.chromosomes, "bits": changed}
        return replace(genome, chromosomes=chromosomes).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        del before, after, edit, rng
        return state


@final
@dataclass(frozen=True)
class OneMax(SearchSpace):
    """Strings of bits; the more ones the better."""

    source: ClassVar[str] = "the usual first example of evolutionary computation"

    width: int = WIDTH
    has_knobs: bool = True

    def seed(self, signatures: Signatures) -> Genome:
        del signatures
        return Genome(chromosomes={"bits": [0] * self.width})

    def build(self, genome: Genome) -> nn.Module:
        del genome
        return nn.Identity()

    def mutations(self) -> Mapping[str, Mutation]:
        return {"raise": Write("raise", 1), "lower": Write("lower", 0)}

    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        del child, rng
        return parents[0][1]

    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        mine = {edit.id for edit in first.edits}
        child = first
        for edit in second.edits:
            if edit.id not in mine and rng.random() < 0.9:
                try:
                    child = self.mutations()[edit.operator].apply(child, edit)
                except EditError:
                    continue
        return None if child is first else child

    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        return network_taps(genome)

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        names = [f"bit{place}" for place, _ in enumerate(bits(seed))] if self.has_knobs else []
        return {name: CategoricalDistribution([0, 1]) for name in names}

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        genome, up = seed, Write("raise", 1)
        for name, value in values.items():
            if value:
                genome = up.apply(genome, genome.edit(up.name, f"bits/{name.removeprefix('bit')}"))
        return genome


def bits(genome: Genome) -> Sequence[int]:
    """Return the string of bits."""
    return genome.chromosomes["bits"]


def question(*objectives: Objective, space: OneMax | None = None, seed: int = 0) -> Question:
    """Return a question to OneMax."""
    space = space or OneMax()
    return Question(space, space.mutations(), objectives or (ERROR,), seed)


def outcome(birth: Birth, history: History) -> Evaluation:
    """Judge the bits; every training in the lineage lowers the error a little further."""
    string = bits(birth.genome)
    trainings = 1.0
    if birth.parents:
        first = history[birth.parents[0]].outcome
        assert isinstance(first, Evaluation), "only evaluated individuals are parents"
        trainings = first.metrics["trainings"] + 1
    error = 1 - sum(string) / len(string) - GAIN * trainings
    size = sum(bit * (place + 1) for place, bit in enumerate(string))
    metrics = {"error": error, "size": float(size), "trainings": trainings}
    return Evaluation(metrics, Cost(samples=100, macs=100.0 * (1 + sum(string))))


def no_failure(number: int) -> bool:
    """Let every candidate be evaluated."""
    del number
    return False


def search(
    controller: Controller,
    num_births: int,
    asked: Question,
    *,
    lookahead: int = 1,
    fails: Callable[[int], bool] = no_failure,
) -> History:
    """Run a whole search as the engine does, with known outcomes."""
    history = History()
    births: list[Birth] = []
    for number in range(num_births):
        known = history.until(max(1, number - lookahead + 1))
        births.append(_birth(controller, known, asked, number))
        result: Outcome = outcome(births[-1], history)
        if fails(number):
            result = Failure("diverged", "as the test wants")
        history.append(Individual(number, births[-1], result))
    return history


def best(history: History) -> float:
    """Return the smallest error."""
    return min(ERROR.loss(evaluation) for _, evaluation in history.evaluated())


def fresh(history: History) -> History:
    """Return an equal history that remembers no fold."""
    return History(list(history))


def _birth(controller: Controller, known: History, asked: Question, number: int) -> Birth:
    if number == 0:
        training = seeds.integer(asked.seed, "train", 0)
        return Birth(asked.space.seed({}), "seed", (), training)
    rng = seeds.stream(asked.seed, "propose", number)
    return controller.propose(known, asked, number, rng)
