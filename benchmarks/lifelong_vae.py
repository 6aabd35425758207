"""Lifelong generation: what fine-tuning forgets, what knowledge reconstruction and feedback keep.

    python benchmarks/lifelong_vae.py [--quick] [--seeds N] [--packed FOLDER]

Digits in five tasks of two classes, the default architecture of the space `vae`, five arms with the
same seeds, data splits and first weights; judged once, on the test data, by linear classifiers.
With `--packed`, MNIST, Fashion-MNIST and USPS one after the other instead, a task each: FOLDER has
folders `mnist` and `fashion_mnist` as `evonas_trainers.sources` reads them, and `usps/usps.npz`.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from paired import Contrast, Record, contrast_table, summary
from torch import Tensor

from evonas import seeds
from evonas.models import fresh_model
from evonas.plugins import from_table
from evonas.trainer import Context
from evonas_spaces.vae import Vae
from evonas_trainers.generative.lifelong_vae import LifelongVae

KL = 0.3
ARMS: Mapping[str, Mapping[str, Any]] = {
    "fine-tuning": {"method": "fine-tuning", "weights": {"divergence": KL}},
    "feedback": {"weights": {"divergence": KL, "knowledge": 0.0}},
    "KR": {"weights": {"divergence": KL, "feedback": 0.0}},
    "KR + feedback": {"weights": {"divergence": KL}},
    "joint": {"method": "joint", "weights": {"divergence": KL}},
}
SHOWN = {"first_task": 2, "recognised": 2, "accuracy": 3, "elbo": 2, "s": 1}
CONTRASTS = (
    *(Contrast(metric, "KR", "fine-tuning") for metric in ("first_task", "recognised", "accuracy")),
    *(Contrast(metric, "KR + feedback", "KR") for metric in ("recognised", "accuracy", "elbo")),
    *(Contrast(metric, "joint", "KR + feedback") for metric in ("recognised", "accuracy")),
)


def records(seed: int, table: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the test metrics of every arm, on the same data."""
    prepared = from_table(LifelongVae, table, "trainer").prepare(seed)
    for arm in ARMS:
        trainer = from_table(LifelongVae, {**table, **ARMS[arm]}, "trainer")
        yield {"arm": arm, "seed": seed, **tested(trainer, prepared, seed)}


def tested(trainer: LifelongVae, prepared: Mapping[str, Tensor], seed: int) -> Mapping[str, float]:
    """Train the default architecture; return test metrics and processor time of the training."""
    space = Vae()
    model = fresh_model(space, space.seed(trainer.signatures(prepared)), seed)
    device = torch.device("cpu")
    context = Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)
    begun = time.process_time()
    _ = trainer.train(model, context)
    spent = time.process_time() - begun
    return {"s": spent, **trainer.test(model, context)}


def pictures(packed: Path, folder: Path) -> Mapping[str, Any]:
    """Return the fields of three sets in sequence, MNIST's size for all."""
    with np.load(packed / "usps" / "usps.npz") as usps:
        arrays = {"x": usps["X_train"], "y": usps["y_train"]}
        arrays |= {"x_test": usps["X_test"], "y_test": usps["y_test"]}
    file = folder / "usps.npz"
    np.savez(file, **arrays)
    return {
        "data": ["mnist", "fashion-mnist", str(file)],
        "packed": str(packed),
        "train_samples": 5000,
        "tasks": 1,
        "steps": 600,
    }


def show(found: Sequence[Record]) -> None:
    """Print the arms, and the differences that were asked for."""
    print(summary(found, ARMS, SHOWN), "\n")
    print(contrast_table(found, CONTRASTS, seeds.stream(0, "lifelong")), flush=True)


def main() -> None:
    """Run all arms with all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="see whether it runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--packed", type=Path, help="folder of packed data sets")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        table: Mapping[str, Any] = {"data": ["digits"], "tasks": 5, "steps": 300}
        if options.packed is not None:
            table = pictures(options.packed, Path(folder))
        if options.quick:
            table = {**table, "steps": 2}
        count = 2 if options.quick else options.seeds
        show([one for seed in range(count) for one in records(seed, table)])


if __name__ == "__main__":
    main()
