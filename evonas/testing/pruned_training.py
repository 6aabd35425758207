"""What a trainer that prunes promises: every installed preset ends in the small network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.models import fresh_model
from evonas.morph.keep import Prunable
from evonas.morph.planned import planned
from evonas.plugins import load, names
from evonas.preset import Preset
from evonas.pruning_plan import PruningPlan
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.check import Check
from evonas.testing.classes import example
from evonas.testing.sandbox import registered_spaces, same_tensors
from evonas.trainer import Context, Trained, Trainer, follows

_INTERVAL = 2
_SEED = 0
_GAP = ("masked_error", "compact_error", "gap")
"""What a trainer that reports `error` reports of masked and rebuilt networks, too."""


def pruned_training_checks(
    trainer: Trainer, prepared: Callable[[], Mapping[str, Tensor]]
) -> list[Check]:
    """Return one check a preset; `prepared` is asked for the trainer's data by those."""
    found: list[Check] = []
    for name in sorted(names(Preset)):
        if follows(trainer, example(load(Preset, name)).schedule().rule["name"]):
            claim, verify = f"pruned by {name} it hands over the small network", _verify
        else:
            claim, verify = f"it refuses to prune by {name}", _verify_refusal
        found.append(Check(claim, partial(verify, trainer, prepared, name)))
    return found


@final
@dataclass(frozen=True)
class _Half:
    """A candidate of which half is to go."""

    space: SearchSpace
    genome: Genome
    plan: PruningPlan

    def model(self) -> nn.Module:
        return fresh_model(self.space, self.genome, _SEED).to(devices.best())


def _verify(trainer: Trainer, prepared: Callable[[], Mapping[str, Tensor]], name: str) -> None:
    half = _half(trainer, prepared(), _often(name))
    first, again = (_train(trainer, prepared(), half) for _ in range(2))
    state = first.state
    assert state is not None, "`Trained.state` is None; return the state of the rebuilt network"
    assert again.state is not None
    assert same_tensors(state.tensors, again.state.tensors), (
        "the same seed gave two sets of weights"
    )
    _check_size(state, half)
    wanted = [*trainer.metrics, *(_GAP if "error" in trainer.metrics else ())]
    missing = [metric for metric in wanted if metric not in first.metrics]
    assert not missing, f"{missing[0]!r} is not among the metrics {sorted(first.metrics)}"


def _verify_refusal(
    trainer: Trainer, prepared: Callable[[], Mapping[str, Tensor]], name: str
) -> None:
    half = _half(trainer, prepared(), _often(name))
    try:
        _train(trainer, prepared(), half)
    except ConfigError:
        return
    raise AssertionError(f"{name!r} has a rule that is not among `prunes`; raise a ConfigError")


def _often(name: str) -> Schedule:
    """Return a preset's schedule with events in the shortest training."""
    return replace(example(load(Preset, name)).schedule(), interval=_INTERVAL)


def _check_size(state: State, half: _Half) -> None:
    """Check that the state is the rebuilt network's, with as many zeros as single weights go."""
    rebuilt, _ = half.plan.compacted(State.of(half.model()))
    wanted = {name: tuple(tensor.shape) for name, tensor in rebuilt.state_dict().items()}
    own = state.own.tensors
    for name, shape in wanted.items():
        given = own.get(name)
        assert given is not None, f"the state has no {name!r}; it is not the rebuilt network's"
        assert tuple(given.shape) == shape, f"{name!r} is {tuple(given.shape)}, not {shape}"
    extra = sorted(own.keys() - wanted)
    assert not extra, f"{extra[0]!r} is no tensor of the rebuilt network; drop the scaffolding"
    left = sum(int(own[name].count_nonzero()) for name in half.plan.weights)
    keep = sum(half.plan.weights.values())
    assert left <= keep, f"{left} single weights are not zero, {keep} may be kept in all"


def _half(trainer: Trainer, prepared: Mapping[str, Tensor], schedule: Schedule) -> _Half:
    """Return half of the smallest seed that an installed space makes for a trainer."""
    signatures = trainer.signatures(prepared)
    found: list[tuple[int, SearchSpace, Genome]] = []
    for space in registered_spaces():
        try:
            genome = space.seed(signatures)
        except ConfigError:
            continue
        model = fresh_model(space, genome, _SEED)
        sizes = Prunable.of(genome, schedule.residual, schedule.granularity).sizes
        if isinstance(model, trainer.accepts) and any(size > 1 for size in sizes.values()):
            kept = {name: Kept((size + 1) // 2, size) for name, size in sizes.items()}
            genome = PruningGenes(schedule=schedule, kept=kept).put_into(genome)
            found.append((sum(p.numel() for p in model.parameters()), space, genome))
    assert found, "no installed space makes a network for this trainer that could be pruned"
    _, space, genome = min(found, key=lambda one: one[0])
    plan = planned(genome, space.build)
    assert plan is not None, "the genes say that half of everything goes"
    return _Half(space, genome, plan)


def _train(trainer: Trainer, prepared: Mapping[str, Tensor], half: _Half) -> Trained:
    context = Context(
        devices.best(), torch.float32, _SEED, prepared, None, lambda *_, **__: None, half.plan
    )
    return trainer.train(half.model(), context)
