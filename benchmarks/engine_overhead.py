"""What the engine itself takes for one candidate: propose, hash, write its lines to the journal.

`python benchmarks/engine_overhead.py` prints one table, CPU time of this process in milliseconds,
medians of 100 births on top of a history of 100, 1 000 and 10 000. The space is EENA's on 8x8
pictures. The history is made up of genomes of one to nine edits, so that it is the length that
differs and not the size of the genomes. What the space does in a proposal (drawing and applying
edits, crossing) is told apart from the controller's own work, which includes the hash of each child
to see whether it is new. Waiting for fsync is no CPU time and is told apart by the wall clock.
Optuna asks and tells itself in memory, in the same process, with ten parameters and two losses.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
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
from evonas.genome.cohort_kinds import Tap
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
NUM_GENOMES, MAX_EDITS = 200, 9
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
        self.births: dict[int, dict[str, float]] = {}
        self.current: dict[str, float] = {}

    def begin(self, number: int) -> None:
        """Begin the birth with this number."""
        self.current = self.births[number] = {}

    def time(self, name: str, act: Callable[[], T]) -> T:
        """Do something and add what it took to this birth."""
        start = time.process_time_ns()
        result = act()
        spent = (time.process_time_ns() - start) / 1e6
        self.current[name] = self.current.get(name, 0.0) + spent
        return result

    def medians(self, first: int, *names: str) -> list[float]:
        """Return the middle of `MEASURED` births from this one on, for each name."""
        births = [self.births[number] for number in range(first, first + MEASURED)]
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

    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        """Return the places in its network that a cohort may read."""
        return self.wrapped.taps(genome)

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return the knobs."""
        return self.clock.time("space", lambda: self.wrapped.knobs(seed))

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Decode the knobs."""
        return self.clock.time("space", lambda: self.wrapped.decode(seed, values))


def outcome(number: int) -> Evaluation:
    """Return a made-up outcome."""
    error, macs = seeds.stream(0, "outcome", number).random(2).tolist()
    return Evaluation({"error": error, "macs": macs}, Cost(samples=3000, macs=3e8), "0" * 64)


def seed_of(space: SearchSpace) -> History:
    """Return the history of the seed alone."""
    seed = space.seed({"net": Signature((1, 8, 8), (10,))})
    return History([Individual(0, Birth(seed, "seed", (), 0), outcome(0))])


def genomes(space: SearchSpace) -> list[Genome]:
    """Return random genomes to make histories of."""
    question = Question(space, space.mutations(), LOSSES, 0)
    controller, history = RandomSearch(max_edits=MAX_EDITS), seed_of(space)
    rngs = [seeds.stream(0, "genome", number) for number in range(NUM_GENOMES)]
    return [controller.propose(history, question, 1, rng).genome for rng in rngs]


def made_up(number: int, pool: Sequence[Genome]) -> Birth:
    """Return a birth of a parent in the last generation, with a genome of its own."""
    genome = pool[number % len(pool)].with_settings({"serial": number})
    operator = "control" if number % 10 == 0 else "widen"
    return Birth(genome, operator, (max(0, number - 1 - number % 20),), 0)


def measure(controller: Controller, space: SearchSpace, folder: Path) -> Clock:
    """Let a history grow to the largest size, and time a proposal at each of the sizes' births.

    What was proposed is then replaced by a made-up birth, but for Optuna, which reads its notes.
    """
    clock, pool, history = Clock(), genomes(space), seed_of(space)
    timed = TimedSpace(space, clock)
    question = Question(timed, timed.mutations(), LOSSES, 0)
    with closing(Store(folder, "flush")) as store:
        for number in range(1, max(SIZES) + MEASURED):
            clock.begin(number)
            birth, result = made_up(number, pool), outcome(number)
            is_measured = any(size <= number < size + MEASURED for size in SIZES)
            if is_measured or isinstance(controller, OptunaSampler):
                rng = seeds.stream(0, "propose", number)
                born = clock.time(
                    "propose", partial(controller.propose, history, question, number, rng)
                )
                clock.time("key", lambda b=born: b.genome.key)
                clock.time("journal", partial(write, store, number, born, result))
                birth = replace(birth, notes=born.notes)
            history.append(Individual(number, birth, result))
    return clock


def write(store: Store, number: int, birth: Birth, result: Evaluation) -> None:
    """Write the two lines of a candidate."""
    store.birth(number, birth)
    store.outcome(number, result, 0.0)


def measure_optuna(sampler: optuna.samplers.BaseSampler) -> Clock:
    """Time ask, suggest and tell of a study in memory as it grows."""
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    rng, clock = seeds.stream(0, "losses"), Clock()
    for number in range(max(SIZES) + MEASURED):
        clock.begin(number)
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
    birth = seed_of(space)[0].birth
    with closing(Store(folder, "fsync")) as store:
        for number in range(MEASURED):
            wall, cpu = time.perf_counter(), time.process_time()
            write(store, number, birth, outcome(number))
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
                print(
                    f"| {name} | {size} | {' | '.join(f'{cell:.2f}' for cell in row)} |", flush=True
                )
        wait = fsync_wait(space, Path(folder) / "fsync")
    for name, make in PEERS.items():
        clock = measure_optuna(make())
        for size in SIZES:
            (propose,) = clock.medians(size, "propose")
            print(f"| {name} | {size} | | {propose:.2f} | | | {propose:.2f} |", flush=True)
    print(f"\nwaiting for fsync, both lines of a candidate: {wait:.1f} ms of wall time")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="eena", help="entry-point name or module:Class")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print_table(plugins.construct(SearchSpace, parser.parse_args().space, "space"))


if __name__ == "__main__":
    main()
