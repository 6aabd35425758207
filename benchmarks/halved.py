"""The networks whose speed the pruning benchmarks measure, and genes that halve them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from networks import resnet
from torch import Tensor, nn

from evonas import devices
from evonas.genome import Genome
from evonas.genome.cost import macs
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Residual, Schedule
from evonas.morph.build import build
from evonas.morph.keep import Prunable, fitted
from evonas.morph.planned import planned
from evonas.morph.repair import repaired
from evonas.networks import Signature
from evonas.pruning_plan import PruningPlan
from evonas_spaces.eena import Eena

CPU = torch.device("cpu")
BATCH = 64
CLASSES = 10


@final
@dataclass(frozen=True)
class Task:
    """A network and its inputs.

    Attributes:
        name: Of the network.
        shape: Of an input.
        genome: The dense network.
        residual: See `evonas.genome.schedule.Schedule`.
    """

    name: str
    shape: tuple[int, int, int]
    genome: Genome
    residual: Residual = "inner"

    @property
    def macs(self) -> int:
        """Of the dense network."""
        return macs(self.genome.architecture["net"])

    def halved(self, schedule: Schedule) -> Genome:
        """Return the network with genes for half of its MACs, or of its single weights.

        All groups keep one share of their channels, or all layers half of their weights.
        """
        schedule = replace(schedule, residual=self.residual)
        full = fitted(self.genome, PruningGenes(schedule=schedule))
        if schedule.granularity == "weight":
            kept = {name: Kept(max(1, one.width // 2), one.width) for name, one in full.items()}
        else:
            prunable = Prunable.of(self.genome, self.residual)
            kept = repaired(prunable, full, ("macs", self.macs / 2), 0.0)
        return PruningGenes(schedule=schedule, kept=kept).put_into(self.genome)

    def pictures(self) -> Tensor:
        """Return a batch of noise."""
        draws = torch.Generator().manual_seed(1)
        batch = torch.randn(BATCH, *self.shape, generator=draws)
        return batch.to(memory_format=torch.channels_last)


def plain_task(size: int, channels: int, width: int) -> Task:
    """Return the seed of the EENA space, its last layer twice as wide as the others."""
    space = Eena(stem=width, width=width, last=2 * width, mirrored=False)
    shape = (channels, size, size)
    genome = space.seed({"net": Signature(shape, (CLASSES,))})
    return Task(f"EENA seed, width {width}, {size}x{size}", shape, genome)


def residual_task(name: str, widths: Sequence[int], blocks: int, residual: Residual) -> Task:
    """Return a ResNet for 32x32 pictures."""
    shape = (3, 32, 32)
    genome = resnet(shape, widths, blocks, CLASSES, identity=False)
    return Task(f"{name}, {residual}", shape, genome, residual)


def fresh(genome: Genome) -> nn.Module:
    """Return a network with the weights that seed 0 gives it."""
    with devices.seeded(0, CPU):
        return build(genome).to(memory_format=torch.channels_last)


def plan_of(genome: Genome) -> PruningPlan:
    """Return the plan of a network with genes."""
    plan = planned(genome, build)
    assert plan is not None, "genes are pending"
    return plan


def in_turns(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each way, by repeat; the order turns around every time."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(-1, repeats):
        for way in sorted(ways, reverse=repeat % 2 == 1):
            start = time.process_time()
            ways[way]()
            if repeat >= 0:
                found[way].append(time.process_time() - start)
    return found


def ratio(slow: Sequence[float], fast: Sequence[float]) -> str:
    """Return the ratio of neighbours in time: median and quartiles."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
