"""Trials: side by side from the same weights, judged together; the best one's are handed on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import pytest
import torch
from torch import nn

from evonas.networks import Signature
from evonas.state import State
from evonas.trainer import Context, Report, Stopped, Trained
from evonas_trainers.reinforcement import trials
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial

SETTING = Setting(
    environment="X-v0",
    judging=Judging(low=0.0, high=10.0, weight_price=1.0),
    signatures={"net": Signature((2,), (3,))},
)


@final
@dataclass
class Scripted(Trial):
    """Returns what it is told to, and notes in a log when it is asked."""

    name: str
    returns: Sequence[float]
    log: list[str]
    net: nn.Module = field(default_factory=lambda: nn.Linear(2, 3))

    def checkpoints(self) -> Iterator[Checkpoint]:
        for number, value in enumerate(self.returns, 1):
            self.log.append(self.name)
            yield Checkpoint(
                mean_return=value,
                steps=100 * number,
                gradient_steps=10 * number,
                forwards=1000 * number,
                others={"entropy": value / 10},
            )

    def model(self) -> nn.Module:
        return self.net

    def state(self) -> State:
        return State.of(self.net)


@final
@dataclass
class Watch:
    """Keeps what is reported, in the log too, and may end it all."""

    log: list[str] = field(default_factory=list)
    stop_at: int = 10**9
    seen: dict[int, Mapping[str, float]] = field(default_factory=dict)

    def __call__(self, step: int, /, **metrics: float) -> None:
        self.log.append("report")
        self.seen[step] = metrics
        if step >= self.stop_at:
            raise Stopped


def run(made: Sequence[Trial], model: nn.Module, report: Report) -> Trained:
    context = Context(torch.device("cpu"), torch.float32, 0, {}, None, report)
    return trials.run(made, SETTING, model, context)


def pair(log: list[str]) -> tuple[Scripted, Scripted]:
    return Scripted("a", [1.0, 3.0], log), Scripted("b", [5.0, 1.0], log)


def test_trials_go_on_side_by_side_and_are_reported_together() -> None:
    watch = Watch()
    run(pair(watch.log), nn.Linear(2, 3), watch)
    assert watch.log == ["a", "b", "report", "a", "b", "report"]


def test_what_is_reported_is_of_the_mean_of_all_trials() -> None:
    watch = Watch()
    trained = run(pair(watch.log), nn.Linear(2, 3), watch)
    price = 9 / 1e4
    assert watch.seen[100] == pytest.approx(
        {"fitness": 0.3 - price, "area": 0.3, "final_return": 3.0, "entropy": 0.3}
    )
    assert watch.seen[200]["area"] == pytest.approx((3.0 + 2.0) / 2 / 10)
    assert trained.metrics.items() >= watch.seen[200].items()


def test_the_weights_of_the_largest_area_are_handed_on() -> None:
    first, second = pair([])
    model = nn.Linear(2, 3)
    trained = run((first, second), model, Watch())
    assert torch.equal(model.state_dict()["weight"], second.net.state_dict()["weight"])
    assert trained.state is not None
    assert torch.equal(trained.state.tensors["weight"], second.net.state_dict()["weight"])


def test_what_all_trials_took_is_counted() -> None:
    trained = run(pair([]), nn.Linear(2, 3), Watch())
    assert trained.samples == 400
    assert trained.metrics["steps"] == 400
    assert trained.metrics["gradient_steps"] == 40
    assert trained.metrics["return_range"] == pytest.approx(3.0 - 2.0)
    spent = 3 * 6 * trained.samples + trained.extra_macs
    assert spent == 6 * 4000, "multiply-accumulates of a pass, times the passes"


def test_a_stopped_training_has_the_outcome_so_far() -> None:
    watch = Watch(stop_at=100)
    trained = run(pair(watch.log), nn.Linear(2, 3), watch)
    assert trained.stopped
    assert trained.samples == 200
    assert watch.log == ["a", "b", "report"]
    assert trained.metrics["final_return"] == 3.0


def test_weights_that_are_no_numbers_are_a_divergence() -> None:
    first, second = pair([])
    nn.init.constant_(next(second.net.parameters()), float("nan"))
    with pytest.raises(FloatingPointError, match="weights that are not finite"):
        run((first, second), nn.Linear(2, 3), Watch())


def test_copies_train_apart_and_leave_the_candidate_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).eval()
    before = State.of(model).tensors
    first, second = trials.copies(model, 2)
    for parameter in first.parameters():
        nn.init.zeros_(parameter)
    for other in (model, second):
        assert torch.equal(State.of(other).tensors["0.weight"], before["0.weight"])
    assert first.training
    assert not model.training
