"""Training and judging classifiers on labelled data: one loop, alone or in a cohort.

The loop is the usual one: shuffled batches, augmentation, cross-entropy, SGD or AdamW. What is less
usual: the data live on the device and are augmented there in whole batches; pictures and weights
are channels-last; a child goes on with its parent's momentum; batch-norm statistics are measured
anew before the model is judged, because those that training leaves behind lag after an edit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from evonas import devices, seeds
from evonas.errors import ConfigError
from evonas.networks import Signature, Signatures
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer
from evonas_trainers import data as labelled, sources
from evonas_trainers.augment import Augment
from evonas_trainers.curriculum.shuffled import Shuffled
from evonas_trainers.distillation.learning.training import CohortTraining, Lent
from evonas_trainers.evaluation import judge, logits, recalibrate
from evonas_trainers.optimizer import OptimizerSettings, ScheduleName, inherit, schedule
from evonas_trainers.pruned import rebuilt, started
from evonas_trainers.reference_network import reference_network
from evonas_trainers.run import Run
from evonas_trainers.slots import Curriculum


@final
@dataclass(frozen=True, kw_only=True)
class Supervised(Trainer):
    """Classification. Reports `error` and `accuracy` (shares of 1) and `loss` (nats) on validation.

    With something to prune these are of the rebuilt network, whose error is `compact_error` too;
    `masked_error` is that of the model as the last step left it, `gap` the first minus the second.
    What stands before `epochs` is used once a search, so it cannot be a gene.

    Trained in parts, a batch has the gradients of its mean loss all the same; only batch norms tell
    the difference, since their statistics are those of a part, and dropout, which draws otherwise.

    Attributes:
        data: See `evonas_trainers.sources.read`.
        root: Folder for downloaded data.
        packed: Folder of packed data sets, looked into before anything is downloaded.
        size: Height and width of the pictures of an image folder.
        valid_ratio: Share of the training data that selection judges by.
        test_ratio: Share that is set aside where the data have no test data of their own.
        train_samples: Train on so many at most.
        epochs: Passes over the training data, or over what the curriculum makes of them.
        batch_size: Largest batch; see `evonas_trainers.slots.cut`.
        optimizer: And its settings.
        schedule: See `evonas_trainers.optimizer.schedule`, as for the next two.
        cycle: Epochs of the first cycle of `sgdr`.
        cycle_growth: Of the cycles of `sgdr`.
        inherit_optimizer: Whether a child goes on with mapped momentum or starts without any.
        augment: What is done to training inputs.
        label_smoothing: Probability that is spread over all classes.
        max_norm: Gradients are scaled down to this norm; 0 for never.
        calibration_samples: So many training inputs, as they are, give the batch-norm statistics.
        curriculum: Chooses which samples come when; None for all, shuffled.
    """

    paper: ClassVar[str] = "Supervised classification by stochastic gradient descent"
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = {"error": "min", "loss": "min", "accuracy": "max"}
    prunes: ClassVar[bool | frozenset[str]] = True
    distils: ClassVar[bool] = True
    accumulates: ClassVar[bool] = True
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"data", "root", "packed", "size", "valid_ratio", "test_ratio", "train_samples"}
    )

    data: str
    root: str = "data"
    packed: str | None = None
    size: int = 32
    valid_ratio: float = 0.2
    test_ratio: float = 0.2
    train_samples: int | None = None
    epochs: int = 2
    batch_size: int = 64
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleName = "constant"
    cycle: float = 1.0
    cycle_growth: float = 2.0
    inherit_optimizer: Literal["map", "reset"] = "map"
    augment: Augment = field(default_factory=Augment)
    label_smoothing: float = 0.0
    max_norm: float = 0.0
    calibration_samples: int = 512
    curriculum: Curriculum | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "size", "train_samples", "cycle", "cycle_growth"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value!r}, should be 1 or more")
        for name in ("valid_ratio", "test_ratio", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 to 1")

    @classmethod
    def example(cls) -> "Supervised":
        """Return what `evonas check` trains."""
        return cls(data="digits", epochs=1, train_samples=256)

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Read and split the data; let the slots add what they need."""
        packed = None if self.packed is None else Path(self.packed)
        source = sources.read(self.data, Path(self.root), self.size, packed)
        split = labelled.Split(
            valid_ratio=self.valid_ratio,
            test_ratio=self.test_ratio,
            train_samples=self.train_samples,
        )
        prepared = labelled.prepare(self.data, source, split, seed)
        self.augment.check(prepared["train_x"].shape[1:])

        def teach(epochs: int) -> Tensor:
            return self._teach(prepared, epochs, seeds.integer(seed, "teach"))

        found = dict(prepared)
        if self.curriculum is not None:
            made = self.curriculum.prepare(prepared, teach)
            assert not made.keys() & found.keys(), "a slot's tensors have names of their own"
            found |= made
        return found

    def _teach(self, prepared: Mapping[str, Tensor], epochs: int, seed: int) -> Tensor:
        """Do what `evonas_trainers.slots.Teach` promises."""
        device = devices.best()
        with devices.seeded(seed, device):
            model = reference_network(self.signatures(prepared)["net"]).to(device)
        trainer = replace(self, epochs=epochs, schedule="cosine", curriculum=None)
        context = Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)
        trainer.train(model, context)
        there = labelled.on(device, prepared)
        return logits(model, there["train_x"], there).cpu()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the one network `net`, from an input to a number for each class."""
        shape = tuple(prepared["train_x"].shape[1:])
        return {"net": Signature(shape, (int(prepared["classes"]),))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train for some epochs, reporting after each."""
        model.to(memory_format=torch.channels_last)
        samples, stopped = 0, False
        metrics: Mapping[str, float] = {}
        with devices.seeded(seeds.integer(context.seed, "layers"), context.device):
            run = self._begin(model, context)
            try:
                for epoch in range(self.epochs):
                    loss, seen = self._epoch(run, epoch)
                    samples += seen
                    metrics = {**self._judge(run, model), **self._judge_views(run)}
                    found = {} if run.cohort is None else run.cohort.diagnosis()
                    context.report(epoch + 1, **metrics, train_loss=loss, **found)
            except Stopped:
                stopped = True
            return self._finished(run, metrics, samples, is_stopped=stopped)

    def _finished(
        self, run: Run, metrics: Mapping[str, float], samples: int, *, is_stopped: bool
    ) -> Trained:
        """End the training: rebuild what is pruned, and keep the state of all that trained."""
        if run.cohort is not None:
            run.cohort.finish()
        if run.pruner is not None:
            run.pruner.finish(run.optimizer)
        state, plan = State.of(run.model, run.optimizer), run.context.pruning
        if plan is not None:
            judge = partial(self._judge, run)
            metrics, state = rebuilt(state, plan, run.context.device, judge, metrics)
        if run.cohort is None:
            return Trained(metrics, samples, state, is_stopped)
        state = state.joined(run.cohort.parts(run.optimizer))
        return Trained(metrics, samples, state, is_stopped, run.cohort.macs)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the model as it is on the test data."""
        model.to(memory_format=torch.channels_last)
        return judge(model, labelled.on(context.device, context.prepared), "test")

    def _begin(self, model: nn.Module, context: Context) -> Run:
        """Make what one training needs, in the order that `evonas_trainers.slots` promises."""
        data = labelled.on(context.device, context.prepared)
        shuffle = torch.Generator().manual_seed(seeds.integer(context.seed, "shuffle"))
        draws = torch.Generator(context.device)
        draws.manual_seed(seeds.integer(context.seed, "augment"))
        cohort = self._cohort(model, context, data, shuffle, draws)
        network = model if cohort is None else cohort.network
        pruner = started(network, context, draws)
        course = (
            Shuffled(len(data["train_y"]), self.batch_size, shuffle)
            if self.curriculum is None
            else self.curriculum.start(data, self.epochs, self.batch_size, shuffle)
        )
        companions = [part.companion for part in (cohort, pruner) if part is not None]
        optimizer = self.optimizer.build([model, *companions], context.device)
        inherited = context.inherited if self.inherit_optimizer == "map" else None
        if inherited is not None:
            inherit(inherited, model, optimizer)
        if cohort is not None:
            cohort.start_slots(optimizer, inherited)
        return Run(
            model=model,
            network=network,
            context=context,
            data=data,
            optimizer=optimizer,
            cohort=cohort,
            pruner=pruner,
            course=course,
            draws=draws,
            shares=seeds.stream(context.seed, "mixup"),
        )

    def _cohort(
        self,
        model: nn.Module,
        context: Context,
        data: Mapping[str, Tensor],
        shuffle: torch.Generator,
        draws: torch.Generator,
    ) -> CohortTraining | None:
        """Begin to train in the cohort, if there is one."""
        if context.cohort is None:
            return None
        if self.curriculum is not None:
            raise ConfigError(
                "both the curriculum and the cohort choose the samples; take away one of them"
            )
        lent = Lent(
            data=data,
            epochs=self.epochs,
            batch_size=self.batch_size,
            mixes=self.augment.mixup > 0,
            seed=seeds.integer(context.seed, "cohort"),
            generator=shuffle,
            again=lambda batch: self.augment.again(data, batch, draws),
        )
        return CohortTraining(context.cohort, model, lent)

    def _epoch(self, run: Run, epoch: int) -> tuple[float, int]:
        """Train for one epoch; return the mean loss and the number of samples."""
        run.model.train()
        batches, seen = run.batches(epoch), 0
        total = torch.zeros((), device=run.context.device)
        for step, rows in enumerate(batches):
            now = epoch + step / len(batches)
            progress = now / self.epochs
            share = self._set_rate(run, now)
            batch = self.augment.batch(run.data, rows, run.draws, run.shares)
            run.optimizer.zero_grad()
            total += run.backward(batch, self.label_smoothing, progress)
            if self.max_norm:
                run.clip(self.max_norm)
            pruner = run.pruner if run.trains_candidate else None
            if pruner is not None:
                pruner.before_step(run.optimizer, progress)
            run.optimizer.step()
            if pruner is not None:
                pruner.after_step(run.optimizer, progress)
            run.match(batch, self.label_smoothing, progress, share)
            seen += len(rows)
        mean = total.item() / len(batches)
        if not math.isfinite(mean):
            raise FloatingPointError(f"the training loss is {mean} in epoch {epoch + 1}")
        return mean, seen

    def _set_rate(self, run: Run, epoch: float) -> float:
        """Set the learning rate; return its share of the full one."""
        start, end = run.span(epoch / self.epochs)
        since, length = epoch - start * self.epochs, (end - start) * self.epochs
        factor = schedule(self.schedule, since, length, self.cycle, self.cycle_growth)
        for group in run.optimizer.param_groups:
            group["lr"] = self.optimizer.lr * factor
        return factor

    def _judge(self, run: Run, model: nn.Module) -> Mapping[str, float]:
        """Measure batch-norm statistics anew; judge on the validation data."""
        recalibrate(model, run.data, self.calibration_samples, self.batch_size)
        return judge(model, run.data, "valid")

    def _judge_views(self, run: Run) -> Mapping[str, float]:
        """Judge the views that are handed over with the model."""
        views = {} if run.cohort is None else run.cohort.views
        return {
            f"{metric}@{name}": value
            for name, view in views.items()
            for metric, value in self._judge(run, view).items()
        }
