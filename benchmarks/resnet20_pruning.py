"""Half the channels of a trained ResNet-20 go on CIFAR-10, in one short training a schedule.

All arms start from the same public weights, prune the same share of the channels inside the blocks,
so that the rebuilt networks have equal MACs, and train for equally many steps. `sfp, published`
leaves gradients and momentum of pruned filters as they are; the others have the library's defaults.
The shortcuts of the paper's option A are convolutions here, which train along. The weights were
trained on all 50,000 training pictures, so nothing may be selected by any of those, for any arm
alike; the test pictures are new to them and decide nothing. The last gap is the wide network's
accuracy, as the last step left it, less that of the one that is handed over; norms are re-estimated
before both.

    python benchmarks/resnet20_pruning.py --packed DATA --weights resnet20-12fca82f.th

The weights are those of https://github.com/akamaster/pytorch_resnet_cifar10.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from course import followed
from ledger import add_options, recorded
from networks import option_a, resnet, with_genes
from paired import Contrast, contrast_table, summary
from pruned_training import Candidate, Recipe, Task, accuracy
from torch import Tensor

from evonas import devices, seeds
from evonas.genome import Genome
from evonas.genome.cost import macs
from evonas.morph.compact import closed
from evonas.preset import Preset
from evonas.state import State
from evonas_trainers import sources
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.pruning.presets import Ghfp, Hfp, Sfp
from evonas_trainers.sources import Labelled, Source

NUM_TRAIN, NUM_TEST, INTERVAL = 2000, 1000, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHAPE = (3, 32, 32)
RECIPE = Recipe(
    epochs=2,
    batch_size=50,
    optimizer=OptimizerSettings(lr=0.02),
    milestones=(0.5, 0.8),
)
PRESETS: Mapping[str, Preset] = {
    "hfp": Hfp(interval=INTERVAL),
    "sfp, published": Sfp(interval=INTERVAL, regrowth_cap=0.0, momentum_reset=False),
    "sfp": Sfp(interval=INTERVAL),
    "ghfp": Ghfp(interval=INTERVAL),
}
CONTRASTS = (
    Contrast("final", "sfp", "sfp, published"),
    Contrast("last_gap", "ghfp", "sfp, published"),
    Contrast("final", "ghfp", "sfp"),
    Contrast("final", "ghfp", "hfp"),
)
COLUMNS = {"revived": 1, "most_revived": 1, "final": 2, "last_gap": 2}


def trained_weights(path: Path) -> State:
    """Read the weights, and add those of the shortcuts."""
    found: Mapping[str, Tensor] = torch.load(path, "cpu", weights_only=True)["state_dict"]
    tensors = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    shortcuts = {f"layer{n}.0.shortcut.weight": option_a(width) for n, width in ((2, 32), (3, 64))}
    return State({**tensors, **shortcuts})


def task_of(source: Source, seed: int) -> Task:
    """Return some training pictures, others with each seed, and always the same test pictures."""
    assert source.test is not None, "CIFAR-10 has test pictures"
    train = _some(source.train, NUM_TRAIN, seeds.stream(seed, "train"))
    test = _some(source.test, NUM_TEST, seeds.stream(0, "test"))
    return Task(seed, *_tensors(train), *_tensors(test), flip=True)


def run(genome: Genome, source: Source, weights: State, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    task = task_of(source, seed)
    candidate = Candidate.of(genome, task, weights)
    return followed(candidate, task, RECIPE, RECIPE.epochs * RECIPE.steps_an_epoch(task))


def _some(labelled: Labelled, number: int, rng: seeds.Rng) -> Labelled:
    """Return so many samples in random order: published files may be sorted by class."""
    chosen = rng.permutation(len(labelled.labels))[:number]
    return Labelled(labelled.inputs[chosen], labelled.labels[chosen])


def _tensors(labelled: Labelled) -> tuple[Tensor, Tensor]:
    """Return pictures as the weights know them, and labels."""
    device = devices.best()
    mean, std = torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
    pictures = torch.as_tensor(labelled.inputs, device=device).float().div(255).sub(mean).div(std)
    return pictures.permute(0, 3, 1, 2), torch.as_tensor(labelled.labels, device=device).long()


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packed", type=Path, help="folder of packed data sets")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder for downloads")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--ratio", type=float, default=0.5, help="share of channels that goes")
    add_options(parser, seeds=5)
    options = parser.parse_args()
    source = sources.read("cifar10", options.root, 32, options.packed)
    weights, dense = (
        trained_weights(options.weights),
        resnet(SHAPE, (16, 32, 64), 3, 10, identity=True),
    )
    genomes = {
        name: with_genes(dense, preset.schedule(), options.ratio)
        for name, preset in PRESETS.items()
    }
    arms = {name: partial(run, genome, source, weights) for name, genome in genomes.items()}
    records = recorded(arms, options.seeds, options.record)
    task = task_of(source, 0)
    before = accuracy(Candidate.of(dense, task, weights).model, task, recalibrate=False)
    small = closed(genomes["hfp"])
    share = macs(small.architecture["net"]) / macs(dense.architecture["net"])
    print(f"before: {before:.1f} percent; MACs that stay: {share:.1%}")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
