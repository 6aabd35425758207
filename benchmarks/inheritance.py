"""A first look at inheritance: what it is worth at equal CPU seconds, on scikit-learn's digits.

Three arms spend the same CPU seconds on candidates: the main job's search with inherited weights;
the same search with every child trained from scratch; and the seed network simply trained longer,
one piece after another, each piece judged, so that its best moment counts. What an arm has found is
the best by validation error among the candidates that fit into the budget. It is judged on the
test data as it is, and after one anneal of the learning rate that the budget does not count.

    python benchmarks/inheritance.py --seconds 40 --seeds 5
"""

import argparse
import statistics
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

from evonas import api, devices, models, plugins, seeds, store
from evonas.candidate import Evaluator
from evonas.config import Run, from_table
from evonas.controllers.controller import Controller, Question
from evonas.executors.executor import Job
from evonas.genome import Birth
from evonas.history import Evaluation, History, Individual
from evonas.seeds import Rng
from evonas.trainer import Context

ARMS = ("search, inherited", "search, from scratch", "seed, trained longer")
ANNEAL = {"schedule": "anneal", "epochs": 6}
ROOT = Path(__file__).parents[1]


@final
@dataclass(frozen=True, kw_only=True)
class TrainOn(Controller):
    """Train the seed on and on: every birth continues the one before."""

    source: ClassVar[str] = "the control that every search must beat: just train longer"

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return a clone of the last individual with a seed of its own."""
        del rng
        last = history[len(history) - 1]
        seed = seeds.integer(question.seed, "train", number)
        return Birth(last.birth.genome, "control", (last.number,), seed)


@final
@dataclass(frozen=True)
class Result:
    """What an arm came to: errors in percent."""

    births: int
    seconds: float
    valid: float
    test: float
    annealed: float


def arm_run(arm: str, seed: int, births: int) -> Run:
    """Return the main job as one arm runs it: by validation error alone, no last training."""
    table = tomllib.loads((ROOT / "runs" / "digits.toml").read_text(encoding="utf-8"))
    changes = {"births": births, "seed": seed, "objectives": {"error": "min"}, "tracker": "none"}
    changes |= {"inherit": arm != ARMS[1], "executor": "serial", "lookahead": 1}
    table = {key: value for key, value in table.items() if key not in {"final", "retrain"}}
    run = from_table({**table, **changes}, "inheritance")
    return replace(run, controller=TrainOn()) if arm == ARMS[2] else run


def measured(arm: str, seed: int, seconds: float, folder: Path) -> Result:
    """Run one arm until its candidates have used the CPU seconds, and judge what it found."""
    run, history = arm_run(arm, seed, 5), History()
    while sum(one.outcome.cost.seconds for one in history) < seconds:
        run = arm_run(arm, seed, len(history) + 5)  # the record continues; nothing is paid twice
        history = api.search(run, out=folder).history
    inside = within(history, seconds)
    best, outcome = min(inside, key=lambda pair: (pair[1].metrics["error"], pair[0].number))
    return Result(
        births=len(inside),
        seconds=sum(one.outcome.cost.seconds for one, _ in inside),
        valid=100 * outcome.metrics["error"],
        test=100 * tested(run, folder, best),
        annealed=100 * tested(run, folder, annealed(run, folder, best, outcome)),
    )


def within(history: History, seconds: float) -> Sequence[tuple[Individual, Evaluation]]:
    """Return the evaluated individuals that fit into the budget, failures charged."""
    inside: list[tuple[Individual, Evaluation]] = []
    for one in history:
        seconds -= one.outcome.cost.seconds
        if seconds < 0:
            break
        if isinstance(one.outcome, Evaluation):
            inside.append((one, one.outcome))
    return inside


def annealed(run: Run, folder: Path, best: Individual, outcome: Evaluation) -> Individual:
    """Return the best after its last training, as `[final]` of a run file does it."""
    genome = best.birth.genome.with_settings(ANNEAL)
    birth = Birth(genome, "final", (best.number,), best.birth.seed)
    evaluate = Evaluator.of(replace(run, inherit=True), folder)
    job = Job(best.number, birth, [(best.birth.genome, outcome.weights)])
    return Individual(best.number, birth, evaluate(job, lambda _: None))


def tested(run: Run, folder: Path, one: Individual) -> float:
    """Return the error on the test data."""
    prepared = store.load_prepared(folder)
    assert prepared is not None, "the search has prepared the data"
    device = devices.best()
    precision = devices.precision(run.precision, device)
    context = Context(device, precision, 0, prepared, None, lambda *_, **__: None)
    trainer = plugins.with_settings(run.trainer, one.birth.genome.settings)
    model = models.trained_model(run.space, folder, one).to(device)
    return trainer.test(model, context)["error"]


def spread(values: Sequence[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Run all arms, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="CPU seconds an arm and seed")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    results: dict[str, list[Result]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        for arm in ARMS:
            with tempfile.TemporaryDirectory() as folder:
                results[arm].append(measured(arm, seed, options.seconds, Path(folder)))
    print(f"errors in percent, median and range over {options.seeds} seeds, ", end="")
    print(f"{options.seconds:g} CPU seconds an arm")
    print("| arm | births | validation | test | test, annealed | annealed, less than the seed's |")
    print("|---|---|---|---|---|---|")
    longer = [result.annealed for result in results[ARMS[2]]]
    for arm, found in results.items():
        gains = [base - result.annealed for base, result in zip(longer, found, strict=True)]
        print(
            f"| {arm} | {statistics.median(r.births for r in found):g} "
            f"| {spread([r.valid for r in found])} | {spread([r.test for r in found])} "
            f"| {spread([r.annealed for r in found])} | {spread(gains)} |"
        )


if __name__ == "__main__":
    main()
