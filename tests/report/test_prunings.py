"""What the reports say about pruning is so, and is said only where there was any."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from histories import OBJECTIVES, history
from pruned_histories import GROUP, judged, pruned_history
from rich.console import Console

from evonas.genome.pruning import Kept
from evonas.history import Evaluation, History, Individual
from evonas.report import tables, terminal
from evonas.report.html import html
from evonas.report.prunings import kept_by_group, methods, pruned_births, pruned_by


@dataclass
class Row:
    """A stand-in for what the API calls a member."""

    individual: Individual


def with_outcome(number: int, outcome: Evaluation) -> History:
    """Return the pruned search with another outcome of one individual."""
    found = list(pruned_history())
    found[number] = replace(found[number], outcome=outcome)
    return History(found)


def front_in_terminal(individuals: Iterable[Individual]) -> str:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as captured:
        console.print(terminal.front_table([*map(Row, individuals)], OBJECTIVES, ()))
    return captured.get()


def test_births_that_were_trained_without_pruning_are_no_pruned_births() -> None:
    assert [birth.individual.number for birth in pruned_births(pruned_history())] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    "outcome", [replace(judged(0.1, 0.1, 1.0), same_as=1), judged(float("nan"), 0.1, 1.0)]
)
def test_repeats_and_diverged_births_do_not_count(outcome: Evaluation) -> None:
    found = pruned_births(with_outcome(2, outcome))
    assert [birth.individual.number for birth in found] == [1, 3, 5]


def test_a_method_is_judged_by_its_mean_gap_and_its_best_rebuilt_network() -> None:
    best, middle, worst = methods(pruned_births(pruned_history()))
    assert (best.name, best.births, best.best) == ("ghfp", 2, 0.26)
    assert best.gap == pytest.approx(0.01)
    assert (middle.name, middle.gap) == ("sfp", pytest.approx(0.04))
    assert worst.name == "set"


def test_what_is_left_of_a_group_is_known_for_every_pruned_member() -> None:
    seed, first, _, varied, *_ = pruned_history()
    assert kept_by_group([varied, seed, first]) == {GROUP: {3: Kept(4, 8), 1: Kept(5, 8)}}


def test_a_child_of_a_pruned_one_says_how_its_line_was_pruned() -> None:
    assert pruned_by(pruned_history()[4]) == "ghfp (l1), 4 of 8 channels"


def test_the_front_says_how_its_members_were_pruned() -> None:
    members = list(pruned_history())
    for shown in (front_in_terminal(members), tables.front_table(members, OBJECTIVES)):
        assert "pruned by" in shown
        assert "sfp (l2), 3 of 8 channels" in shown


def test_a_front_of_which_nobody_was_pruned_does_not_speak_of_it() -> None:
    members = list(history(4))
    for shown in (front_in_terminal(members), tables.front_table(members, OBJECTIVES)):
        assert "pruned" not in shown


def test_the_report_shows_the_gap_of_every_pruned_birth() -> None:
    page = html(pruned_history(), OBJECTIVES, "digits", {})
    for line in ("sfp: 0.3 masked, 0.34 rebuilt", "ghfp: 0.24 masked, 0.26 rebuilt"):
        assert line in page


def test_the_report_shows_what_the_front_kept_of_each_group() -> None:
    page = html(pruned_history(), OBJECTIVES, "digits", {})
    assert f"#3 {GROUP}\nkeeps 4 of 8" in page
    assert "--kept:50%" in page


def test_a_report_without_pruning_has_no_section_about_it() -> None:
    assert "<h2>Pruning</h2>" not in html(history(), OBJECTIVES, "digits", {})
    assert "<h2>Pruning</h2>" in html(pruned_history(), OBJECTIVES, "digits", {})


def test_pruning_that_only_failed_has_a_report() -> None:
    lost = history()[4].outcome
    found = [replace(one, outcome=lost) if one.number else one for one in pruned_history()]
    assert "<h2>Pruning</h2>" not in html(History(found), OBJECTIVES, "digits", {})
