"""The report is one well-formed page that shows everything and loads nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from histories import OBJECTIVES
from pruned_histories import pruned_history

from evonas.genome import Genome
from evonas.history import History, Individual, Objective
from evonas.report.html import html

TROUBLE = "<b>bad</b> & 'worse'"


class Reader(HTMLParser):
    """Checks that elements nest, and collects text and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.names: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.names.append(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(history: History, objectives: list[Objective]) -> str:
    tested = {"inherited": {"error": 0.123}, "from scratch": {"error": 0.456}}
    return html(history, objectives, "digits", {"births": 6}, tested)


def test_the_page_is_well_formed(page: str) -> None:
    assert Reader(page).open == []


def test_the_page_of_a_search_with_pruning_is_well_formed() -> None:
    assert Reader(html(pruned_history(), OBJECTIVES, "digits", {})).open == []


def test_the_page_loads_nothing(page: str) -> None:
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object"} & set(reader.names)
    assert not {"src", "href", "xlink:href"} & {name for name, _ in reader.attributes}
    assert set(re.findall(r"https?://[^\"' ]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "url(" not in page
    assert "@import" not in page


def test_every_member_of_the_front_is_in_plot_table_and_lineage(page: str) -> None:
    for number in (0, 1, 4):
        assert page.count(f'data-number="{number}"') == 3


def test_an_ancestor_of_the_front_is_in_the_lineage_and_others_are_not(page: str) -> None:
    assert page.count('data-number="2"') == 2
    assert page.count('data-number="5"') == 1


def test_names_from_outside_are_text(history: History, objectives: list[Objective]) -> None:
    page = html(history, objectives, TROUBLE, {"name": TROUBLE}, {TROUBLE: {TROUBLE: 1.0}})
    assert "<b>" not in page
    assert Reader(page).text.count(TROUBLE) >= 6


def test_failures_are_shown_with_their_traceback(page: str) -> None:
    reader = Reader(page)
    assert f"Traceback\n{TROUBLE}" in reader.text
    assert "1 failed" in reader.text


def test_the_results_on_the_test_data_are_shown(page: str) -> None:
    text = Reader(page).text
    assert "0.123" in text
    assert "from scratch" in text


def test_the_architecture_of_the_best_is_drawn(page: str) -> None:
    assert "Architecture of #4" in page
    assert "linear 3" in page


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_an_unfinished_search_has_a_report(
    history: History, objectives: list[Objective], length: int
) -> None:
    assert Reader(html(history.until(length), objectives, "digits", {})).open == []


def test_a_search_in_which_all_failed_has_a_report(
    individuals: list[Individual], objectives: list[Objective]
) -> None:
    failed = replace(individuals[0], outcome=individuals[3].outcome)
    assert "Nothing has been evaluated" in html(History([failed]), objectives, "x", {})


def test_a_space_without_layer_graphs_has_a_report(
    individuals: list[Individual], objectives: list[Objective]
) -> None:
    birth = replace(individuals[0].birth, genome=Genome())
    history = History([replace(individuals[0], birth=birth)])
    assert "no layer graphs" in html(history, objectives, "x", {})


@pytest.mark.parametrize("names", [["error"], ["error", "macs", "parameters"]])
def test_any_number_of_objectives_has_a_report(history: History, names: list[str]) -> None:
    objectives = [Objective(name, "min") for name in names]
    assert html(history, objectives, "digits", {}).count("against") >= max(1, len(names) - 1)
