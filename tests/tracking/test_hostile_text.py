"""Whatever a plug-in, an exception or a server writes arrives as text that can be kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from histories import evaluation, seed_genome
from mlflow_reading import LONG, candidates, search

from evonas.genome import Birth, Genome
from evonas.history import Failure, Individual
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.mlflow_values import key_of
from evonas.tracking.plain_text import plain
from evonas.tracking.record import LONGEST_VALUE, record
from evonas.tracking.tracker import track

HOSTILE = "a\x00b\x1b[31m\ud800\x9b" + "x" * 20_000


def failed(message: str) -> list[Individual]:
    failure = Failure("error", message, message)
    born = Birth(seed_genome(), "seed", (), 1), Birth(seed_genome(), HOSTILE, (0,), 2)
    return [Individual(0, born[0], evaluation(0.4, 1.0)), Individual(1, born[1], failure)]


def test_hostile_text_does_not_keep_a_candidate_out(uri: str) -> None:
    told = track(MlflowTracker(uri=uri), search(name=HOSTILE), failed(HOSTILE), (), LONG)
    assert told == ""
    assert sorted(candidates(uri)) == [0, 1]


def test_what_arrives_is_bounded_and_printable(uri: str) -> None:
    track(MlflowTracker(uri=uri), search(), failed(HOSTILE), (), LONG)
    run = candidates(uri)[1]
    assert all(len(value) <= LONGEST_VALUE for value in run.data.tags.values())
    assert all(value.isprintable() for value in run.data.tags.values())
    assert len(run.info.run_name or "") <= 250


def test_a_network_cannot_name_a_file_outside_its_run() -> None:
    graph = seed_genome().architecture["net"]
    genome = Genome({"../../net": graph, "/etc/net": graph})
    one = Individual(0, Birth(genome, "seed", (), 1), evaluation(0.4, 1.0))
    files = record(one, None, one.outcome.cost).files
    assert {"______net.svg", "_etc_net.svg"} <= set(files)
    assert all(Path(name).name == name for name in files)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/x", "a//b", "a/../b", "x" * 999, "\ud800"]
)
def test_mlflow_takes_any_name_of_a_parameter(uri: str, name: str) -> None:
    genome = replace(seed_genome(), settings={name: 1})
    one = Individual(0, Birth(genome, "seed", (), 1), evaluation(0.4, 1.0))
    assert track(MlflowTracker(uri=uri, models=False), search(), [one], (), LONG) == ""


def test_parameters_whose_names_become_the_same_do_not_keep_a_candidate_out(uri: str) -> None:
    genome = replace(seed_genome(), settings={"lr (log)": 1, "lr [log]": 2})
    one = Individual(0, Birth(genome, "seed", (), 1), evaluation(0.4, 1.0))
    assert track(MlflowTracker(uri=uri, models=False), search(), [one], (), LONG) == ""


def test_long_names_that_differ_stay_different() -> None:
    assert key_of("x" * 300 + "a" + "x" * 300) != key_of("x" * 300 + "b" + "x" * 300)


def test_lines_and_letters_of_any_language_stay() -> None:
    text = "Verlust: 1\n\t\u03c0 \u2248 3.14"
    assert plain(text, 100) == text
