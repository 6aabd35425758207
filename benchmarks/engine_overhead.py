"""What the engine itself takes for one candidate: propose, hash, write its lines to the journal.

`python benchmarks/engine_overhead.py` prints one table, CPU time of this process in milliseconds,
medians of 100 births on top of a history of 100, 1 000 and 10 000. The space is EENA's on 8x8
pictures; outcomes are made up and prefer nine edits, so that genomes are as large in a long history
as in a short one. Two columns belong to the space: drawing and applying an edit. Waiting for fsync
is no CPU time and is told apart, by the wall clock. Optuna asks and tells itself in memory, in the
same process, with ten parameters and two losses.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

import optuna

from evonas import plugins, seeds
from evonas.controllers.aging import Aging
from evonas.controllers.controller import Controller, Question
from evonas.controllers.eena import Eena
from evonas.controllers.nsga2 import Nsga2
from evonas.controllers.optuna_sampler import OptunaSampler
from evonas.controllers.random_search import RandomSearch
from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, History, Individual, Objective
from evonas.networks import Signature
from evonas.space import SearchSpace
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
@dataclass
class Clock:
    """CPU milliseconds by what was done."""

    times: dict[str, list[float]]

    def time(self, name: str, act: Callable[[], T]) -> T:
        """Do something and note what it took."""
        start = time.process_time_ns()
        result = act()
        self.times.setdefault(name, []).append((time.process_time_ns() - start) / 1e6)
        return result

    def median(self, name: str) -> float:
        """Return the middle of what was noted."""
        return statistics.median(self.times[name])


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


def measure(controller: Controller, question: Question, folder: Path) -> dict[int, Clock]:
    """Let a history grow to every size, and time the births from there on."""
    history, clocks = History(), dict[int, Clock]()
    with closing(Store(folder, "flush")) as store:
        for number in range(max(SIZES) + MEASURED):
            size = max((size for size in SIZES if size <= number < size + MEASURED), default=0)
            clock = clocks.setdefault(size, Clock({}))
            born = clock.time("propose", lambda: birth(controller, question, history))
            clock.time("key", lambda born=born: born.genome.key)
            result = outcome(number, born.genome)
            if size:
                clock.time("journal", lambda n=number, b=born, r=result: _write(store, n, b, r))
            history.append(Individual(number, born, result))
    return clocks


def _write(store: Store, number: int, born: Birth, result: Evaluation) -> None:
    store.birth(number, born)
    store.outcome(number, result, 0.0)


def measure_optuna(sampler: optuna.samplers.BaseSampler) -> dict[int, Clock]:
    """Time ask, suggest and tell of a study in memory as it grows."""
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    rng, clocks = seeds.stream(0, "losses"), dict[int, Clock]()
    for number in range(max(SIZES) + MEASURED):
        size = max((size for size in SIZES if size <= number < size + MEASURED), default=0)
        clock, losses = clocks.setdefault(size, Clock({})), rng.random(2).tolist()
        clock.time("propose", lambda losses=losses: _ask_and_tell(study, losses))
    return clocks


def _ask_and_tell(study: optuna.Study, losses: list[float]) -> None:
    trial = study.ask()
    for place in range(6):
        trial.suggest_float(f"x{place}", 0.0, 1.0)
    for place in range(2):
        trial.suggest_int(f"n{place}", 1, 64)
        trial.suggest_categorical(f"c{place}", list("abcde"))
    study.tell(trial, losses)


def fsync_wait(question: Question, folder: Path) -> float:
    """Return the wall milliseconds that one candidate's two durable lines wait for the disk."""
    history, waits = History(), list[float]()
    born = birth(Eena(), question, history)
    with closing(Store(folder, "fsync")) as store:
        for number in range(MEASURED):
            wall, cpu = time.perf_counter(), time.process_time()
            _write(store, number, born, outcome(number, born.genome))
            waits.append(time.perf_counter() - wall - (time.process_time() - cpu))
    return statistics.median(waits) * 1e3


def print_table(question: Question) -> None:
    """Measure everything and print it."""
    print("| controller | history | propose | hash | journal | all |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, controller in CONTROLLERS.items():
            clocks = measure(controller, question, Path(folder) / name)
            for size in SIZES:
                parts = [clocks[size].median(part) for part in ("propose", "key", "journal")]
                cells = " | ".join(f"{part:.2f}" for part in [*parts, sum(parts)])
                print(f"| {name} | {size} | {cells} |", flush=True)
        wait = fsync_wait(question, Path(folder) / "fsync")
    for name, make in PEERS.items():
        for size, clock in measure_optuna(make()).items():
            if size:
                print(f"| {name} | {size} | {clock.median('propose'):.2f} | | | |", flush=True)
    print(f"\nwaiting for fsync, both lines of a candidate: {wait:.1f} ms of wall time")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="eena", help="entry-point name or module:Class")
    space = plugins.construct(SearchSpace, parser.parse_args().space, "space")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print_table(Question(space, space.mutations(), LOSSES, 0))


if __name__ == "__main__":
    main()
