"""What a step costs in a cohort, against steps of the same networks alone.

    python benchmarks/cohort_speed.py

Times are ratios of neighbours in turns: a step of two networks over two plain steps (wanted: at
most 1.15 for `mcl`), and one that has a teacher, of the student's size, over a plain step and the
teacher's forward pass. `two, alone` are two networks on the batches of `mcl` without any of its
terms: what is left is the machinery. One thread, CPU time.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

import torch
from halved import CLASSES, CPU, Task, fresh, in_turns, plain_task, ratio, residual_task
from torch import Tensor
from torch.nn import functional as F

from evonas import devices, plugins
from evonas.cohort_plan import CohortPlan
from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE
from evonas.genome.taps import network_taps
from evonas_trainers.distillation.learning.training import CohortTraining, Lent
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.slots import Batch

STEPS, BATCHES = 4, 32
"""Steps of a turn; batches of an epoch, of which the last is diagnosed."""
NOTHING = dict.fromkeys(("vcl", "icl", "soft_vcl", "soft_icl", "logits"), 0.0)
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "two, alone": {"name": "mcl", **NOTHING},
    "dml": {"name": "dml"},
    "mcl": {"name": "mcl"},
    "kd": {"name": "kd"},
}


def tasks() -> list[Task]:
    """Return what is looked at."""
    resnet20 = residual_task("ResNet-20", (16, 32, 64), 3, "inner")
    return [plain_task(8, 1, 16), plain_task(28, 1, 32), resnet20]


@final
class Plain:
    """A training of one network, which goes on some steps at a time."""

    def __init__(self, task: Task, data: Mapping[str, Tensor], batch_size: int) -> None:
        self.model, self._data, self._size = fresh(task.genome).train(), data, batch_size
        self._optimizer = OptimizerSettings(lr=0.01).build([self.model], CPU)
        self._draws = torch.Generator().manual_seed(0)

    def go_on(self) -> None:
        """Do some steps as the supervised loop does them."""
        for _ in range(STEPS):
            batch = picked(self._data, self._rows())
            loss = F.cross_entropy(self.model(batch.inputs), batch.targets)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def go_forward(self) -> None:
        """Do some forward passes as a teacher does them."""
        with torch.no_grad():
            for _ in range(STEPS):
                self.model.eval()(picked(self._data, self._rows()).inputs)

    def _rows(self) -> Tensor:
        return torch.randperm(len(self._data["train_y"]), generator=self._draws)[: self._size]


@final
class Together:
    """A training of a cohort, which goes on some steps at a time."""

    def __init__(
        self, task: Task, data: Mapping[str, Tensor], batch_size: int, preset: Mapping[str, Any]
    ) -> None:
        self._data = data
        model = fresh(task.genome)
        lent = Lent(
            data=data,
            epochs=1_000_000,
            batch_size=batch_size,
            mixes=False,
            seed=0,
            generator=torch.Generator().manual_seed(0),
            again=lambda batch: batch.inputs,
        )
        self._cohort = CohortTraining(plan_of(task, preset), model, lent)
        parts = [model, self._cohort.companion]
        self._optimizer = OptimizerSettings(lr=0.01).build(parts, CPU)
        self._batches = self._endless()

    def go_on(self) -> None:
        """Do some steps as the supervised loop does them."""
        for _ in range(STEPS):
            batch = picked(self._data, next(self._batches))
            loss = self._loss(batch)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def _loss(self, batch: Batch) -> Tensor:
        def criterion(outputs: Tensor) -> Tensor:
            return F.cross_entropy(outputs, batch.targets)

        _ = self._cohort.network(batch.inputs)
        return self._cohort.loss(batch, criterion, progress=0.5)

    def _endless(self) -> Iterator[Tensor]:
        epoch = 0
        while True:
            yield from self._cohort.batches(epoch)
            _ = self._cohort.diagnosis()
            epoch += 1


def picked(data: Mapping[str, Tensor], rows: Tensor) -> Batch:
    """Return a batch as the supervised loop has it."""
    inputs = data["train_x"][rows].contiguous(memory_format=torch.channels_last)
    return Batch(inputs, data["train_y"][rows], rows)


def plan_of(task: Task, preset: Mapping[str, Any]) -> CohortPlan:
    """Return the plan of a preset's cohort, all of whose networks are of one size."""
    taps = network_taps(task.genome)
    made = plugins.construct(CohortPreset, preset, "preset")
    cohort = made.cohort(Available(taps=taps, depths=(), teachers={"teacher": taps}))
    networks = {name: fresh(task.genome) for name in cohort.nodes if name != CANDIDATE}
    trained = {name for stage in cohort.stages for name in stage.train}
    kept = {name: one.state_dict().keys() for name, one in networks.items() if name in trained}
    return CohortPlan(
        cohort=cohort,
        networks=networks,
        taps=dict.fromkeys(cohort.nodes, taps),
        macs=dict.fromkeys(cohort.nodes, float(task.macs)),
        kept={name: frozenset(kept.get(name, ())) for name in networks},
    )


def print_row(task: Task, batch_size: int, repeats: int) -> None:
    """Print the ratios of one network at one batch size."""
    samples = BATCHES * batch_size
    draws = torch.Generator().manual_seed(0)
    data = {
        "train_x": torch.randn(samples, *task.shape, generator=draws),
        "train_y": torch.arange(samples) % CLASSES,
    }
    alone, teacher = (Plain(task, data, batch_size) for _ in range(2))
    ways: dict[str, Callable[[], object]] = {"": alone.go_on, "teacher": teacher.go_forward}
    for name, preset in PRESETS.items():
        ways[name] = Together(task, data, batch_size, preset).go_on
    times = in_turns(ways, repeats)
    two = [2 * one for one in times[""]]
    taught = [one + other for one, other in zip(times[""], times["teacher"], strict=True)]
    cells = [ratio(times[name], two) for name in PRESETS if name != "kd"]
    cells.append(ratio(times["kd"], taught))
    step = f"{1000 * statistics.median(times['']) / STEPS:.1f}"
    print(f"| {task.name} | {batch_size} | {step} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128], help="their sizes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    print(f"| network | batch | plain step, ms | {' | '.join(PRESETS)} |")
    print("|---" * (len(PRESETS) + 3) + "|")
    for task in tasks():
        for batch_size in given.batches:
            print_row(task, batch_size, given.repeats)


if __name__ == "__main__":
    main()
