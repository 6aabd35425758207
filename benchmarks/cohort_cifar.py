"""Cohorts on CIFAR-10: a public ResNet-20 as the teacher, mutual contrast, nested depths.

    python benchmarks/cohort_cifar.py --packed DATA --weights resnet20-12fca82f.th

Every arm is a search of one birth as a run file has it, with a fixed cohort or none; arms of a seed
have the same pictures, the same first weights where they have the same network, and equal steps.
What is judged is what the run hands over after its last step, by test pictures that decide nothing.

- `resnet8`: one block a stage, 8 channels in the first stage, alone;
- `kd`: the same with the teacher, which was trained on all 50,000 training pictures, those of the
  student's validation among them, and so only the test pictures are new to it;
- `sampler`: the same on the batches of `mcl`, which have two of every class, and without its terms;
- `mcl`: with one peer, and all five terms;
- `resnet14`: two blocks a stage, alone;
- `ddnn`: the same with its first blocks as a sub-network, which is `resnet8`.

The teacher's weights are those of https://github.com/akamaster/pytorch_resnet_cifar10.
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import excerpt
import torch
from ledger import add_options, recorded
from networks import resnet
from paired import Contrast, contrast_table, summary
from resnet20_pruning import MEAN, SHAPE, STD, trained_weights
from torch import nn

from evonas import api, devices, plugins, seeds, store
from evonas.api import Member
from evonas.morph.build import build
from evonas.trainer import Context, Trainer
from evonas_trainers import sources
from evonas_trainers.sources import Source

Table = Mapping[str, Any]

NUM_TRAIN, NUM_VALID, NUM_TEST, CLASSES = 2000, 100, 5000, 10
TRAINER: Table = {
    "name": "supervised",
    "valid_ratio": NUM_VALID / (NUM_TRAIN + NUM_VALID),
    "batch_size": 32,
    "optimizer": {"lr": 0.05},
    "schedule": "cosine",
    "augment": {"flip": True},
}
ALONE: Table = dict.fromkeys(("vcl", "icl", "soft_vcl", "soft_icl", "logits"), 0.0)


@final
@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to train a network.

    Attributes:
        blocks: Of the network, in every stage.
        preset: Of the cohort; None for none.
        is_taught: Whether the cohort has the teacher.
    """

    blocks: int = 1
    preset: Table | None = None
    is_taught: bool = False


ARMS: Mapping[str, Arm] = {
    "resnet8": Arm(),
    "kd": Arm(preset={"name": "kd"}, is_taught=True),
    "sampler": Arm(preset={"name": "mcl", **ALONE}),
    "mcl": Arm(preset={"name": "mcl"}),
    "resnet14": Arm(blocks=2),
    "ddnn": Arm(blocks=2, preset={"name": "ddnn"}),
}
CONTRASTS = (
    Contrast("final", "kd", "resnet8"),
    Contrast("final", "mcl", "sampler"),
    Contrast("final", "ddnn, depth 1", "resnet8"),
    Contrast("final", "ddnn", "resnet14", margin=1.0),
)


@final
@dataclass(frozen=True)
class Task:
    """Where everything is, and how long to train."""

    source: Source
    weights: Path
    folder: Path
    epochs: int

    def data(self, seed: int) -> Path:
        """Return a file of some pictures, others with each seed."""
        file = self.folder / f"{seed}.npz"
        if file.exists():
            return file
        draws = seeds.stream(seed, "pictures")
        return excerpt.write(file, self.source, NUM_TRAIN + NUM_VALID, NUM_TEST, draws)

    def table(self, arm: Arm, seed: int) -> Table:
        """Return the run file of an arm."""
        trainer = {**TRAINER, "data": str(self.data(seed)), "epochs": self.epochs}
        table: Table = {
            "births": 1,
            "seed": seed,
            "objectives": {"error": "min"},
            "space": {"name": "depths", "blocks": arm.blocks, "width": 8},
            "trainer": trainer,
            "executor": "serial",
            "tracker": "none",
            "durability": "flush",
        }
        if arm.preset is None:
            return table
        cohort: Table = {"preset": arm.preset, "operators": []}
        if arm.is_taught:
            cohort = {**cohort, "teachers": {"teacher": self._teacher(trainer, seed)}}
        return {**table, "cohort": cohort}

    def _teacher(self, trainer: Table, seed: int) -> Table:
        prepared = plugins.construct(Trainer, trainer, "trainer").prepare(seed)
        moments = {name: prepared[name].tolist() for name in ("mean", "std")}
        arguments = {"weights": str(self.weights), **moments}
        return {"network": "cohort_cifar:teacher", "arguments": arguments}


def teacher(weights: str, mean: list[float], std: list[float]) -> nn.Module:
    """Return the ResNet-20 behind a map of the trainer's inputs to those that it was trained on."""
    genome = resnet(SHAPE, (16, 32, 64), 3, CLASSES, identity=True)
    network = build(genome)
    network.load_state_dict(dict(trained_weights(Path(weights)).tensors))
    scale = torch.tensor(std) / 255 / torch.tensor(STD)
    shift = (torch.tensor(mean) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    inputs = nn.Conv2d(3, 3, 1)
    inputs.load_state_dict({"weight": torch.diag(scale)[:, :, None, None], "bias": shift})
    return nn.Sequential(inputs, network)


def run(task: Task, name: str, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed; return accuracies in percent, and what the training cost."""
    found = api.search(task.table(ARMS[name], seed), out=task.folder / name / str(seed))
    member = found.member(0)
    views = {"depth 1": "depth1"} if name == "ddnn" else {}
    cost = member.evaluation.cost
    return {
        "final": accuracy(member, None),
        "views": {shown: accuracy(member, view) for shown, view in views.items()},
        "teramacs": cost.macs / 1e12,
        "seconds": cost.seconds,
        "diagnosis": dict(member.evaluation.curve[-1][1]),
    }


def accuracy(member: Member, view: str | None) -> float:
    """Return the accuracy on the test data, in percent, of what was handed over."""
    prepared = store.load_prepared(member.found.folder)
    assert prepared is not None, "the search has prepared the data"
    device = devices.best()
    context = Context(device, torch.float32, 0, prepared, None, lambda *_, **__: None)
    model = member.model(view).to(device)
    return 100 * member.found.run.trainer.test(model, context)["accuracy"]


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packed", type=Path, help="folder of packed data sets")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder for downloads")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    add_options(parser, seeds=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    source = sources.read("cifar10", given.root, 32, given.packed)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(source, given.weights.resolve(), Path(folder), given.epochs)
        arms = {name: partial(run, task, name) for name in given.arms}
        records = list(recorded(arms, given.seeds, given.record))
    for record in tuple(records):
        records += [
            {**record, "arm": f"{record['arm']}, {view}", "final": found}
            for view, found in record["views"].items()
        ]
    shown = {"final": 2, "teramacs": 2, "seconds": 0}
    print(summary(records, [*ARMS, "ddnn, depth 1"], shown))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
