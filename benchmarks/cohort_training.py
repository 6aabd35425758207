"""Networks that learn in a cohort, as a run file has it: what the cohort benchmarks share.

The data are scikit-learn's digits, 8 x 8 from 0 to 1, with noise: 400 pictures to learn from, each
under ten noises, so that an epoch shows each ten times, and 1,397 to test on. An arm is a search of
one birth, the seed, with a fixed cohort or none. Arms of a seed share data, first weights, teachers
and the number of steps; what is judged is what the run hands over after its last step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from evonas import api, devices, seeds, store
from evonas.api import Member
from evonas.teachers import FILE, copy_teachers
from evonas.trainer import Context

PICTURES, COPIES, CLASSES, NOISE = 400, 10, 10, 0.2

Pictures = NDArray[np.float64]
Table = Mapping[str, Any]


@final
@dataclass(frozen=True, kw_only=True)
class Digits:
    """Noisy digits of one seed.

    Attributes:
        seed: Of the split, the noise, and all that is drawn in a training.
        wrong: Share of the pictures to learn from that have the label of another class.
        domains: Ways to change pictures; each picture gets one by chance.
    """

    seed: int
    wrong: float = 0.0
    domains: tuple[Callable[[Pictures], Pictures], ...] = ()

    def write(self, folder: Path) -> Path:
        """Write what the trainer reads, and `domain_test`, the number of each test picture's."""
        x, y = load_digits(return_X_y=True)
        draws = seeds.stream(self.seed, "digits")
        order = draws.permutation(len(y))
        x, y = x[order].reshape(-1, 8, 8) / 16, y[order].astype(np.int64)
        moved = (draws.random(PICTURES) < self.wrong) * draws.integers(1, CLASSES, PICTURES)
        domain = draws.integers(max(1, len(self.domains)), size=len(y))
        for number, change in enumerate(self.domains):
            x[domain == number] = change(x[domain == number])
        x_train, x_test = np.repeat(x[:PICTURES], COPIES, axis=0), x[PICTURES:]
        file = folder / "digits.npz"
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            file,
            x=x_train + draws.normal(0, NOISE, x_train.shape),
            y=np.repeat((y[:PICTURES] + moved) % CLASSES, COPIES),
            x_test=x_test + draws.normal(0, NOISE, x_test.shape),
            y_test=y[PICTURES:],
            classes=np.asarray(CLASSES),
            domain_test=domain[PICTURES:],
        )
        return file


@final
@dataclass(frozen=True, kw_only=True)
class Learner:
    """A way to train a seed network, as tables of a run file.

    Attributes:
        space: Whose seed it is.
        preset: Of the cohort; None for no cohort.
        teachers: Of the cohort.
        trainer: Fields that differ from those of all learners.
    """

    space: Table
    preset: str | Table | None = None
    teachers: Table = field(default_factory=dict)
    trainer: Table = field(default_factory=dict)

    def trained(self, digits: Digits, folder: Path, name: str) -> Member:
        """Train it; teachers that another one in the folder has had are not made again.

        Args:
            digits: To learn, always the same in a folder.
            folder: For all learners of these digits.
            name: Of the learner.
        """
        own = folder / name
        (own / "weights").mkdir(parents=True)
        for made in sorted(folder.glob(f"*/{FILE}"))[:1] if self.teachers else ():
            copy_teachers(made.parent, own)
        found = api.search(self._table(folder / "digits.npz", digits.seed), out=own)
        return found.member(0)

    def _table(self, data: Path, seed: int) -> Table:
        table = {
            "births": 1,
            "seed": seed,
            "executor": "serial",
            "tracker": "none",
            "durability": "flush",
            "objectives": {"error": "min"},
            "space": self.space,
            "trainer": {**_TRAINER, **self.trainer, "data": str(data)},
        }
        cohort = {"preset": self.preset, "operators": [], "teachers": self.teachers}
        return table if self.preset is None else {**table, "cohort": cohort}


_TRAINER: Table = {
    "name": "supervised",
    "valid_ratio": 0.05,
    "epochs": 8,
    "schedule": "cosine",
    "augment": {"pad": 1},
}


def judged(learner: Learner, name: str, folder: Path, digits: Digits) -> Table:
    """Train a learner and return the student's accuracy, and what its training cost."""
    own = folder / str(digits.seed)
    if not own.exists():
        digits.write(own)
    member = learner.trained(digits, own, name)
    cost = member.evaluation.cost
    return {"final": accuracy(member), "gigamacs": cost.macs / 1e9, "seconds": cost.seconds}


def accuracy(member: Member, view: str | None = None) -> float:
    """Return the accuracy on the test data, in percent, of what was handed over."""
    folder = member.found.folder
    prepared = store.load_prepared(folder)
    assert prepared is not None, "the search has prepared the data"
    device = devices.best()
    context = Context(device, torch.float32, 0, prepared, None, lambda *_, **__: None)
    model = member.model(view).to(device)
    return 100 * member.found.run.trainer.test(model, context)["accuracy"]


def small_network(widths: tuple[int, ...] = (4, 8, 16)) -> nn.Module:
    """Return convolutions with batch norms, a pool between two of them, and a linear layer."""
    layers: list[nn.Module] = []
    for number, (given, made) in enumerate(zip((1, *widths), widths, strict=False)):
        layers += [nn.MaxPool2d(2)] if number else []
        layers += [nn.Conv2d(given, made, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(made), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], CLASSES)]
    return nn.Sequential(*layers, *head)


SMALL: Table = {"name": "adopted", "network": "cohort_training:small_network"}
"""The space whose seed is `small_network`."""
