"""How a cohort did is read from the curve alone, and a dead edge can be seen."""

import io
import re
from dataclasses import dataclass, replace

import pytest
from cohort_histories import HINT, HINTED, KD, KL, PEERED, TASK, cohort_history, diagnosed
from histories import OBJECTIVES, history
from rich.console import Console

from evonas.genome.cohort import Cohort, Edge
from evonas.genome.schedule import Curve
from evonas.history import Evaluation, History, Individual
from evonas.report import tables, terminal
from evonas.report.board import Board, panel
from evonas.report.cohort_picture import cohort_picture
from evonas.report.cohorts import Diagnosis, diagnosis, learns_with
from evonas.report.html import html


@dataclass
class Row:
    """A stand-in for what the API calls a member."""

    individual: Individual


def found(number: int) -> Diagnosis:
    made = diagnosis(cohort_history()[number])
    assert made is not None
    return made


def with_cohort(cohort: Cohort, outcome: Evaluation) -> Individual:
    one = cohort_history()[0]
    return replace(
        one, birth=replace(one.birth, genome=cohort.put_into(one.birth.genome)), outcome=outcome
    )


def test_an_edge_is_known_by_its_last_numbers() -> None:
    end = next(end for end in found(0).edges if end.edge == KL)
    assert (end.weight, end.loss, end.gradient) == (0.9, 0.5, pytest.approx(0.2 / 3))
    assert not end.is_dead


def test_an_edge_with_hardly_any_gradient_beside_the_others_is_dead() -> None:
    assert found(1).dead == {HINT.name}


@pytest.mark.parametrize(("gradient", "is_dead"), [(0.9e-3, True), (1.1e-3, False)])
def test_an_edge_dies_at_a_thousandth_of_the_largest_gradient(
    gradient: float, is_dead: bool
) -> None:
    strongest = 0.2 / 3
    outcome = diagnosed(0.3, HINTED, {HINT.name: gradient * strongest})
    made = diagnosis(with_cohort(HINTED, outcome))
    assert made is not None
    assert (HINT.name in made.dead) == is_dead


def test_a_weak_gradient_is_compared_with_those_at_the_same_node_alone() -> None:
    peers = {edge.name: 1e-5 for edge in PEERED.edges if edge.to == "peer:logits"}
    made = diagnosis(with_cohort(PEERED, diagnosed(0.3, PEERED, peers)))
    assert made is not None
    assert not made.dead


def test_an_edge_without_weight_is_dead_even_if_nothing_was_reported_of_it() -> None:
    off = replace(KL, weight=Curve(end=0.0))
    cohort = replace(KD, edges=(TASK, off))
    for outcome in (diagnosed(0.3, cohort, {}), replace(diagnosed(0.3, cohort, {}), curve=())):
        made = diagnosis(with_cohort(cohort, outcome))
        assert made is not None
        assert made.dead == {off.name}


def test_what_was_never_reported_is_not_made_up() -> None:
    made = found(3)
    assert {(end.weight, end.loss, end.gradient) for end in made.edges} == {(None, None, None)}
    assert (made.entropies, made.diversity) == ({}, ())


def test_entropy_and_diversity_are_known_over_the_epochs() -> None:
    made = found(2)
    assert [step for step, _ in made.diversity] == [1, 2, 3]
    assert [value for _, value in made.entropies["ensemble"]] == pytest.approx([0.6, 0.5, 0.4])


def test_a_candidate_without_a_cohort_has_no_diagnosis() -> None:
    assert diagnosis(history()[0]) is None
    assert learns_with(history()[0]) == ""


def test_the_front_says_with_whom_its_members_learn() -> None:
    members = list(cohort_history())
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as captured:
        console.print(terminal.front_table([*map(Row, members)], OBJECTIVES, ()))
    for shown in (captured.get(), tables.front_table(members, OBJECTIVES)):
        assert "learns with" in shown
        assert "kd, 7 edges, 1 member" in shown
    assert "learns with" not in tables.front_table(list(history()), OBJECTIVES)


def test_the_report_marks_the_dead_edge_of_a_member_of_the_front() -> None:
    page = html(cohort_history(), OBJECTIVES, "digits", {})
    assert 'hint <span class="dead-mark">dead</span>' in page
    assert "Entropy of ensemble" in page
    assert "Diversity of the cohort" in page
    assert "cohort/" not in page


def test_a_report_without_cohorts_has_no_section_about_them() -> None:
    assert "<h2>Cohorts</h2>" not in html(history(), OBJECTIVES, "digits", {})
    assert "<h2>Cohorts</h2>" in html(cohort_history(), OBJECTIVES, "digits", {})


def test_names_in_a_cohort_are_text() -> None:
    trouble = Edge(loss={"name": "<b>&"}, to="candidate:<b>", source="teacher:<b>")
    cohort = replace(KD, preset="<b>", edges=(TASK, trouble))
    one = with_cohort(cohort, diagnosed(0.3, cohort, {}))
    page = html(History([one]), OBJECTIVES, "digits", {})
    assert "<b>" not in page


def test_the_picture_has_a_box_for_everybody_and_says_who_teaches_whom() -> None:
    picture = cohort_picture(PEERED, {HINT.name})
    for kind in ("candidate", "teacher", "member", "aggregator"):
        assert picture.count(f'class="box {kind}"') == 1
    assert "kl from peer to candidate" in picture
    assert "teacher:logits goes into ensemble" in picture
    assert '<text class="loss dead"' in picture


def test_an_arrow_is_dead_if_all_of_its_losses_are() -> None:
    assert 'class="edge dead"' not in cohort_picture(HINTED, {HINT.name})
    assert 'class="edge dead"' in cohort_picture(HINTED, {HINT.name, KL.name})


def test_networks_that_teach_each_other_stand_in_one_row_below_their_teacher() -> None:
    boxes = re.findall(r'class="name" x="[^"]+" y="([^"]+)">(\w+)<', cohort_picture(PEERED))
    rows = {name: float(y) for y, name in boxes}
    assert rows["teacher"] < rows["ensemble"] < rows["candidate"] == rows["peer"]


def test_the_live_view_does_not_show_the_diagnosis() -> None:
    one = cohort_history()[2]
    assert isinstance(one.outcome, Evaluation)
    board = Board("digits", 5, None, OBJECTIVES)
    board.running[2] = one.birth
    board.reports[2] = one.outcome.curve[-1]
    console = Console(file=io.StringIO(), width=400)
    with console.capture() as captured:
        console.print(panel(board))
    assert "error 0.3" in captured.get()
    assert "cohort/" not in captured.get()
