"""MEEE against MBPO, against each of its two halves, and against SAC that imagines nothing.

Pendulum, 2000 steps; an ensemble of 5 networks of 3 x 64, 4 of them elites, fitted every 100 steps;
critics and actor of 64-64; six updates a step. Arms of a seed share environment, first weights and
first random steps. Contrasts were fixed before the runs. Beside them: how well the disagreement of
an ensemble that has seen 400 random steps ranks its errors on steps of another 2000, and what
trusting by it saves.

    python benchmarks/model_ensembles.py --seeds 4
    python benchmarks/model_ensembles.py --quick
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from ledger import add_options, recorded
from paired import Contrast, contrast_table, interval, summary

from evonas import seeds
from evonas.models import fresh_model
from evonas.trainer import Context
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.descent import AdamSettings
from evonas_trainers.reinforcement.dynamics.branching import columns_in, columns_out
from evonas_trainers.reinforcement.dynamics.gaussian import (
    EnsembleSettings,
    ProbabilisticEnsemble,
    disagreement,
)
from evonas_trainers.reinforcement.dynamics.ranks import rank_correlation
from evonas_trainers.reinforcement.environments import Environments
from evonas_trainers.reinforcement.meee import Meee
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.sac_learner import SacSettings
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.uncertainty import trust

CPU = torch.device("cpu")
NAME = "Pendulum-v1"
SPACE = Mlp(hidden=64, layers=2)
FULL = Meee(
    environment=NAME,
    trials=1,
    batch_size=128,
    judging=Judging(times=10, episodes=8),
    learning=SacSettings(
        adam=AdamSettings(lr=2e-3), discount=0.98, target_share=0.01, temperature=0.05
    ),
)
ARMS: Mapping[str, Meee] = {
    "meee": FULL,
    "mbpo": replace(FULL, is_weighted=False, explores=False),
    "sac": replace(FULL, real_ratio=1.0),
    "weights only": replace(FULL, explores=False),
    "exploration only": replace(FULL, is_weighted=False),
}
CONTRASTS = (
    Contrast("mean_return", "meee", "mbpo"),
    Contrast("last_returns", "meee", "mbpo"),
    Contrast("mean_return", "meee", "sac"),
    Contrast("mean_return", "weights only", "mbpo"),
    Contrast("mean_return", "exploration only", "mbpo"),
)
COLUMNS = {"mean_return": 0, "last_returns": 0, "model_error": 3, "disagreement_rank": 2}
LAST = 3
"""Evaluations at the end."""


def run(trainer: Meee, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed; judge by the returns of ten evaluations."""
    prepared = trainer.prepare(seed)
    model = fresh_model(SPACE, SPACE.seed(trainer.signatures(prepared)), seed)
    curve: list[float] = []

    def report(_: int, /, **metrics: float) -> None:
        curve.append(metrics["final_return"])

    trained = trainer.train(model, Context(CPU, torch.float32, seed, prepared, None, report))
    nothing = {"model_error": float("nan"), "disagreement_rank": float("nan")}
    return {
        **nothing,
        **trained.metrics,
        "mean_return": statistics.mean(curve),
        "last_returns": statistics.mean(curve[-LAST:]),
        "curve": curve,
    }


def random_steps(number: int, seed: int) -> Batch:
    """Act at random."""
    draws = torch.Generator().manual_seed(seeds.integer(seed, "actions"))
    with Environments(NAME, 1, seed) as running:
        replay = Replay(number, running.facts, CPU)
        for _ in range(number):
            seen, action = running.current, 2 * torch.rand(1, 1, generator=draws) - 1
            found = running.step(running.facts.scaled(action))
            replay.add(seen, action, found.rewards, found.observations, found.terminated)
    return replay.everything()


@torch.no_grad()
def ranked(seed: int) -> tuple[float, float]:
    """Return the rank correlation of disagreement and error, and what trust leaves of the error."""
    drawn = torch.Generator().manual_seed(seeds.integer(seed, "ensemble"))
    ensemble = ProbabilisticEnsemble(4, 4, EnsembleSettings(), drawn, CPU)
    seen, unseen = random_steps(400, 2 * seed), random_steps(2000, 2 * seed + 1)
    with torch.enable_grad():
        ensemble.fit(columns_in(seen.observations, seen.actions), columns_out(seen), drawn)
    inputs = columns_in(unseen.observations, unseen.actions)
    errors = ensemble.errors(inputs, columns_out(unseen)).sqrt()
    apart = disagreement(ensemble(inputs)[0])
    weights = trust(apart, FULL.doubt)
    left = (weights * errors).sum() / weights.sum() / errors.mean()
    return rank_correlation(apart, errors), left.item()


def report_ranks(number: int) -> None:
    """Print what `ranked` finds for some seeds."""
    found = [ranked(seed) for seed in range(number)]
    rng = seeds.stream(0, "ranks")
    for place, name in enumerate(("rank correlation", "error left by trust")):
        values = [one[place] for one in found]
        low, high = interval(values, rng)
        print(f"{name}: {statistics.mean(values):.2f} ({low:.2f} to {high:.2f}), n = {number}")


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--quick", action="store_true", help="400 steps, one seed: does it run?")
    add_options(parser, seeds=3)
    options = parser.parse_args()
    trainers = {name: ARMS[name] for name in options.arms}
    if options.quick:
        trainers = {name: replace(one, steps=400) for name, one in trainers.items()}
        options.seeds, options.record = 1, None
    report_ranks(5)
    arms = {name: partial(run, trainer) for name, trainer in trainers.items()}
    records = recorded(arms, options.seeds, options.record)
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
