"""One training under a pruning schedule, looked at on its way; what the pruning benchmarks share.

Rules, presets, plans and the rebuilding are the library's. The loop is plain: shuffled batches,
SGD whose rate falls in steps, and the calls that `evonas_trainers.slots` promises to a pruner.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, final

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from evonas import devices, plugins, seeds
from evonas.genome import Genome
from evonas.measure import evaluating
from evonas.morph.build import build
from evonas.morph.calibrate import reestimate
from evonas.morph.planned import planned
from evonas.pruning_plan import PruningPlan
from evonas.state import State
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.slots import Pruner, Pruning, cut

Look = Callable[[int], None]
"""Called with the number of steps done; may measure, and must leave the training as it is."""

_CALIBRATION = 500


@final
@dataclass(frozen=True, eq=False)
class Task:
    """Pictures on a device, normalised, with their classes.

    Attributes:
        seed: Of these data and of all that is drawn in a training on them.
        flip: Whether training mirrors pictures at random.
    """

    seed: int
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    flip: bool = False

    @property
    def device(self) -> torch.device:
        """Where to train."""
        return self.train_x.device


@final
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: the rate is multiplied by `decay` at each of `milestones`, parts of it all."""

    epochs: int = 32
    batch_size: int = 25
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(lr=0.1))
    milestones: tuple[float, ...] = (0.4, 0.7, 0.9)
    decay: float = 0.2

    def lr(self, progress: float) -> float:
        """Return the learning rate."""
        return self.optimizer.lr * self.decay ** sum(progress >= at for at in self.milestones)

    def steps_an_epoch(self, task: Task) -> int:
        """Return how many batches the training data make."""
        return math.ceil(len(task.train_y) / self.batch_size)


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """A network about to be trained, and what is to be pruned of it."""

    model: nn.Module
    plan: PruningPlan | None = None
    pruner: Pruner | None = None

    @classmethod
    def of(cls, genome: Genome, task: Task, state: State | None = None) -> Self:
        """Build a genome's network with fresh weights, or with those of a state."""
        with devices.seeded(seeds.integer(task.seed, "weights"), task.device):
            model = build(genome)
        if state is not None:
            model.load_state_dict(dict(state.tensors))
        model.to(task.device).to(memory_format=torch.channels_last)
        plan = planned(genome, build)
        if plan is None:
            return cls(model)
        rule = plugins.construct(Pruning, plan.schedule.rule, "the schedule's rule")
        draws = torch.Generator(task.device).manual_seed(seeds.integer(task.seed, "rule"))
        return cls(model, plan, rule.start(model, plan, draws))

    def rebuilt(self) -> nn.Module:
        """Return the network without its weakest channels as of now; a dense one as it is."""
        if self.plan is None:
            return self.model
        small, _ = self.plan.compacted(State.of(self.model))
        device = next(self.model.parameters()).device
        return small.to(device).to(memory_format=torch.channels_last)


def noisy_digits(seed: int, noise: float = 0.2) -> Task:
    """Return 900 digits to train on and 897 to test on, 8 x 8 from 0 to 1, all with noise."""
    inputs, labels = load_digits(return_X_y=True)
    draws = seeds.stream(seed, "digits")
    order = draws.permutation(len(labels))
    pictures = inputs[order].reshape(-1, 1, 8, 8) / 16
    pictures = pictures + draws.normal(0, noise, pictures.shape)
    device = devices.best()
    x = torch.as_tensor(pictures, dtype=torch.float32, device=device)
    y = torch.as_tensor(labels[order], dtype=torch.int64, device=device)
    return Task(seed, x[:900], y[:900], x[900:], y[900:])


def train(candidate: Candidate, task: Task, recipe: Recipe, every: int, look: Look) -> float:
    """Train and prune for good, looking after each `every` steps; return CPU seconds.

    Looking is not counted.
    """
    pruner = candidate.pruner
    parts = [candidate.model] if pruner is None else [candidate.model, pruner.companion]
    optimizer = recipe.optimizer.build(parts, task.device)
    shuffle = torch.Generator().manual_seed(seeds.integer(task.seed, "shuffle"))
    all_steps = recipe.epochs * recipe.steps_an_epoch(task)
    seconds, steps = 0.0, 0
    for _ in range(recipe.epochs):
        candidate.model.train()
        for rows in cut(torch.randperm(len(task.train_y), generator=shuffle), recipe.batch_size):
            start = time.process_time()
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr(steps / all_steps)
            batch = _batch(task, rows.to(task.device), shuffle)
            _step(candidate, optimizer, *batch, progress=steps / all_steps)
            steps += 1
            seconds += time.process_time() - start
            if steps % every == 0:
                look(steps)
    if pruner is not None:
        pruner.finish(optimizer)
    return seconds


def accuracy(model: nn.Module, task: Task, *, recalibrate: bool = True) -> float:
    """Return the accuracy on the test data in percent.

    Args:
        model: Judged in eval mode.
        task: Its data.
        recalibrate: Whether to measure batch-norm statistics anew, on training data.
    """
    if recalibrate:
        reestimate(model, task.train_x[:_CALIBRATION].split(_CALIBRATION // 5))
    with evaluating(model):
        found = torch.cat([model(part).argmax(1) for part in task.test_x.split(256)])
    return 100 * (found == task.test_y).float().mean().item()


def _batch(task: Task, rows: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    inputs = task.train_x[rows].contiguous(memory_format=torch.channels_last)
    if task.flip:
        mirrored = torch.rand(len(rows), 1, 1, 1, generator=draws).to(task.device) < 0.5
        inputs = torch.where(mirrored, inputs.flip(3), inputs)
    return inputs, task.train_y[rows]


def _step(
    candidate: Candidate,
    optimizer: Optimizer,
    inputs: Tensor,
    targets: Tensor,
    *,
    progress: float,
) -> None:
    def criterion(outputs: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets)

    pruner = candidate.pruner
    loss = (
        criterion(candidate.model(inputs))
        if pruner is None
        else pruner.loss(inputs, criterion, progress)
    )
    optimizer.zero_grad()
    loss.backward()
    if pruner is not None:
        pruner.before_step(optimizer, progress)
    optimizer.step()
    if pruner is not None:
        pruner.after_step(optimizer, progress)
