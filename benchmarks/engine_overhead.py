"""What the engine itself takes for one candidate: propose, hash, write its lines to the journal.

`python benchmarks/engine_overhead.py` prints one table, CPU time of this process in milliseconds,
medians of 100 births on top of a history of 100, 1 000 and 10 000. The space is EENA's on 8x8
pictures; outcomes are made up and prefer nine edits, so that genomes are as large in a long history
as in a short one. What the space does in a proposal (drawing and applying edits, crossing) is told
apart from the controller's own work, which includes the hash of each child to see whether it is
new. Waiting for fsync is no CPU time and is told apart by the wall clock. Optuna asks and tells
itself in memory, in the same process, with ten parameters and two losses.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, final

import optuna
from optuna.distributions import BaseDistribution
from torch import nn

from evonas import plugins, seeds
from evonas.controllers.aging import Aging
from evonas.controllers.controller import Controller, Question
from evonas.controllers.eena import Eena
from evonas.controllers.nsga2 import Nsga2
from evonas.controllers.optuna_sampler import OptunaSampler
from evonas.controllers.random_search import RandomSearch
from evonas.genome import Birth, Edit, Genome
from evonas.history import Cost, Evaluation, History, Individual, Objective
from evonas.morph.mutation import Mutation
from evonas.networks import Signature, Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas.store import Store

T = TypeVar("T")
SIZES = (100, 1_000, 10_000)
MEASURED = 100
EDITS = 9
LOSSES = (Objective("error", "min"), Objective("macs", "min"))
CONTROLLERS: Mapping[str, Controller] = {
    "eena": Eena(),
    "aging": Aging(),
    "nsga2": Nsga2(),
    "random": RandomSearch(),
    "optuna, RandomSampler": OptunaSampler(sampler="RandomSampler"),
    "optuna, NSGAIISampler": OptunaSampler(
        sampler="NSGAIISampler", options={"population_size": 20}
    ),
}
PEERS: Mapping[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "Optuna itself, RandomSampler": lambda: optuna.samplers.RandomSampler(seed=0),
    "Optuna itself, NSGAIISampler": lambda: optuna.samplers.NSGAIISampler(
        population_size=20, seed=0
    ),
}


@final
class Clock:
    """CPU milliseconds of each birth, by what was done."""

    def __init__(self) -> None:
        self.births: list[dict[str, float]] = []

    def begin(self) -> None:
        """Begin another birth."""
        self.births.append({})

    def time(self, name: str, act: Callable[[], T]) -> T:
        """Do something and add what it took to this birth."""
        start = time.process_time_ns()
        result = act()
        spent = (time.process_time_ns() - start) / 1e6
        self.births[-1][name] = self.births[-1].get(name, 0.0) + spent
        return result

    def medians(self, first: int, *names: str) -> list[float]:
        """Return the middle of `MEASURED` births from this one on, for each name."""
        births = self.births[first : first + MEASURED]
        return [statistics.median(one.get(name, 0.0) for one in births) for name in names]


@final
@dataclass(frozen=True)
class TimedMutation(Mutation):
    """A mutation whose time is noted as the space's."""

    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "what it wraps"

    wrapped: Mutation
    clock: Clock

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw an edit."""
        return self.clock.time("space", lambda: self.wrapped.propose(genome, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Apply an edit."""
        return self.clock.time("space", lambda: self.wrapped.apply(genome, edit))

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Map a state."""
        return self.wrapped.inherit(before, after, edit, state, rng)


@final
@dataclass(frozen=True)
class TimedSpace(SearchSpace):
    """A space whose time is noted."""

    source: ClassVar[str] = "what it wraps"

    wrapped: SearchSpace
    clock: Clock

    def seed(self, signatures: Signatures) -> Genome:
        """Return the seed."""
        return self.wrapped.seed(signatures)

    def build(self, genome: Genome) -> nn.Module:
        """Build a network."""
        return self.wrapped.build(genome)

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the mutations, timed."""
        return {
            name: TimedMutation(mutation, self.clock)
            for name, mutation in self.wrapped.mutations().items()
        }

    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        """Map a state."""
        return self.wrapped.inherit(child, parents, rng)

    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        """Cross two genomes."""
        return self.clock.time("space", lambda: self.wrapped.crossover(first, second, rng))

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return the knobs."""
        return self.clock.time("space", lambda: self.wrapped.knobs(seed))

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Decode the knobs."""
        return self.clock.time("space", lambda: self.wrapped.decode(seed, values))


