"""Evolution over cohorts against its seed cohort, at equal cost.

    python benchmarks/cohort_search.py digits
    python benchmarks/cohort_search.py fashion-mnist --packed FOLDER

For every seed a wide network is trained, and a small one that learns from it, in the seed cohort;
all arms start from the small one as it is then, so that depth of a lineage is not all. An arm goes
on until its candidates have cost as much as so many of the seed cohort, in multiply-accumulates,
all that their cohorts compute included. Its best by validation error within this budget is
trained once more, down to a rate of zero, in its own cohort, and judged on the test data, once.

- `search`: the cohort evolves and the architecture does not;
- `seed cohort`: the network trained on and on in the cohort in which `search` begins;
- `alone`: no cohort from here on, the same network trained on and on;
- `co-search`: cohort and architecture evolve together.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import excerpt
import numpy as np
import torch
from inheritance import TrainOn, annealed, tested
from ledger import add_options, recorded
from paired import Contrast, contrast_table, summary
from pruned_training import noisy_digits

from evonas import api, devices, seeds
from evonas.config import Run, from_table
from evonas.genome.cohort import Cohort
from evonas.history import Evaluation, History, Individual
from evonas_trainers import sources
from evonas_trainers.sources import Source

Table = Mapping[str, Any]

ARMS = ("search", "seed cohort", "alone", "co-search")
ALWAYS: Table = {
    "objectives": {"error": "min"},
    "lookahead": 1,
    "tracker": "none",
    "executor": "serial",
    "durability": "flush",
}
TRAINERS: Mapping[str, Table] = {
    "digits": {"valid_ratio": 0.5, "epochs": 4, "augment": {"pad": 1}},
    "fashion-mnist": {"valid_ratio": 1 / 3, "epochs": 2},
}
NUM_TRAIN, NUM_TEST = 1500, 10_000
SMALL: Table = {"name": "eena", "stem": 8, "width": 8, "last": 16, "preset": "none"}
WIDE: Table = {"name": "eena", "stem": 16, "width": 16, "last": 32, "preset": "none"}
CONTROLLER: Table = {"name": "eena", "population": 6, "controls": 1, "first_edits": 1}
FIRST = 10
"""The first trainings, of the teacher and of the start, are so many times as long as a birth's."""
CONTRASTS = (
    Contrast("test error", "search", "seed cohort"),
    Contrast("test error", "search", "alone"),
    Contrast("test error", "co-search", "seed cohort"),
)


@final
@dataclass(frozen=True)
class Task:
    """What is searched for, and where everything is.

    Attributes:
        name: Of the data set.
        write: Writes the data of a seed into a file, other ones with each seed.
        folder: For all runs.
        births: Of the seed cohort, whose cost is the budget.
    """

    name: str
    write: Callable[[Path, int], object]
    folder: Path
    births: int

    def cohort(self, seed: int) -> dict[str, Any]:
        """Return the table of the seed cohort; its teacher is trained if it has not been."""
        teacher = self._trained("teacher", seed, {"space": WIDE}, {"schedule": "anneal"})
        return {"preset": "kd", "teachers": {"teacher": teacher}}

    def start(self, seed: int) -> Table:
        """Return the table of the network that all arms start from, trained if it has not been."""
        cohort = {**self.cohort(seed), "operators": []}
        return self._trained("start", seed, {"space": SMALL, "cohort": cohort}, {})

    def run(self, arm: str, seed: int, births: int) -> Run:
        """Return an arm's search of so many births."""
        fixed = {"operators": []}
        space = {"name": "adopted", **self.start(seed)}
        table: Table = {
            **ALWAYS,
            "seed": seed,
            "births": births,
            "space": space if arm == "co-search" else space | fixed,
            "trainer": self._trainer(seed),
            "controller": CONTROLLER,
        }
        if arm != "alone":
            cohort = self.cohort(seed)
            table = {**table, "cohort": cohort | fixed if arm == "seed cohort" else cohort}
        run = from_table(table, arm.replace(" ", "-"))
        return replace(run, controller=TrainOn()) if arm in {"seed cohort", "alone"} else run

    def _trainer(self, seed: int) -> dict[str, Any]:
        file = self.folder / f"{seed}.npz"
        if not file.exists():
            self.write(file, seed)
        own = {"name": "supervised", "batch_size": 32, "data": str(file)}
        return {**own, **TRAINERS[self.name]}

    def _trained(self, name: str, seed: int, parts: Table, settings: Table) -> dict[str, Any]:
        """Train one network, and return how a run file names it."""
        folder = self.folder / name / str(seed)
        trainer = self._trainer(seed)
        trainer = {**trainer, "epochs": FIRST * trainer["epochs"], **settings}
        _ = api.search(
            {**ALWAYS, "seed": seed, "births": 1, "trainer": trainer, **parts}, out=folder
        )
        return {"network": "evonas.api:trained_network", "arguments": {"run": str(folder)}}


