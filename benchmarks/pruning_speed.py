"""What pruning costs in training.

    python benchmarks/pruning_speed.py

The first table has, for every preset of the rule `soft`, how much the slot adds to a training step,
in percent of the step without it: once with an event every 16 steps, as by default, and once every
100 (wanted: at most 3). The slot's calls are timed inside one training from beginning to end, since
two trainings in turns differ by more than that through other work on the machine.

The second table has what steps of the other rules take, in turns with steps without a slot (wanted:
DCIL at most 1.8 times DPF): medians, and quartiles in brackets. Two paths are two networks' work.

Batches of 64, one thread, CPU time; half of the MACs, or of the single weights, are pruned.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import final

import torch
from halved import CLASSES, CPU, Task, fresh, in_turns, plain_task, plan_of, ratio, residual_task
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from evonas import devices, plugins
from evonas.genome import Genome
from evonas.genome.schedule import Schedule
from evonas.preset import Preset
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.slots import Pruner, Pruning

SOFT = ("hfp", "gradual", "sfp", "asfp", "srfp", "asrfp", "ghfp")
OTHERS = ("dpf", "dcil", "set", "rigl")
INTERVAL, LONG_INTERVAL = 16, 100


def tasks() -> list[Task]:
    """Return what is looked at."""
    resnet20 = residual_task("ResNet-20", (16, 32, 64), 3, "inner")
    return [plain_task(8, 1, 16), plain_task(28, 1, 32), resnet20]


@final
class Training:
    """A training under way, which goes on some steps at a time.

    Attributes:
        between: CPU seconds of the slot's calls and of the rest, in steps without an event.
        events: The same in steps with one.
    """

    def __init__(
        self, genome: Genome, inputs: Tensor, steps: int, schedule: Schedule | None
    ) -> None:
        self.model, self.inputs, self.steps = fresh(genome).train(), inputs, steps
        self.targets = torch.arange(len(inputs)) % CLASSES
        self.done = 0
        self.between, self.events = [0.0, 0.0], [0.0, 0.0]
        self.pruner: Pruner | None = None
        modules = [self.model]
        if schedule is not None:
            rule = plugins.construct(Pruning, schedule.rule, "rule")
            draws = torch.Generator().manual_seed(0)
            self.pruner = rule.start(self.model, plan_of(genome), draws)
            modules.append(self.pruner.companion)
        self.optimizer: Optimizer = OptimizerSettings(lr=0.01).build(modules, CPU)

    def go_on(self, steps: int) -> None:
        """Do some steps as the supervised loop does them."""
        for _ in range(steps):
            start, progress = time.process_time(), self.done / self.steps
            if self.pruner is None:
                loss = self.criterion(self.model(self.inputs))
            else:
                loss = self.pruner.loss(self.inputs, self.criterion, progress)
            self.optimizer.zero_grad()
            loss.backward()
            spent = 0.0
            if self.pruner is not None:
                spent += _timed(self.pruner.before_step, self.optimizer, progress)
            self.optimizer.step()
            if self.pruner is not None:
                spent += _timed(self.pruner.after_step, self.optimizer, progress)
            kind = self.between if self.done % INTERVAL else self.events
            kind[0] += spent
            kind[1] += time.process_time() - start - spent
            self.done += 1

    def criterion(self, outputs: Tensor) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(outputs, self.targets)

    def added(self, interval: int) -> float:
        """Return what the slot adds to a step, in percent, with so many steps to an event."""
        between, event = (spent / rest for spent, rest in (self.between, self.events))
        return 100 * ((interval - 1) * between + event) / interval


def _timed(
    call: Callable[[Optimizer, float], None], optimizer: Optimizer, progress: float
) -> float:
    start = time.process_time()
    call(optimizer, progress)
    return time.process_time() - start


def schedule_of(preset: str) -> Schedule:
    """Return the schedule of a preset, with its defaults but for the interval."""
    found = plugins.construct(Preset, preset, "preset").schedule()
    return replace(found, interval=INTERVAL)


def print_soft(rounds: int) -> None:
    """Print what the slot adds, both intervals in a cell."""
    print(f"| network | {' | '.join(SOFT)} |" + "\n" + "|---" * (len(SOFT) + 1) + "|")
    for task in tasks():
        cells: list[str] = []
        for preset in SOFT:
            schedule = schedule_of(preset)
            genome, steps = task.halved(schedule), INTERVAL * rounds
            training = Training(genome, task.pictures(), steps, schedule)
            training.go_on(steps)
            cells.append(f"{training.added(INTERVAL):.1f} / {training.added(LONG_INTERVAL):.1f}")
        print(f"| {task.name} | {' | '.join(cells)} |", flush=True)


def print_others(rounds: int) -> None:
    """Print times a step without a slot."""
    print(f"| network | {' | '.join(OTHERS)} | dcil / dpf |" + "\n" + "|---" * 6 + "|")
    for task in tasks():
        inputs, steps = task.pictures(), INTERVAL * (rounds + 1)
        trainings = {"": Training(task.genome, inputs, steps, None)}
        for preset in OTHERS:
            schedule = schedule_of(preset)
            trainings[preset] = Training(task.halved(schedule), inputs, steps, schedule)
        times = in_turns({name: way(training) for name, training in trainings.items()}, rounds)
        cells = [ratio(times[preset], times[""]) for preset in OTHERS]
        cells.append(ratio(times["dcil"], times["dpf"]))
        print(f"| {task.name} | {' | '.join(cells)} |", flush=True)


def way(training: Training) -> Callable[[], object]:
    """Return what is timed: the steps from one event to the next."""
    return lambda: training.go_on(INTERVAL)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="of 16 steps")
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    print_soft(given.rounds)
    print_others(given.rounds)


if __name__ == "__main__":
    main()
