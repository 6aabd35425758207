"""The trainer contract: repeatable training, promised metrics, a state to inherit."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices, store
from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas.networks import Signatures
from evonas.state import State
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.distilled_training import distilled_training_checks
from evonas.testing.pruned_training import pruned_training_checks
from evonas.testing.sandbox import registered_spaces, same_tensors, seeded
from evonas.trainer import Context, Stopped, Trained, Trainer

_WIDTH = 8
_BY_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout)
"""Layers that do something else with a batch in parts."""


@final
@dataclass(frozen=True)
class _Bench:
    """A trainer with its data, and networks for it to train."""

    trainer: Trainer

    @cached_property
    def prepared(self) -> Mapping[str, Tensor]:
        """What `prepare` makes, as candidates get it: stored, and read back."""
        with tempfile.TemporaryDirectory() as folder:
            store.store_prepared(Path(folder), self.trainer.prepare(0))
            found = store.load_prepared(Path(folder))
        assert found is not None
        return found

    @cached_property
    def signatures(self) -> Signatures:
        return self.trainer.signatures(self.prepared)

    @cached_property
    def candidate(self) -> nn.Module:
        """A small candidate that the trainer accepts, untrained."""
        with seeded(0):
            plain = _plain(self.signatures)
        if isinstance(plain, self.trainer.accepts):
            return plain.to(devices.best())
        for space in registered_spaces():
            try:
                model = fresh_model(space, space.seed(self.signatures), 0)
            except ConfigError:
                continue
            if isinstance(model, self.trainer.accepts):
                return model.to(devices.best())
        raise AssertionError(
            f"no installed space makes a {self.trainer.accepts.__name__} for "
            f"{dict(self.signatures)}; register one beside the trainer"
        )

    @cached_property
    def start(self) -> State:
        return State.of(self.candidate)

    @cached_property
    def first(self) -> "_Training":
        """One training, which several checks look at."""
        return self.train()

    def train(
        self,
        seed: int = 0,
        inherited: State | None = None,
        *,
        stop: bool = False,
        parts: int = 1,
    ) -> "_Training":
        """Train the candidate once more from its start, or from an inherited state."""
        self.candidate.load_state_dict(dict((inherited or self.start).own.tensors))
        watch = _Watch(stop)
        context = replace(self.context(seed, inherited, watch), parts=parts)
        return _Training(self.trainer.train(self.candidate, context), watch)

    def context(self, seed: int, inherited: State | None, watch: "_Watch") -> Context:
        return Context(devices.best(), torch.float32, seed, self.prepared, inherited, watch)


@final
@dataclass(frozen=True)
class _Watch:
    """Keeps what is reported; if told so, ends the training at the first report."""

    stop: bool = False
    reports: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)

    def __call__(self, step: int, /, **metrics: float) -> None:
        self.reports.append((step, metrics))
        if self.stop:
            raise Stopped


@final
@dataclass(frozen=True)
class _Training:
    trained: Trained
    watch: _Watch


def trainer_checks(trainer: Trainer) -> list[Check]:
    """Return the checks of a trainer."""
    functions = [
        _it_says_what_it_accepts_and_measures,
        _preparing_depends_on_the_seed_alone,
        _it_wants_at_least_one_network,
        _training_returns_the_promised_metrics,
        _training_counts_its_samples,
        _training_reports_metrics_at_rising_steps,
        _the_trained_state_is_that_of_the_model,
        _training_depends_on_the_seed_alone,
        _training_puts_the_global_generators_back,
        _training_leaves_the_prepared_data_as_they_were,
        _a_child_goes_on_from_the_inherited_state,
        _a_stopped_training_still_has_an_outcome,
        _testing_returns_metrics_and_changes_no_weight,
    ]
    bench = _Bench(trainer)
    found = [*class_checks(trainer), *checks_of(bench, functions)]
    if trainer.accumulates:
        found += checks_of(bench, [_a_batch_in_parts_is_one_step])
    if trainer.prunes:
        found += pruned_training_checks(trainer, lambda: bench.prepared)
    if trainer.distils:
        found += distilled_training_checks(trainer, lambda: bench.prepared)
    return found


def _plain(signatures: Signatures) -> nn.Module:
    """Return a perceptron a network, of one hidden layer."""
    made = {
        name: nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(signature.inputs), _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, math.prod(signature.outputs)),
            nn.Unflatten(1, signature.outputs),
        )
        for name, signature in signatures.items()
    }
    return next(iter(made.values())) if len(made) == 1 else nn.ModuleDict(made)


def _it_says_what_it_accepts_and_measures(bench: _Bench) -> None:
    trainer = bench.trainer
    assert isinstance(trainer.accepts, type), "`accepts` is nn.Module or a protocol class"
    assert trainer.metrics, "`metrics` names nothing that a search could improve"
    for name, direction in trainer.metrics.items():
        assert direction in {"min", "max"}, f'metric {name!r} is {direction!r}, not "min" or "max"'


def _preparing_depends_on_the_seed_alone(bench: _Bench) -> None:
    made: list[Mapping[str, Tensor]] = []
    for seed in (1, 2):
        with seeded(seed):
            made.append(bench.trainer.prepare(0))
    assert same_tensors(made[0], made[1]), "two calls of `prepare(0)` gave two sets of tensors"


def _it_wants_at_least_one_network(bench: _Bench) -> None:
    assert bench.signatures, "`signatures` is empty; name the networks that are trained"
    for name, signature in bench.signatures.items():
        sizes = (*signature.inputs, *signature.outputs)
        assert signature.inputs, f"network {name!r} has no inputs"
        assert signature.outputs, f"network {name!r} has no outputs"
        assert min(sizes) > 0, f"network {name!r} is {signature}; sizes are positive"


def _training_returns_the_promised_metrics(bench: _Bench) -> None:
    _check_metrics(bench, bench.first.trained.metrics)


def _training_counts_its_samples(bench: _Bench) -> None:
    samples = bench.first.trained.samples
    assert samples > 0, f"`samples` is {samples}; costs and credits are counted by it"


def _training_reports_metrics_at_rising_steps(bench: _Bench) -> None:
    reports = bench.first.watch.reports
    assert reports, "call `context.report(step, ...)`: early stopping and the live view live on it"
    steps = [step for step, _ in reports]
    assert steps == sorted(set(steps)), f"the steps {steps[:8]} do not rise"
    names = {name for _, metrics in reports for name in metrics}
    assert names & bench.trainer.metrics.keys(), (
        f"reported is {sorted(names)}, and none of `metrics`: {sorted(bench.trainer.metrics)}"
    )


def _the_trained_state_is_that_of_the_model(bench: _Bench) -> None:
    state = bench.train().trained.state
    assert state is not None, "`Trained.state` is None; children would have nothing to inherit"
    own, now = state.own, State.of(bench.candidate)
    assert same_tensors(own.tensors, now.tensors), "`State.of(model, optimizer)` is what is wanted"
    assert len(state.to_bytes()) > 0
    shapes = {name: tuple(p.shape) for name, p in bench.candidate.named_parameters()}
    for slot, values in own.slots.items():
        for name, value in values.items():
            assert value.ndim == 0 or tuple(value.shape) == shapes.get(name), f"{slot} of {name!r}"


def _training_depends_on_the_seed_alone(bench: _Bench) -> None:
    made: list[Trained] = []
    for seed in (1, 2):
        with seeded(seed):
            made.append(bench.train().trained)
    first, again = made
    assert dict(first.metrics) == dict(again.metrics), (
        f"the same seed gave {dict(first.metrics)} and {dict(again.metrics)}"
    )
    assert first.state is not None
    assert again.state is not None
    assert same_tensors(first.state.tensors, again.state.tensors), (
        "the same seed gave two sets of weights; make every generator from `context.seed`"
    )


def _training_puts_the_global_generators_back(bench: _Bench) -> None:
    with torch.random.fork_rng(devices=()):
        before = torch.get_rng_state()
        bench.train()
        same = torch.equal(before, torch.get_rng_state())
    assert same, "torch's global generator was moved; train inside `devices.seeded(...)`"


def _training_leaves_the_prepared_data_as_they_were(bench: _Bench) -> None:
    kept = {name: tensor.clone() for name, tensor in bench.prepared.items()}
    bench.train()
    assert same_tensors(kept, bench.prepared), "`context.prepared` is read-only, and was changed"


def _a_child_goes_on_from_the_inherited_state(bench: _Bench) -> None:
    parent = bench.first.trained.state
    assert parent is not None
    child = bench.train(1, parent).trained
    _check_metrics(bench, child.metrics)


def _a_stopped_training_still_has_an_outcome(bench: _Bench) -> None:
    try:
        trained = bench.train(stop=True).trained
    except Stopped:
        raise AssertionError(
            "`Stopped` left `train`; catch it, and return what has come of the training so far"
        ) from None
    assert trained.stopped, "return `Trained(..., stopped=True)` when `report` raises Stopped"
    _check_metrics(bench, trained.metrics)


def _a_batch_in_parts_is_one_step(bench: _Bench) -> None:
    whole, parts = bench.first.trained, bench.train(parts=2).trained
    assert parts.samples == whole.samples, (
        f"{whole.samples} samples were seen in whole batches, {parts.samples} in parts"
    )
    if not any(isinstance(one, _BY_BATCH) for one in bench.candidate.modules()):
        assert whole.state is not None
        assert parts.state is not None
        moved, apart = (_distance(whole.state, one) for one in (bench.start, parts.state))
        assert apart < moved / 10, (
            f"weights that moved by {moved:.3g} end {apart:.3g} from there if trained in parts; add"
            " up the gradients of the parts, weighted by their sizes, and then take one step"
        )


def _distance(one: State, other: State) -> float:
    squares = [(one.tensors[name] - other.tensors[name]).square().sum() for name in one.tensors]
    return math.sqrt(math.fsum(map(float, squares)))


def _testing_returns_metrics_and_changes_no_weight(bench: _Bench) -> None:
    bench.candidate.load_state_dict(dict(bench.start.tensors))
    _check_metrics(bench, bench.trainer.test(bench.candidate, bench.context(0, None, _Watch())))
    now = State.of(bench.candidate)
    assert same_tensors(bench.start.tensors, now.tensors), "`test` changed the model"


def _check_metrics(bench: _Bench, metrics: Mapping[str, float]) -> None:
    missing = sorted(bench.trainer.metrics.keys() - metrics)
    assert not missing, f"{missing[0]!r} is promised in `metrics`, returned is {sorted(metrics)}"
    for name, value in metrics.items():
        assert type(value) in {int, float}, f"{name} is a {type(value).__name__}, not a float"
        assert math.isfinite(value), f"{name} is {value}"
