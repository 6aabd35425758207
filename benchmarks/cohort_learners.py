"""Networks that learn in a cohort, as a run file has it: what the cohort benchmarks share.

The data are scikit-learn's digits, 8 x 8 from 0 to 1, with noise: 400 pictures to learn from, each
under ten noises, so that an epoch shows each ten times, and 1,397 to test on. An arm is a search of
one birth, the seed, with a fixed cohort or none. Arms of a seed share data, first weights, teachers
and the number of steps; what is judged is what the run hands over after its last step.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from ledger import Arm, add_options, recorded
from numpy.typing import NDArray
from paired import Contrast, contrast_table, summary
from sklearn.datasets import load_digits
from torch import Tensor, nn

from evonas import api, config, devices, seeds, store
from evonas.api import Member
from evonas.config import Run
from evonas.teachers import FILE, copy_teachers
from evonas.trainer import Context

PICTURES, COPIES, CLASSES, NOISE = 400, 10, 10, 0.2

Pictures = NDArray[np.float64]
Change = Callable[[Pictures], Pictures]
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
    domains: tuple[Change, ...] = ()

    def file(self, folder: Path) -> Path:
        """Return the file of the digits, which is written if it is not there.

        Beside what the trainer reads it has `domain_test`, the number of each test picture's.
        """
        file = folder / "digits.npz"
        if file.exists():
            return file
        folder.mkdir(parents=True)
        x, y = load_digits(return_X_y=True)
        draws = seeds.stream(self.seed, "digits")
        order = draws.permutation(len(y))
        x, y = x[order].reshape(-1, 8, 8) / 16, y[order].astype(np.int64)
        moved = (draws.random(PICTURES) < self.wrong) * draws.integers(1, CLASSES, PICTURES)
        domain = draws.integers(max(1, len(self.domains)), size=len(y))
        for number, change in enumerate(self.domains):
            x[domain == number] = change(x[domain == number])
        x_train, x_test = np.repeat(x[:PICTURES], COPIES, axis=0), x[PICTURES:]
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
        wrong: See `Digits`.
    """

    space: Table
    preset: str | Table | None = None
    teachers: Table = field(default_factory=dict)
    wrong: float = 0.0

    def trained(self, data: Path, seed: int, name: str) -> Member:
        """Train it beside its data; teachers that another one there has had are not made again.

        Args:
            data: A file of digits.
            seed: Of all that is drawn.
            name: Of the learner, and of the folder of its run.
        """
        folder = data.parent / name
        (folder / "weights").mkdir(parents=True)
        made = sorted(data.parent.glob(f"*/{FILE}")) if self.teachers else []
        if made:
            copy_teachers(made[0].parent, folder)
        return api.search(self.run(data, seed), out=folder).member(0)

    def run(self, data: Path, seed: int) -> Run:
        """Return the search of one birth."""
        table: dict[str, Any] = {
            "births": 1,
            "seed": seed,
            "executor": "serial",
            "tracker": "none",
            "durability": "flush",
            "objectives": {"error": "min"},
            "space": self.space,
            "trainer": {**_TRAINER, "data": str(data)},
        }
        cohort = {"preset": self.preset, "operators": [], "teachers": self.teachers}
        table |= {} if self.preset is None else {"cohort": cohort}
        return config.from_table(table, "learner")


_TRAINER: Table = {
    "name": "supervised",
    "valid_ratio": 0.05,
    "epochs": 8,
    "schedule": "cosine",
    "augment": {"pad": 1},
}


def compare(
    about: str, learners: Mapping[str, Learner], contrasts: Sequence[Contrast], count: int
) -> None:
    """Train all learners as the command line asks, seed by seed, and print the tables.

    Args:
        about: What the script is, in its first line.
        learners: By the name of the arm.
        contrasts: Fixed before the runs.
        count: Of seeds, unless the command line says otherwise.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    add_options(parser, seeds=count)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arms = {name: _arm(name, one, Path(folder)) for name, one in learners.items()}
        records = recorded(arms, options.seeds, options.record)
    print("accuracy of the student on test data after the last step, percent")
    print(summary(records, arms, {"final": 2, "gigamacs": 1, "seconds": 1}))
    print(contrast_table(records, contrasts, seeds.stream(0, "bootstrap")))


def _arm(name: str, learner: Learner, folder: Path) -> Arm:
    def run(seed: int) -> Table:
        data = Digits(seed=seed, wrong=learner.wrong).file(folder / f"{learner.wrong:g}-{seed}")
        member = learner.trained(data, seed, name)
        return {"final": accuracy(member), **cost(member)}

    return run


def cost(*members: Member) -> Mapping[str, float]:
    """Return what trainings cost: multiply-accumulates, those of the cohort too; CPU seconds."""
    costs = [member.evaluation.cost for member in members]
    return {
        "gigamacs": sum(one.macs for one in costs) / 1e9,
        "seconds": sum(one.seconds for one in costs),
    }


def accuracy(member: Member, view: str | None = None) -> float:
    """Return the accuracy on the test data, in percent, of what was handed over."""
    device, data = devices.best(), prepared_of(member)
    context = Context(device, torch.float32, 0, data, None, lambda *_, **__: None)
    model = member.model(view).to(device)
    return 100 * member.found.run.trainer.test(model, context)["accuracy"]


def prepared_of(member: Member) -> Mapping[str, Tensor]:
    """Return the data of its search."""
    prepared = store.load_prepared(member.found.folder)
    assert prepared is not None, "the search has prepared the data"
    return prepared


def small_network(widths: Sequence[int] = (4, 8, 16)) -> nn.Module:
    """Return convolutions with batch norms, a pool between two of them, and a linear layer."""
    layers: list[nn.Module] = []
    for number, (given, made) in enumerate(pairwise((1, *widths))):
        layers += [nn.MaxPool2d(2)] if number else []
        layers += [nn.Conv2d(given, made, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(made), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], CLASSES)]
    return nn.Sequential(*layers, *head)


SMALL: Table = {"name": "adopted", "network": "cohort_learners:small_network"}
"""The space whose seed is `small_network`."""

TEACHER: Table = {"teacher": {"width": 4.0}}
"""A network four times as wide as the seed, trained as that is."""
