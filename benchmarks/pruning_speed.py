"""What pruning while training adds to a step.

    python benchmarks/pruning_speed.py

Prints, for each preset, the time that the slot takes in per cent of the rest of a training step:
batches of 64, one thread, the median of the ratios of rounds of 32 steps, in CPU time, so that
other work on the machine weighs on both sides. Wanted: at most 3 %. Half of the channels of every
layer are pruned; events come every 16 steps, as by default, and are counted in.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from evonas import devices
from evonas.genome.schedule import Schedule
from evonas.plugins import construct, names
from evonas.preset import Preset
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas.state import State
from evonas_trainers.pruning.soft import Soft

BATCH, STEPS, WARM_UP = 64, 32, 2
WIDTHS: dict[str, tuple[tuple[int, ...], tuple[int, int, int]]] = {
    "digits": ((16, 16, 32, 32), (1, 8, 8)),
    "fashion": ((16, 16, 32, 32, 64), (1, 28, 28)),
    "cifar": ((32, 32, 64, 64, 128, 128), (3, 32, 32)),
}
Phase = Literal["first", "middle", "last"]
PROGRESS: dict[Phase, float] = {"first": 0.1, "middle": 0.5, "last": 0.9}


def network(widths: tuple[int, ...], inputs: int) -> nn.Sequential:
    """Convolutions, each with its batch norm, at half the resolution after every second."""
    layers: list[nn.Module] = []
    for place, width in enumerate(widths):
        layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        layers += [nn.ReLU(), nn.MaxPool2d(2) if place % 2 else nn.Identity()]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def halved(schedule: Schedule, widths: tuple[int, ...]) -> PruningPlan:
    """Return the plan that halves every layer of `network`."""

    def compacted(state: State) -> tuple[nn.Module, State]:
        return nn.Identity(), state

    groups: list[PlannedGroup] = []
    for place, width in enumerate(widths):
        rows = np.arange(width)[:, None]
        weight, norm, last = f"{4 * place}.weight", f"{4 * place + 1}", place + 1 == len(widths)
        reader = f"{4 * place + (6 if last else 4)}.weight"
        groups.append(
            PlannedGroup(
                name=weight,
                size=width,
                keep=width // 2,
                weights={weight: rows},
                rows={weight: rows, f"{norm}.weight": rows, f"{norm}.bias": rows},
                norms=(f"{norm}.weight",),
                columns={reader: rows},
            )
        )
    return PruningPlan(schedule=schedule, groups=tuple(groups), compacted=compacted)


def training(data: str, schedule: Schedule, phase: Phase) -> Callable[[], float]:
    """Return what trains for a round, as at one time of a training; it returns the slot's ratio."""
    widths, shape = WIDTHS[data]
    with devices.seeded(0, torch.device("cpu")):
        model = network(widths, shape[0]).to(memory_format=torch.channels_last)
        inputs, labels = torch.randn(BATCH, *shape), torch.randint(10, (BATCH,))
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, fused=True)
    pruner = Soft().start(model, halved(schedule, widths), torch.Generator())

    def train() -> float:
        spent = 0.0
        start = time.thread_time()
        for _ in range(STEPS):
            loss = F.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            spent += _timed(lambda: pruner.before_step(optimizer, PROGRESS[phase]))
            optimizer.step()
            spent += _timed(lambda: pruner.after_step(optimizer, PROGRESS[phase]))
        return spent / (time.thread_time() - start - spent)

    return train


def _timed(work: Callable[[], None]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", choices=WIDTHS, nargs="*", default=["digits", "fashion"])
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    schedules = {
        name: construct(Preset, name, "preset").schedule() for name in sorted(names(Preset))
    }
    schedules = {name: found for name, found in schedules.items() if found.rule["name"] == "soft"}
    schedules["sfp, no cap"] = replace(schedules["sfp"], regrowth_cap=0.0)
    for data in asked.data:
        for phase in PROGRESS:
            print(f"{data}, {phase} part of the training")
            for name, schedule in schedules.items():
                train = training(data, schedule, phase)
                ratios = [train() for _ in range(WARM_UP + asked.rounds)][WARM_UP:]
                print(f"  {name:12} {100 * statistics.median(ratios):4.1f} %")


if __name__ == "__main__":
    main()
