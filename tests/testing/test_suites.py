"""The suites find what is broken: good plug-ins, each spoiled in one way."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evonas.controllers.controller import Question
from evonas.controllers.random_search import RandomSearch
from evonas.errors import ConfigError
from evonas.executors.executor import Evaluate, Listener, Pool
from evonas.executors.serial import Serial
from evonas.genome import Birth, Edit, Genome
from evonas.history import History
from evonas.seeds import Rng
from evonas.state import State
from evonas.testing import check_plugin, checks
from evonas.trainer import Context, Stopped, Trained

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("examples")]


def spoiled(good: type[Any], **parts: object) -> type[Any]:
    """Return a copy of a class with some parts replaced."""
    kept = {k: v for k, v in vars(good).items() if k not in {"__dict__", "__weakref__"}}
    return type(good.__name__, good.__bases__, {**kept, **parts})


def keeps(plugin: type[Any], claim: str) -> bool:
    """Return whether a plug-in keeps the promise that it claims."""
    check = next(check for check in checks(plugin) if check.claim == claim)
    try:
        check.verify()
    except (AssertionError, RuntimeError):
        return False
    return True


def bottleneck() -> type[Any]:
    from examples.residual_bottleneck import InsertBottleneck  # noqa: PLC0415 - the fixture finds it

    return InsertBottleneck


def regression() -> type[Any]:
    from examples.table_regression import TableRegression  # noqa: PLC0415 - the fixture finds it

    return TableRegression


def inheriting(change: Callable[[str, Tensor], Tensor | None]) -> Callable[..., State]:
    """Return an `inherit` that changes the new tensors, or leaves some out."""

    def inherit(
        self: object, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng
    ) -> State:
        given = bottleneck().inherit(self, before, after, edit, state, rng)
        changed = {name: change(name, tensor) for name, tensor in given.tensors.items()}
        return State({n: t for n, t in changed.items() if t is not None}, given.slots)

    return inherit


def _restless(self: object, genome: Genome, rng: Rng) -> Edit | None:
    edit = bottleneck().propose(self, genome, rng)
    return edit and genome.edit(edit.operator, *edit.targets, width=int(torch.randint(2, 99, ())))


def _off_the_record(self: object, genome: Genome, edit: Edit) -> Genome:
    return replace(bottleneck().apply(self, genome, edit), edits=genome.edits)


def _trusting(self: object, genome: Genome, edit: Edit) -> Genome:
    _ = genome.architecture[edit.targets[0].partition("/")[0]]
    return bottleneck().apply(self, genome, edit)


def _in_place(name: str, tensor: Tensor) -> Tensor:
    return tensor.add_(1.0) if name.endswith("bias") else tensor


MUTATIONS: Mapping[str, Mapping[str, object]] = {
    "propose draws from its generator alone": {"propose": _restless},
    "apply puts the edit on record": {"apply": _off_the_record},
    "an edit of something that is not there is an edit error": {"apply": _trusting},
    "inherited tensors are those of the child": {
        "inherit": inheriting(lambda name, tensor: None if "down" in name else tensor)
    },
    "inherited tensors keep their dtype": {"inherit": inheriting(lambda _, t: t.float())},
    "inherit leaves the parent as it was": {"inherit": inheriting(_in_place)},
    "inherit draws from its generator alone": {
        "inherit": inheriting(lambda _, tensor: tensor + torch.randn(()))
    },
    "the child computes what its parent computed": {
        "inherit": inheriting(lambda name, t: t + 1e-6 if "up" in name else t)
    },
    "it does so with batch statistics too": {
        "inherit": inheriting(lambda name, t: t + 1e-6 if "up" in name else t)
    },
    "new parameters move by the second step": {
        "inherit": inheriting(lambda name, t: t * 0 if "down" in name else t)
    },
    "a paper or source is named": {"source": ""},
    "the docstring says what it is": {"__doc__": None},
    "the class is final": {"__final__": False},
}


@pytest.mark.parametrize("claim", MUTATIONS)
def test_a_spoiled_mutation_is_found_out(claim: str) -> None:
    assert keeps(spoiled(bottleneck()), claim)
    assert not keeps(spoiled(bottleneck(), **MUTATIONS[claim]), claim)


def training(change: Callable[[nn.Module, Context, Callable[[], Trained]], Trained]) -> Any:
    """Return a `train` that does something around the good one."""

    def train(self: object, model: nn.Module, context: Context) -> Trained:
        return change(model, context, lambda: regression().train(self, model, context))

    return train


def _shaken(model: nn.Module, _: Context, go: Callable[[], Trained]) -> Trained:
    with torch.no_grad():
        next(model.parameters()).add_(torch.randn(()))
    return go()


def _greedy(_: nn.Module, context: Context, go: Callable[[], Trained]) -> Trained:
    context.prepared["train/x"].mul_(0.5)
    return go()


def _rude(_: nn.Module, __: Context, go: Callable[[], Trained]) -> Trained:
    trained = go()
    if trained.stopped:
        raise Stopped
    return trained


def _tuned(self: object, model: nn.Module, context: Context) -> Mapping[str, float]:
    regression().train(self, model, context)
    return regression().test(self, model, context)


TRAINERS: Mapping[str, Mapping[str, object]] = {
    "training depends on the seed alone": {"train": training(_shaken)},
    "training puts the global generators back": {"train": training(_shaken)},
    "training leaves the prepared data as they were": {"train": training(_greedy)},
    "a stopped training still has an outcome": {"train": training(_rude)},
    "testing returns metrics and changes no weight": {"test": _tuned},
    "training returns the promised metrics": {"metrics": {"rmse": "min", "mae": "min"}},
    "it says what it accepts and measures": {"metrics": {"rmse": "down"}},
    "training counts its samples": {"train": training(lambda _, __, go: replace(go(), samples=0))},
    "the trained state is that of the model": {
        "train": training(lambda _, __, go: replace(go(), state=None))
    },
    "training reports metrics at rising steps": {
        "train": training(lambda _, context, go: (context.report(1, rmse=1.0), go())[1])
    },
    "preparing depends on the seed alone": {
        "prepare": lambda self, _: regression().prepare(self, int(torch.randint(99, ())))
    },
}


@pytest.mark.parametrize("claim", TRAINERS)
def test_a_spoiled_trainer_is_found_out(claim: str) -> None:
    assert keeps(spoiled(regression()), claim)
    assert not keeps(spoiled(regression(), **TRAINERS[claim]), claim)


def _hasty(_: nn.Module, context: Context, go: Callable[[], Trained]) -> Trained:
    return [go() for _ in range(context.parts)][-1]


def _forgetful(_: nn.Module, context: Context, go: Callable[[], Trained]) -> Trained:
    trained = go()
    return replace(trained, samples=trained.samples // context.parts)


@pytest.mark.parametrize("change", [_hasty, _forgetful])
def test_a_trainer_that_does_something_else_in_parts_is_found_out(
    change: Callable[[nn.Module, Context, Callable[[], Trained]], Trained],
) -> None:
    claim = "a batch in parts is one step"
    assert keeps(spoiled(regression(), accumulates=True), claim)
    assert not keeps(spoiled(regression(), accumulates=True, train=training(change)), claim)


def proposing(change: Callable[[Birth, History, int], Birth]) -> Callable[..., Birth]:
    """Return a `propose` that changes what the good one proposes."""

    def propose(self: Any, history: History, question: Question, number: int, rng: Rng) -> Birth:
        return change(RandomSearch.propose(self, history, question, number, rng), history, number)

    return propose


def _remembering() -> Callable[..., Birth]:
    asked: list[int] = []

    def change(birth: Birth, _: History, number: int) -> Birth:
        asked.append(number)
        return replace(birth, seed=len(asked))

    return proposing(change)


def _longsighted(birth: Birth, history: History, _: int) -> Birth:
    return replace(birth, seed=len(history._log))  # pyright: ignore[reportPrivateUsage]


CONTROLLERS: Mapping[str, Callable[..., Birth]] = {
    "the same history gives the same birth": _remembering(),
    "what it was asked before changes nothing": _remembering(),
    "it sees no further than it is shown": proposing(_longsighted),
    "parents were known and evaluated": proposing(
        lambda birth, _, number: replace(birth, parents=(number - 1,))
    ),
    "the edits lead from the first parent to the genome": proposing(
        lambda birth, _, __: replace(birth, genome=birth.genome.with_settings({"x": 1}))
    ),
    "the search moves away from the seed": proposing(
        lambda birth, history, _: replace(birth, genome=history[0].birth.genome)
    ),
}


@pytest.mark.parametrize("claim", CONTROLLERS)
def test_a_spoiled_controller_is_found_out(claim: str) -> None:
    assert not keeps(spoiled(RandomSearch, propose=CONTROLLERS[claim]), claim)


def _deaf(self: Any, evaluate: Evaluate, _: Listener) -> Pool:
    return Serial.start(self, evaluate, lambda _: None)


def _fragile(self: Any, evaluate: Evaluate, listener: Listener) -> Pool:
    pool = Serial.start(self, evaluate, listener)
    pool._outcome = lambda job: evaluate(job, listener)  # pyright: ignore[reportAttributeAccessIssue]
    return pool


@pytest.mark.parametrize(
    ("claim", "start"),
    [
        ("reports arrive in order", _deaf),
        ("an exception is the failure of its candidate alone", _fragile),
        ("a candidate past its deadline times out", _fragile),
    ],
)
def test_a_spoiled_executor_is_found_out(claim: str, start: object) -> None:
    assert not keeps(spoiled(Serial, start=start), claim)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("serial", "'serial' names no plug-in; give `module:Class`, or KIND/NAME"),
        ("executor/serial", "unknown kind of plug-in 'executor'; did you mean 'executors'?"),
        ("executors/serrial", "unknown executor 'serrial'; did you mean 'serial'?"),
        ("evonas.nowhere:Thing", "cannot import 'evonas.nowhere:Thing'"),
        ("evonas.store:Store", "Store is no plug-in: derive it from one of SearchSpace, Trainer"),
    ],
)
def test_a_name_that_is_no_plug_in_is_explained(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_plugin(name)
    assert said in str(caught.value)
