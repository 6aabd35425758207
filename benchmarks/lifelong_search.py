"""Lifelong generators of digits: evolved ones against the default, at equal cost.

    python benchmarks/lifelong_search.py [--quick] [--seeds N]

Five tasks of two classes. A search of twelve births is judged by validation, and its best one is
trained once more for four times as long; the default architecture of the space `vae` is trained for
as many batches as come to the same multiply-accumulates. Both are judged once on the test data.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from paired import Contrast, Record, contrast_table, summary

from evonas import api, seeds, store
from evonas.history import Evaluation
from evonas.plugins import from_table
from evonas.trainer import Context
from evonas_trainers.generative.lifelong_vae import LifelongVae

TABLE: Mapping[str, Any] = {"data": ["digits"], "tasks": 5, "weights": {"divergence": 0.3}}
BIRTHS, STEPS, LONGER = 12, 60, 4
SHOWN = {"accuracy": 3, "recognised": 2, "first_task": 2, "elbo": 2, "gigamacs": 1}
CONTRASTS = [Contrast(metric, "evolved", "default") for metric in ("accuracy", "elbo")]


def record(arm: str, seed: int, births: int, steps: int, longer: int) -> Record:
    """Search, or train the default alone if there is one birth; judge the best on the test data."""
    run = {
        "births": births,
        "seed": seed,
        "lookahead": 1,
        "objectives": {"fitness": "max"},
        "space": "vae",
        "trainer": {**TABLE, "name": "lifelong-vae", "steps": steps},
        "controller": {"name": "eena", "population": 5},
        "executor": "serial",
        "tracker": "none",
        "durability": "flush",
        **({"final": {"members": 1, "steps": longer * steps}} if longer else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        found = api.search(run, out=Path(folder) / "run")
        prepared = store.load_prepared(found.folder)
        assert prepared is not None, "a search prepares its data"
        costs = [one.outcome.cost.macs for one in found.history]
        assert all(isinstance(one.outcome, Evaluation) for one in found.history), "none failed"
        context = Context(
            torch.device("cpu"), torch.float32, seed, prepared, None, lambda *_, **__: None
        )
        trainer = from_table(LifelongVae, TABLE, "trainer")
        metrics = trainer.test(found.best().model(), context)
    return {"arm": arm, "seed": seed, "gigamacs": sum(costs) / 1e9, **metrics}


def pair(seed: int, births: int, steps: int) -> Sequence[Record]:
    """Return what evolution and the default come to, at equal cost."""
    evolved = record("evolved", seed, births, steps, LONGER)
    short = record("default", seed, 1, steps, 0)
    equal = round(steps * evolved["gigamacs"] / short["gigamacs"])
    return evolved, record("default", seed, 1, equal, 0)


def main() -> None:
    """Run both arms with all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="see whether it runs")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    births, steps, count = (3, 2, 2) if options.quick else (BIRTHS, STEPS, options.seeds)
    found = [one for seed in range(count) for one in pair(seed, births, steps)]
    print(summary(found, ("evolved", "default"), SHOWN), "\n")
    print(contrast_table(found, CONTRASTS, seeds.stream(0, "lifelong search")))


if __name__ == "__main__":
    main()
