"""Several trainings of one candidate, from several seeds, side by side.

What a policy learns depends on luck more than on its architecture, so one training says little. All
trials start from the same weights, and are judged at the same times; the candidate's curve is their
mean. What is handed on is the state of the trial with the largest area: chosen by the same
evaluations as the fitness, of which it is no estimate.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import final

from torch import nn

from evonas import devices, measure, seeds
from evonas.networks import Signatures
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained
from evonas_trainers.reinforcement.scores import Judging, num_weights


@final
@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A training that has been judged.

    Attributes:
        mean_return: Of the evaluation's episodes.
        steps: In environments so far, those of evaluations left out.
        gradient_steps: So far.
        forwards: How many samples have passed through the candidate; one with gradients counts
            thrice.
        others: What else is worth knowing, by name.
    """

    mean_return: float
    steps: int
    gradient_steps: int
    forwards: int
    others: Mapping[str, float]


class Trial(ABC):
    """One training from one seed; owns its networks, buffers and draws."""

    @abstractmethod
    def checkpoints(self) -> Iterator[Checkpoint]:
        """Train, and stop to be judged `Judging.times` times, the last time at the end."""

    @abstractmethod
    def model(self) -> nn.Module:
        """Return the candidate as trained."""

    @abstractmethod
    def state(self) -> State:
        """Return what a child inherits: model, optimizers, target networks."""


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the trials of a search have in common.

    Attributes:
        environment: In which policies act.
        judging: By which they are judged.
        signatures: Of a candidate's networks.
    """

    environment: str
    judging: Judging
    signatures: Signatures


def run(trials: Sequence[Trial], setting: Setting, model: nn.Module, context: Context) -> Trained:
    """Train in all trials, from different seeds; put the best one's weights into `model`.

    Beside the metrics of `Judging`, and the means of what checkpoints say beside the return, the
    outcome has the `steps` and `gradient_steps` of all trials, and how far their areas lie apart,
    not scaled: `return_range`.

    Raises:
        FloatingPointError: if weights are no numbers any more.
    """
    curves: list[list[float]] = [[] for _ in trials]
    latest: Sequence[Checkpoint] = ()
    metrics: Mapping[str, float] = {}
    stopped = False
    with devices.seeded(seeds.integer(context.seed, "layers"), context.device):
        try:
            for latest in zip(*(trial.checkpoints() for trial in trials), strict=True):
                for curve, checkpoint in zip(curves, latest, strict=True):
                    curve.append(checkpoint.mean_return)
                mean = [_mean(column) for column in zip(*curves, strict=True)]
                weights = max(_num_weights(trial.model()) for trial in trials)
                judged = setting.judging.metrics(mean, setting.environment, weights)
                metrics = {**judged, **_others(latest)}
                context.report(latest[0].steps, **metrics)
        except Stopped:
            stopped = True
    areas = [_mean(curve) for curve in curves]
    best = trials[areas.index(max(areas))]
    state = best.state()
    model.load_state_dict(dict(state.own.tensors))
    steps = sum(one.steps for one in latest)
    found = {
        **metrics,
        "steps": float(steps),
        "gradient_steps": float(sum(one.gradient_steps for one in latest)),
        "return_range": max(areas) - min(areas),
    }
    macs = measure.static(model, setting.signatures)["macs"]
    extra = macs * (sum(one.forwards for one in latest) - 3 * steps)
    return Trained(found, steps, state, stopped, extra)


def copies(model: nn.Module, number: int) -> list[nn.Module]:
    """Return copies of a candidate for trials to train, in train mode; none is the candidate."""
    return [deepcopy(model).train() for _ in range(number)]


def _others(latest: Sequence[Checkpoint]) -> Mapping[str, float]:
    """Return the means over trials of what checkpoints say beside the return."""
    return {name: _mean([one.others[name] for one in latest]) for name in latest[0].others}


def _num_weights(model: nn.Module) -> int:
    """Return how many weights are not zero.

    Raises:
        FloatingPointError: if one is no number.
    """
    if not all(bool(tensor.isfinite().all()) for tensor in model.parameters()):
        raise FloatingPointError("training has led to weights that are not finite")
    return num_weights(model)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
