"""The loop's promises: limits, last trainings, early stopping, repeats, failures, replay."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import pytest
from support.tiny_search import TINY
from torch import Tensor, nn

from evonas import api, store
from evonas.errors import ConfigError, EvonasError
from evonas.history import Evaluation, Failure, Individual
from evonas.networks import Network, Signatures
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer


def searched(folder: Path, **changes: Any) -> api.Found:
    return api.search({**TINY, "name": "tiny", **changes}, out=folder)


def evaluations(found: api.Found) -> list[tuple[Individual, Evaluation]]:
    return found.history.evaluated()


def test_the_front_is_trained_once_more_with_its_weights_inherited(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", final={"members": 3, "steps": 4, "lr": 0.0})
    final = [one for one in found.history if one.birth.operator == "final"]
    searched_for = [one for one in found.history if one.birth.operator != "final"]
    assert len(searched_for) == TINY["births"]
    assert 1 <= len(final) <= 3
    for one in final:
        assert isinstance(one.outcome, Evaluation)
        assert one.outcome.cost.samples == 4 * 32
        parent = found.member(one.birth.parents[0])
        assert one.outcome.metrics["error"] == pytest.approx(parent.metrics["error"], rel=1e-6)


def test_more_births_go_on_after_a_last_training(tmp_path: Path) -> None:
    table = {"final": {"members": 2, "steps": 4}}
    first = searched(tmp_path / "run", births=6, **table)
    more = searched(tmp_path / "run", births=9, **table)
    operators = [one.birth.operator for one in more.history]
    assert [one.birth.operator for one in first.history] == operators[: len(first.history)]
    assert sum(operator != "final" for operator in operators) == 9
    assert operators[-1] == "final"


def test_no_candidate_is_trained_that_breaks_a_limit(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", births=20, limits={"parameters": 30})
    for _, evaluation in evaluations(found):
        assert evaluation.metrics["parameters"] <= 30
    free = searched(tmp_path / "free", births=20)
    assert max(e.metrics["parameters"] for _, e in evaluations(free)) > 30


def test_a_seed_that_breaks_a_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the seed network is too large: parameters"):
        searched(tmp_path / "run", limits={"parameters": 3})
    assert not (tmp_path / "run").exists()


def test_a_gene_that_does_not_hold_the_trainers_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gene lr: the trainer starts with 0\.05"):
        searched(tmp_path / "run", genes={"lr": {"low": 0.1, "high": 0.2}})


def test_whoever_is_worse_than_the_median_is_stopped_early(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", births=24, stop={"after": 4, "warmup": 0})
    stopped = [one for one, evaluation in evaluations(found) if evaluation.stopped]
    assert stopped
    for one in stopped:
        step, last = found.member(one.number).evaluation.curve[-1]
        known = found.history.until(max(1, one.number - TINY["lookahead"] + 1)).evaluated()
        median = statistics.median(
            e.curve[step][1]["error"] for _, e in known if len(e.curve) > step
        )
        assert last["error"] > median


def test_scratch_children_do_not_start_where_their_parents_ended(tmp_path: Path) -> None:
    inherited = searched(tmp_path / "inherited", births=8)
    scratch = searched(tmp_path / "scratch", births=8, inherit=False)
    control = next(n for n, one in enumerate(inherited.history) if one.birth.genome.edits)
    start = inherited.member(control).evaluation.curve[0][1]["error"]
    assert start < scratch.member(control).evaluation.curve[0][1]["error"]


def test_another_question_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    searched(tmp_path / "run", births=3)
    with pytest.raises(ConfigError, match=r"holds a search with seed = None, now it is 5|seed"):
        searched(tmp_path / "run", births=3, seed=5)


def test_an_exception_before_anything_has_succeeded_stops_the_search(tmp_path: Path) -> None:
    with pytest.raises(EvonasError, match="the first candidate failed"):
        searched(tmp_path / "run", trainer="test_loop:Broken")
    assert store.read_journal(tmp_path / "run")[0].outcomes == {}


def test_too_many_failures_in_a_row_stop_the_search_and_are_kept(tmp_path: Path) -> None:
    trainer = {"name": "test_loop:Fickle", "good": 2}
    with pytest.raises(EvonasError, match="3 candidates in a row failed"):
        searched(tmp_path / "run", trainer=trainer, max_failures=3, genes={})
    outcomes = store.read_journal(tmp_path / "run")[0].outcomes.values()
    assert sum(isinstance(outcome, Failure) for outcome in outcomes) == 2


def test_a_candidate_made_again_from_its_ancestors_has_the_same_weights(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", births=14)
    youngest = max(one.number for one, _ in evaluations(found))
    told: list[str] = []
    again = found.replay(youngest, told.append)
    assert again.equal, again.text
    assert told[-1].endswith(f"({found.history[youngest].birth.operator})")


def test_the_test_data_are_judged_once_as_inherited_and_from_scratch(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", retrain={"steps": 5})
    page = found.report(test=True).read_text(encoding="utf-8")
    first = (found.folder / "test.json").read_text(encoding="utf-8")
    assert "from scratch" in page
    found.report(test=True)
    assert (found.folder / "test.json").read_text(encoding="utf-8") == first


@final
@dataclass(frozen=True, kw_only=True)
class Broken(Trainer):
    """Raises at once."""

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    lr: float = 0.05

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return api.config.plugins.construct(Trainer, TINY["trainer"], "t").prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return api.config.plugins.construct(Trainer, TINY["trainer"], "t").signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        raise RuntimeError("a slip in the set-up")

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return {}


@final
@dataclass(frozen=True, kw_only=True)
class Fickle(Trainer):
    """Succeeds on networks with at most so many layers of weights, and fails on all others."""

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    good: int = 1

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Broken().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Broken().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        if context.inherited is not None:
            raise FloatingPointError("a child")
        return Trained({"error": 1.0}, 0, State.of(model))

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return {}
