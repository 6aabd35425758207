"""Policies that learn from one another (OPD-DA) against policies that learn alone.

Each arm is a candidate of two layers of 128 and its cohort, trained once from fresh weights by PPO;
arms of a seed share environments' seeds and the candidate's first weights, and each of their
policies takes as many steps. `area` is the mean return over eight evaluations of greedy episodes,
averaged over the policies of the cohort, as in the paper; `candidate` is that of the one policy
that is handed over; `test` is what this returns in the end in fresh episodes. Contrasts were fixed
before the runs. A cohort of T policies takes T times the steps of one alone in all.

    python benchmarks/policy_cohorts.py --seeds 6
    python benchmarks/policy_cohorts.py --task acrobot --seeds 4
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import torch
from ledger import Arm, add_options, recorded
from paired import Contrast, contrast_table, summary

from evonas import api, config, devices, seeds, store
from evonas.api import Member
from evonas.trainer import Context
from evonas_trainers.reinforcement.opd_da import OpdDa

Table = Mapping[str, Any]

PRESET: Table = {"name": "opd-da"}
COHORTS: Mapping[str, Table | None] = {
    "alone": None,
    "attention": {**PRESET, "aggregation": "attention"},
    "others": {**PRESET, "aggregation": "others"},
    "mean": {**PRESET, "aggregation": "mean"},
    "others of 3": {**PRESET, "aggregation": "others", "policies": 3},
    "mean of 3": {**PRESET, "aggregation": "mean", "policies": 3},
}
CONTRASTS = (
    Contrast("area", "attention", "alone"),
    Contrast("area", "mean", "alone"),
    Contrast("area", "attention", "mean"),
    Contrast("area", "others", "alone"),
    Contrast("area", "others of 3", "mean of 3"),
)


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """What is learned.

    Attributes:
        environment: A name that gymnasium knows.
        steps: Of each policy.
        arms: That are worth the time.
        trainer: Other fields.
    """

    environment: str
    steps: int
    arms: tuple[str, ...]
    trainer: Table = field(default_factory=dict)

    def arm(self, name: str) -> Arm:
        """Return a training of one arm by seed."""

        def run(seed: int) -> Table:
            torch.set_num_threads(1)
            with tempfile.TemporaryDirectory() as folder:
                found = api.search(self._run(name, seed), out=Path(folder) / "run")
                return _judged(found.member(0), seed)

        return run

    def _run(self, name: str, seed: int) -> config.Run:
        """Return the search of one birth."""
        table: dict[str, Any] = {
            "births": 1,
            "seed": seed,
            "executor": "serial",
            "tracker": "none",
            "durability": "flush",
            "objectives": {"fitness": "max"},
            "space": {"name": "mlp", "hidden": 128, "layers": 2, "activation": "tanh"},
            "trainer": {
                "name": "opd-da",
                "environment": self.environment,
                "steps": self.steps,
                "trials": 1,
                **self.trainer,
            },
        }
        if (preset := COHORTS[name]) is not None:
            table["cohort"] = {"preset": preset, "operators": []}
        return config.from_table(table, "policies")


_TWO = ("alone", "attention", "others", "mean")

TASKS: Mapping[str, Task] = {
    "cartpole": Task(environment="CartPole-v1", steps=24_576, arms=_TWO),
    "cartpole-3": Task(environment="CartPole-v1", steps=24_576, arms=("others of 3", "mean of 3")),
    "cartpole-dqn": Task(
        environment="CartPole-v1",
        steps=24_576,
        arms=_TWO,
        trainer={"algorithm": "dqn", "batch_size": 128},
    ),
    "acrobot": Task(environment="Acrobot-v1", steps=24_576, arms=_TWO),
}


def main() -> None:
    """Train all arms of a task, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser, seeds=6)
    parser.add_argument("--task", choices=TASKS, default="cartpole")
    parser.add_argument("--quick", action="store_true", help="one seed, a tenth of the steps")
    options = parser.parse_args()
    task: Task = TASKS[options.task]
    if options.quick:
        options.seeds, options.record = 1, None
        task = replace(task, steps=2_560)
    records = recorded({name: task.arm(name) for name in task.arms}, options.seeds, options.record)
    digits = {"area": 1, "candidate": 1, "test": 1, "diversity": 3, "gigamacs": 1, "seconds": 1}
    print(summary(records, task.arms, digits))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


def _judged(member: Member, seed: int) -> Table:
    """Return what a training came to."""
    evaluation, trainer = member.evaluation, member.found.run.trainer
    assert isinstance(trainer, OpdDa), "the table names it"
    prepared = store.load_prepared(member.found.folder)
    assert prepared is not None, "the search has prepared the data"
    curve = [metrics for _, metrics in evaluation.curve]
    device, (low, high) = devices.best(), trainer.judging.scale(trainer.environment)
    context = Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)
    return {
        "area": statistics.mean(one["member_return"] for one in curve),
        "candidate": low + (high - low) * evaluation.metrics["area"],
        "test": trainer.test(member.model().to(device), context)["return"],
        "diversity": statistics.mean(one["diversity"] for one in curve),
        "gigamacs": evaluation.cost.macs / 1e9,
        "seconds": evaluation.cost.seconds,
    }


if __name__ == "__main__":
    main()
