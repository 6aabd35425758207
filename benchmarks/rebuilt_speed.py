"""What pruning is worth in seconds, and what it costs in training.

    python benchmarks/rebuilt_speed.py inference
    python benchmarks/rebuilt_speed.py training

`inference` compares networks rebuilt at half the MACs with what they were pruned from, at batch 64
(wanted: 1.6 times as fast). All groups keep one share of their channels. In the residual networks
that is done once for channels inside blocks alone (`inner`) and once for all (`coupled`). `even`
is the same with counts rounded to multiples of 8, which the kernels like better: its MACs differ.

`training` compares training steps with and without each method (wanted: at most 1.03 times the
time for filter methods; DCIL at most 1.8 times the straight-through DPF).

One thread; CPU seconds; whatever is compared runs in turns in one process that keeps freed memory,
as evonas's workers do. Ratios are those of neighbours in time: medians, and quartiles in brackets.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from networks import resnet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from evonas import devices, measure, plugins
from evonas.genome import Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Residual, Schedule
from evonas.morph.build import build
from evonas.morph.keep import Prunable, fitted
from evonas.morph.planned import planned
from evonas.morph.repair import repaired
from evonas.networks import Signature
from evonas.preset import Preset
from evonas.pruning_plan import PruningPlan
from evonas.state import State
from evonas_spaces.eena import Eena
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.slots import Pruner, Pruning

CPU = torch.device("cpu")
BATCH = 64
CLASSES = 10
METHODS = ("hfp", "gradual", "sfp", "asfp", "srfp", "asrfp", "ghfp", "dpf", "dcil", "set", "rigl")
INTERVALS = (16, 100)
EVEN = 8


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


def plain_task(size: int, channels: int, width: int) -> Task:
    """Return a network of the EENA space."""
    space = Eena(stem=width, width=width, last=2 * width, mirrored=False)
    shape = (channels, size, size)
    genome = space.seed({"net": Signature(shape, (CLASSES,))})
    return Task(f"EENA seed, width {width}, {size}x{size}", shape, genome)


def residual_task(name: str, widths: Sequence[int], blocks: int, residual: Residual) -> Task:
    """Return a ResNet for 32x32 pictures."""
    shape = (3, 32, 32)
    genome = resnet(shape, widths, blocks, CLASSES, identity=False)
    return Task(f"{name}, {residual}", shape, genome, residual)


def inference_tasks() -> list[Task]:
    """Return what `inference` looks at."""
    residuals: tuple[Residual, ...] = ("inner", "coupled")
    return [
        plain_task(28, 1, 64),
        plain_task(32, 3, 64),
        plain_task(32, 3, 128),
        *(residual_task("ResNet-20", (16, 32, 64), 3, residual) for residual in residuals),
        *(residual_task("ResNet-18", (64, 128, 256, 512), 2, residual) for residual in residuals),
    ]


def training_tasks() -> list[Task]:
    """Return what `training` looks at."""
    residual20 = residual_task("ResNet-20", (16, 32, 64), 3, "inner")
    return [plain_task(8, 1, 32), plain_task(28, 1, 32), residual20]


def half(task: Task, *, even: bool) -> Mapping[str, Kept]:
    """Return counts, of one share of all groups, with half of the MACs."""
    prunable = Prunable.of(task.genome, task.residual)
    full = {name: Kept(size, size) for name, size in prunable.sizes.items()}
    kept = repaired(prunable, full, ("macs", macs(task.genome, task) / 2), 0.0)
    if not even:
        return kept
    return {
        name: Kept(min(one.width, max(EVEN, EVEN * round(one.keep / EVEN))), one.width)
        for name, one in kept.items()
    }


def macs(genome: Genome, task: Task) -> float:
    """Return the MACs of a network."""
    with torch.device("meta"):
        model = build(genome)
        return measure.static(model, {"net": Signature(task.shape, (CLASSES,))})["macs"]


def with_genes(task: Task, schedule: Schedule, kept: Mapping[str, Kept]) -> Genome:
    """Return the dense network with genes."""
    return PruningGenes(schedule=replace(schedule, residual=task.residual), kept=kept).put_into(
        task.genome
    )


def pictures(task: Task) -> Tensor:
    """Return a batch of noise."""
    draws = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, *task.shape, generator=draws).to(memory_format=torch.channels_last)


def fresh(genome: Genome) -> nn.Module:
    """Return a network with the weights that seed 0 gives it."""
    with devices.seeded(0, CPU):
        return build(genome).to(memory_format=torch.channels_last)


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


def print_inference(repeats: int) -> None:
    """Print a line for each network."""
    print("| network, channels pruned | MACs, millions | dense, ms | rebuilt, ms | times as fast |", end="")
    print(" even: MACs | times as fast |\n" + "|---" * 7 + "|")
    for task in inference_tasks():
        small = {even: rebuilt(task, even=even) for even in (False, True)}
        networks = {"dense": fresh(task.genome), "half": small[False], "even": small[True]}
        inputs = pictures(task)

        def way(name: str, networks: Mapping[str, nn.Module], inputs: Tensor) -> Callable[[], object]:
            return lambda: networks[name](inputs)

        for network in networks.values():
            network.eval()
        with torch.inference_mode():
            times = in_turns({name: way(name, networks, inputs) for name in networks}, repeats)
        whole = macs(task.genome, task)
        shares = [counted(small[even], task) / whole for even in (False, True)]
        dense, less = (1000 * statistics.median(times[name]) for name in ("dense", "half"))
        print(
            f"| {task.name} | {whole / 1e6:.1f}, of which {shares[0]:.3f} stay"
            f" | {dense:.1f} | {less:.1f} | {ratio(times['dense'], times['half'])}"
            f" | {shares[1]:.3f} | {ratio(times['dense'], times['even'])} |",
            flush=True,
        )


def rebuilt(task: Task, *, even: bool) -> nn.Module:
    """Return the network that pruning hands over."""
    genome = with_genes(task, Schedule(), half(task, even=even))
    plan = planned(genome, build)
    assert plan is not None, "genes are pending"
    model, _ = plan.compacted(State.of(fresh(genome)))
    return model.to(memory_format=torch.channels_last)


def counted(model: nn.Module, task: Task) -> float:
    """Return the MACs of a built network."""
    return measure.static(model, {"net": Signature(task.shape, (CLASSES,))})["macs"]


@final
class Training:
    """A training under way, with or without a pruner, that goes on a few steps at a time."""

    def __init__(self, genome: Genome, inputs: Tensor, steps: int, plan: PruningPlan | None) -> None:
        self.model, self.inputs, self.steps = fresh(genome), inputs, steps
        self.targets = torch.arange(len(inputs)) % CLASSES
        self.done = 0
        self.pruner: Pruner | None = None
        modules = [self.model]
        if plan is not None:
            rule = plugins.construct(Pruning, plan.schedule.rule, "rule")
            self.pruner = rule.start(self.model, plan, torch.Generator().manual_seed(0))
            modules.append(self.pruner.companion)
        self.optimizer: Optimizer = OptimizerSettings(lr=0.01).build(modules, CPU)

    def go_on(self, steps: int) -> None:
        """Do some steps as the supervised loop does them."""
        self.model.train()
        for _ in range(steps):
            progress = self.done / self.steps
            if self.pruner is None:
                loss = self.criterion(self.model(self.inputs))
            else:
                loss = self.pruner.loss(self.inputs, self.criterion, progress)
            self.optimizer.zero_grad()
            loss.backward()
            if self.pruner is not None:
                self.pruner.before_step(self.optimizer, progress)
            self.optimizer.step()
            if self.pruner is not None:
                self.pruner.after_step(self.optimizer, progress)
            self.done += 1

    def criterion(self, outputs: Tensor) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(outputs, self.targets)


def print_training(rounds: int) -> None:
    """Print a line for each network and interval; a round is as many steps as an interval."""
    print("| network, interval | " + " | ".join((*METHODS, "dcil / dpf")) + " |")
    print("|---" * (len(METHODS) + 2) + "|")
    for task in training_tasks():
        for interval in INTERVALS:
            total = max(2, rounds * INTERVALS[0] // interval)
            times = steps_in_turns(task, interval, total)
            cells = [ratio(times[method], times[""]) for method in METHODS]
            cells.append(ratio(times["dcil"], times["dpf"]))
            print(f"| {task.name}, {interval} | " + " | ".join(cells) + " |", flush=True)


def steps_in_turns(task: Task, interval: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of rounds of `interval` steps, by method; none is called nothing."""
    inputs, steps = pictures(task), interval * (rounds + 1)
    trainings = {"": Training(task.genome, inputs, steps, None)}
    for method in METHODS:
        preset = plugins.construct(Preset, method, "preset")
        genome = half_pruned(task, replace(preset.schedule(), interval=interval))
        plan = planned(genome, build)
        assert plan is not None, "genes are pending"
        trainings[method] = Training(genome, inputs, steps, plan)

    def way(training: Training) -> Callable[[], object]:
        return lambda: training.go_on(interval)

    return in_turns({name: way(training) for name, training in trainings.items()}, rounds)


def half_pruned(task: Task, schedule: Schedule) -> Genome:
    """Return the network with genes for half of the MACs, or half of the single weights."""
    if schedule.granularity == "filter":
        return with_genes(task, schedule, half(task, even=False))
    full = fitted(task.genome, PruningGenes(schedule=schedule))
    kept = {name: Kept(max(1, one.width // 2), one.width) for name, one in full.items()}
    return with_genes(task, schedule, kept)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", choices=("inference", "training"))
    parser.add_argument("--repeats", type=int, default=40, help="paired runs, or rounds of 16 steps")
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    (print_inference if given.table == "inference" else print_training)(given.repeats)


if __name__ == "__main__":
    main()