def outcome(number: int, genome: Genome) -> Evaluation:
    """Return a made-up outcome that is best at `EDITS` edits."""
    noise = float(seeds.stream(0, "outcome", number).random())
    depth = abs(len(genome.edits) - EDITS)
    metrics = {"error": 0.1 + 0.02 * depth + 0.1 * noise, "macs": 1e5 * (1 + depth + noise)}
    return Evaluation(metrics, Cost(samples=3000, macs=3e8), "0" * 64)


def birth(controller: Controller, question: Question, history: History) -> Birth:
    """Propose the next birth of a history, or the seed."""
    number = len(history)
    if number == 0:
        seed = question.space.seed({"net": Signature((1, 8, 8), (10,))})
        return Birth(seed, "seed", (), 0)
    return controller.propose(history, question, number, seeds.stream(0, "propose", number))


def measure(controller: Controller, space: SearchSpace, folder: Path) -> Clock:
    """Let a history grow to the largest size, and time every birth."""
    history, clock = History(), Clock()
    timed = TimedSpace(space, clock)
    question = Question(timed, timed.mutations(), LOSSES, 0)
    with closing(Store(folder, "flush")) as store:
        for number in range(max(SIZES) + MEASURED):
            clock.begin()
            born = clock.time("propose", lambda: birth(controller, question, history))
            result = outcome(number, born.genome)
            clock.time("key", lambda b=born: b.genome.key)
            clock.time("journal", lambda n=number, b=born, r=result: _write(store, n, b, r))
            history.append(Individual(number, born, result))
    return clock


def _write(store: Store, number: int, born: Birth, result: Evaluation) -> None:
    store.birth(number, born)
    store.outcome(number, result, 0.0)


def measure_optuna(sampler: optuna.samplers.BaseSampler) -> Clock:
    """Time ask, suggest and tell of a study in memory as it grows."""
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    rng, clock = seeds.stream(0, "losses"), Clock()
    for _ in range(max(SIZES) + MEASURED):
        clock.begin()
        losses = rng.random(2).tolist()
        clock.time("propose", lambda losses=losses: _ask_and_tell(study, losses))
    return clock


def _ask_and_tell(study: optuna.Study, losses: list[float]) -> None:
    trial = study.ask()
    for place in range(6):
        trial.suggest_float(f"x{place}", 0.0, 1.0)
    for place in range(2):
        trial.suggest_int(f"n{place}", 1, 64)
        trial.suggest_categorical(f"c{place}", list("abcde"))
    study.tell(trial, losses)


def fsync_wait(space: SearchSpace, folder: Path) -> float:
    """Return the wall milliseconds that one candidate's two durable lines wait for the disk."""
    waits: list[float] = []
    born = birth(Eena(), Question(space, space.mutations(), LOSSES, 0), History())
    with closing(Store(folder, "fsync")) as store:
        for number in range(MEASURED):
            wall, cpu = time.perf_counter(), time.process_time()
            _write(store, number, born, outcome(number, born.genome))
            waits.append(time.perf_counter() - wall - (time.process_time() - cpu))
    return statistics.median(waits) * 1e3


def print_table(space: SearchSpace) -> None:
    """Measure everything and print it."""
    print("| controller | history | propose: space | propose: controller | hash | journal | all |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, controller in CONTROLLERS.items():
            clock = measure(controller, space, Path(folder) / name)
            for size in SIZES:
                names = ("space", "propose", "key", "journal")
                edits, propose, key, journal = clock.medians(size, *names)
                row = (edits, propose - edits, key, journal, propose + key + journal)
                print(f"| {name} | {size} | {' | '.join(f'{cell:.2f}' for cell in row)} |")
        wait = fsync_wait(space, Path(folder) / "fsync")
    for name, make in PEERS.items():
        clock = measure_optuna(make())
        for size in SIZES:
            (propose,) = clock.medians(size, "propose")
            print(f"| {name} | {size} | | {propose:.2f} | | | {propose:.2f} |")
    print(f"\nwaiting for fsync, both lines of a candidate: {wait:.1f} ms of wall time")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="eena", help="entry-point name or module:Class")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print_table(plugins.construct(SearchSpace, parser.parse_args().space, "space"))


if __name__ == "__main__":
    main()