def measured(task: Task, arm: str, seed: int) -> Mapping[str, Any]:
    """Run an arm until its candidates have cost the budget, and judge what it found."""
    folder = task.folder / arm / str(seed)
    budget = task.births * one_candidate(task, seed)
    run, history = task.run(arm, seed, 4), History()
    while sum(spent(one) for one in history) < budget:
        run = task.run(arm, seed, len(history) + 4)  # the record continues; nothing is paid twice
        history = api.search(run, out=folder).history
    inside = within(history, budget)
    best, outcome = min(inside, key=lambda pair: (pair[1].metrics["error"], pair[0].number))
    last = annealed(run, folder, best, outcome)
    return {
        "test error": 100 * tested(run, folder, last),
        "before the last": 100 * tested(run, folder, best),
        "validation error": 100 * outcome.metrics["error"],
        "candidates": len(inside),
        "failures": sum(not isinstance(one.outcome, Evaluation) for one in history),
        "MACs": outcome.metrics["macs"] / 1e6,
        "seconds": sum(one.outcome.cost.seconds for one in history),
        "operators": [edit.operator for edit in best.birth.genome.edits],
        "cohort": described(best),
    }


def one_candidate(task: Task, seed: int) -> float:
    """Return what one training of the seed cohort costs, in multiply-accumulates."""
    folder = task.folder / "seed cohort" / str(seed)
    return spent(api.search(task.run("seed cohort", seed, 4), out=folder).history[0])


def spent(one: Individual) -> float:
    """Return what an individual's training cost."""
    return one.outcome.cost.macs


def within(history: History, budget: float) -> Sequence[tuple[Individual, Evaluation]]:
    """Return the evaluated individuals that fit into the budget, in the order of births."""
    inside: list[tuple[Individual, Evaluation]] = []
    for one in history:
        budget -= spent(one)
        if budget < 0:
            break
        if isinstance(one.outcome, Evaluation):
            inside.append((one, one.outcome))
    return inside


def described(one: Individual) -> Mapping[str, Any] | None:
    """Return the cohort that an individual was trained in, as plain data."""
    cohort = Cohort.of(one.birth.genome)
    return None if cohort is None else cohort.to_json()


def write_digits(file: Path, seed: int) -> None:
    """Write scikit-learn's digits with noise."""
    task = noisy_digits(seed)
    np.savez(
        file,
        x=task.train_x.cpu().numpy(),
        y=task.train_y.cpu().numpy(),
        x_test=task.test_x.cpu().numpy(),
        y_test=task.test_y.cpu().numpy(),
    )


def write_pictures(source: Source, file: Path, seed: int) -> None:
    """Write some pictures of a published data set."""
    _ = excerpt.write(file, source, NUM_TRAIN, NUM_TEST, seeds.stream(seed, "pictures"))


def main() -> None:
    """Run what is not recorded yet, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=TRAINERS)
    parser.add_argument("--packed", type=Path, help="folder of packed data sets")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder for downloads")
    parser.add_argument("--births", type=int, default=20, help="the budget, in seed cohorts")
    add_options(parser, seeds=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    write = write_digits
    if given.task != "digits":
        source = sources.read(given.task, given.root, 28, given.packed)
        write = partial(write_pictures, source)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(given.task, write, Path(folder), given.births)
        ways = {arm: partial(measured, task, arm) for arm in ARMS}
        records = recorded(ways, given.seeds, given.record)
    digits = {"candidates": 1, "validation error": 2, "before the last": 2, "test error": 2}
    print(summary(records, ARMS, {**digits, "MACs": 2, "seconds": 0}))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))
    found = Counter(name for one in records if one["arm"] == "search" for name in one["operators"])
    print(f"edits of what `search` found: {dict(found.most_common())}")


if __name__ == "__main__":
    main()
