"""What a trainer that distils promises: every installed preset leaves a plain student."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices, plugins
from evonas.cohort_networks import Start, cohort_plan
from evonas.cohort_plan import SCAFFOLD, CohortPlan
from evonas.cohort_preset import CohortPreset
from evonas.errors import EditError
from evonas.genome.members import NETWORK
from evonas.models import fresh_model
from evonas.morph.cohort.check import check
from evonas.state import TARGET, TRAINER, State
from evonas.testing.check import Check
from evonas.testing.classes import example
from evonas.testing.sandbox import same_tensors
from evonas.testing.small_cohorts import SmallCohort, small_cohorts
from evonas.trainer import Context, Trained, Trainer

_SEED = 0


def distilled_training_checks(
    trainer: Trainer, prepared: Callable[[], Mapping[str, Tensor]]
) -> list[Check]:
    """Return one check a preset; `prepared` is asked for the trainer's data by those."""
    return [
        Check(
            f"in a cohort of {name} it trains a plain student",
            partial(_verify, trainer, prepared, name),
        )
        for name in sorted(plugins.names(CohortPreset))
    ]


@final
@dataclass(frozen=True, eq=False)
class _Training:
    """A candidate after a training in its cohort."""

    model: nn.Module
    plan: CohortPlan
    trained: Trained


def _verify(trainer: Trainer, prepared: Callable[[], Mapping[str, Tensor]], name: str) -> None:
    small = _smallest(trainer, prepared(), example(plugins.load(CohortPreset, name)))
    if small is None:
        return
    teachers = {
        node: fresh_model(small.space, small.seed, _SEED + number).requires_grad_(False).eval()
        for number, node in enumerate(sorted(small.options.teachers), start=1)
    }
    taught = {node: State.of(teacher) for node, teacher in teachers.items()}
    first, again = (_train(trainer, prepared(), small, teachers) for _ in range(2))
    for node, teacher in teachers.items():
        same = same_tensors(taught[node].tensors, State.of(teacher).tensors)
        assert same, f"the teacher {node!r} has changed; run it in eval mode, without a gradient"
    _check_state(first)
    _check_metrics(trainer, first)
    assert first.trained.state is not None
    assert again.trained.state is not None
    assert same_tensors(first.trained.state.tensors, again.trained.state.tensors), (
        "the same seed gave two sets of weights"
    )


def _check_state(training: _Training) -> None:
    """Check that the state has the student, and a part of every node that keeps tensors."""
    state = training.trained.state
    assert state is not None, "`Trained.state` is None; children would have nothing to inherit"
    student = State.of(training.model).tensors
    assert same_tensors(state.own.tensors, student), (
        "without the parts, the state is not that of the model: scaffolding, or nothing, is left"
    )
    kept = {name: names for name, names in training.plan.kept.items() if names}
    for name, names in kept.items():
        given = state.part(name).tensors.keys()
        assert given == names, f"the part of {name!r} has {sorted(given ^ names)} less or more"
    parts = {name[1:].partition(".")[0] for name in state.tensors if name.startswith("@")}
    extra = sorted(parts - kept.keys() - {SCAFFOLD, TARGET, TRAINER})
    assert not extra, f"the state has a part of {extra[0]!r}, which keeps nothing"


def _check_metrics(trainer: Trainer, training: _Training) -> None:
    trained = training.trained
    views = ["", *(f"@{view}" for view in training.plan.cohort.readout[1:])]
    for name in (f"{metric}{view}" for metric in trainer.metrics for view in views):
        assert name in trained.metrics, f"{name!r} is not among {sorted(trained.metrics)}"
        assert math.isfinite(trained.metrics[name]), f"{name!r} is {trained.metrics[name]}"
    macs = trained.extra_macs
    assert math.isfinite(macs), f"`extra_macs` is {macs}"
    assert macs > 0, f"`extra_macs` is {macs}; what the others compute is charged to the candidate"


def _smallest(
    trainer: Trainer, prepared: Mapping[str, Tensor], preset: CohortPreset
) -> SmallCohort | None:
    """Return the cohort of the smallest seed that suits both the preset and the trainer.

    There may be none for a trainer without labels: a search refuses presets that look at these, and
    what is not a picture has no maps.
    """
    batch_size = plugins.setting(trainer, "batch_size")
    found: list[tuple[int, SmallCohort]] = []
    for small in small_cohorts(preset, [trainer.signatures(prepared)], batch_size):
        model = fresh_model(small.space, small.seed, _SEED)
        if isinstance(model, trainer.accepts) and _suits(small, trainer):
            found.append((sum(one.numel() for one in model.parameters()), small))
    if not found and not trainer.has_labels:
        return None
    assert found, f"no installed space makes a network for both this trainer and {preset}"
    return min(found, key=lambda one: one[0])[1]


def _suits(small: SmallCohort, trainer: Trainer) -> bool:
    """Return whether a search would let the cohort be trained by a trainer of this kind."""
    if trainer.has_labels:
        return True
    try:
        check(small.genome, small.options.without_labels())
    except EditError:
        return False
    return True


def _train(
    trainer: Trainer,
    prepared: Mapping[str, Tensor],
    small: SmallCohort,
    teachers: Mapping[str, nn.Module],
) -> _Training:
    device = devices.best()
    model = fresh_model(small.space, small.seed, _SEED).to(device)
    start = Start(model=model, state=State({}), teachers=teachers, seed=_SEED)
    signatures = {NETWORK: small.signatures[NETWORK]}
    plan = cohort_plan(small.genome, small.cohort, small.options, signatures, start)
    context = Context(
        device, torch.float32, _SEED, prepared, None, lambda *_, **__: None, cohort=plan
    )
    return _Training(model, plan, trainer.train(model, context))
