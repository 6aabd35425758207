"""The trainer contract: how a candidate becomes good at something, and how good it became."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from evonas.cohort_plan import CohortPlan
from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule
from evonas.networks import Signatures
from evonas.pruning_plan import PruningPlan
from evonas.state import State


class Stopped(Exception):  # noqa: N818 - a signal, not an error
    """Raised by `Context.report` when training this candidate further is not worth it."""


class Report(Protocol):
    """What `Context.report` is."""

    def __call__(self, step: int, /, **metrics: float) -> None:
        """Pass on metrics of a step; may raise `Stopped`."""
        ...


@final
@dataclass(frozen=True)
class Context:
    """What the engine lends a trainer for one candidate.

    Attributes:
        device: Where to train; the only place a device comes from.
        precision: dtype for `torch.autocast`; float32 means none.
        seed: Of every draw the training makes.
        prepared: What `Trainer.prepare` returned: data, a teacher's outputs, ... Read-only.
        inherited: The state the model starts from (already loaded into it), so that the optimizer
            can start from the inherited slots; None for a model with fresh weights.
        report: To be called with validation metrics as training goes on.
        pruning: What to prune in this training, if anything; only trainers that prune get one.
        cohort: With whom to learn, if with anyone; only trainers that distil get one.
        parts: In how many parts to pass each batch through the network before a step, since a
            whole one took too much memory; only trainers that accumulate get more than one.
    """

    device: torch.device
    precision: torch.dtype
    seed: int
    prepared: Mapping[str, Tensor]
    inherited: State | None
    report: Report
    pruning: PruningPlan | None = None
    cohort: CohortPlan | None = None
    parts: int = 1

    def autocast(self) -> AbstractContextManager[object]:
        """Return the precision context for forward passes."""
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision, enabled=enabled)


@final
@dataclass(frozen=True)
class Trained:
    """What one training has come to.

    Attributes:
        metrics: Measured on the validation data; plain floats, by the names of `Trainer.metrics`.
        samples: Number of training samples (or environment steps) seen.
        state: The model and optimizers after training, and target networks as its part
            `evonas.state.TARGET`; None if the candidate has no weights. With
            `Context.pruning`, metrics and state are those of the rebuilt network; with
            `Context.cohort`, the state has a part for every node that keeps tensors, and one for
            the scaffold.
        stopped: Whether `Stopped` ended the training early.
        extra_macs: Multiply-accumulates beyond three passes of the candidate for every sample:
            those of the rest of its cohort, or of steps on samples that were seen before; less
            those that the candidate was spared.
    """

    metrics: Mapping[str, float]
    samples: int
    state: State | None
    stopped: bool = False
    extra_macs: float = 0.0


class Trainer(ABC):
    """A way to train and judge candidates. Implementations are final, frozen dataclasses.

    The fields are the hyper-parameters; any of them may be a gene. Instances travel to worker
    processes, so fields are plain data.

    Attributes:
        paper: Title, authors, year of the method, or what it is where there is no paper.
        accepts: What a candidate must be: `nn.Module` or a protocol of `evonas.networks`.
        metrics: The names that `train` reports, each with "min" or "max".
        fixed: Fields that `prepare` alone reads: the same for all candidates, so never genes.
        prunes: Whether it does what `Context.pruning` asks for; or by which rules it does, by name.
        distils: Whether it does what `Context.cohort` asks for. Then it has a field `batch_size`,
            and reports each of its metrics for every view that the cohort hands over, too:
            `error@shallow`.
        has_labels: Whether what it trains on has labels; else cohorts have no losses, virtual
            teachers and samplers that look at them, and the loss `task` is whatever else it learns
            by.
        accumulates: Whether it does what `Context.parts` asks for: the gradients of all parts of a
            batch, weighted by their sizes, add up to those of its mean loss, and then one step is
            taken. Never asked of a candidate in a cohort, whose losses may compare samples.
    """

    group: ClassVar[str] = "evonas.trainers"
    paper: ClassVar[str]
    accepts: ClassVar[type]
    metrics: ClassVar[Mapping[str, str]]
    fixed: ClassVar[frozenset[str]] = frozenset()
    prunes: ClassVar[bool | frozenset[str]] = False
    distils: ClassVar[bool] = False
    has_labels: ClassVar[bool] = True
    accumulates: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Make what all candidates share, once per search; the engine stores it beside the run.

        Raises:
            ConfigError: if the data cannot be used.
        """

    @abstractmethod
    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the networks this trainer wants, for which the space makes its seed."""

    @abstractmethod
    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train `model` in place (already on the context's device) and judge it on validation.

        Raises:
            FloatingPointError: if the loss is not finite; the engine records it as `diverged`.
        """

    @abstractmethod
    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge a finished model on the test data; called by the report alone."""


def follows(trainer: Trainer, rule: str) -> bool:
    """Return whether a trainer prunes by a rule."""
    return trainer.prunes if isinstance(trainer.prunes, bool) else rule in trainer.prunes


def check_rule(trainer: Trainer, schedule: Schedule) -> None:
    """Check that a trainer that prunes does so by the rule of a schedule.

    Raises:
        ConfigError: if it does not.
    """
    rule = schedule.rule["name"]
    if not follows(trainer, rule):
        assert not isinstance(trainer.prunes, bool), "it prunes by some rules"
        raise ConfigError(
            f"trainer {type(trainer).__name__} prunes by {', '.join(sorted(trainer.prunes))} alone,"
            f" and preset {schedule.preset!r} has the rule {rule!r}; choose another of the two"
        )


@runtime_checkable
class Illustrated(Protocol):
    """A trainer that can show what a candidate does; the report asks it for the best one."""

    def pictures(self, model: nn.Module, context: Context) -> Mapping[str, bytes]:
        """Return pictures of what a finished model does: PNG, WebP or GIF files, by caption."""
        ...
