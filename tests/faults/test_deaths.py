"""A search that dies at any event of its files loses nothing, and comes to the same record."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import disk_trouble

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]


def searches(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Let searches die as the arguments say; return what became of each."""
    done = subprocess.run(
        [sys.executable, disk_trouble.__file__, str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return searches(tmp_path_factory.mktemp("deaths"), "deaths")


def check_continued(died: dict[str, Any], whole: dict[str, Any]) -> None:
    """Check that nothing was lost, and that the search went on to the same record."""
    assert died["status"] == 0, died["event"]
    assert all(line in whole["after"] for line in died["before"]), died["event"]
    assert died["after"] == whole["after"], died["event"]
    assert died["files"] == whole["files"], died["event"]


def test_a_search_that_dies_at_any_event_of_its_files_comes_to_the_same_record(
    deaths: list[dict[str, Any]],
) -> None:
    *dead, whole = deaths
    assert len(whole["after"]) == 2 * disk_trouble.BIRTHS
    assert whole["event"] == "none"
    for died in dead:
        check_continued(died, whole)


@pytest.mark.parametrize(
    "event",
    [
        "open lock",
        "open journal.jsonl",
        "before fsync journal.jsonl",
        "after fsync journal.jsonl",
        "os.rename .run.toml",
        "os.rename .prepared.json",
        "os.rename .prepared.safetensors",
        "open weights/.",
        "os.rename weights/.",
        "after fsync weights",
    ],
)
def test_searches_of_these_tests_die_at_events_of_every_kind(
    deaths: list[dict[str, Any]], event: str
) -> None:
    assert any(died["event"].startswith(event) for died in deaths)


def test_a_death_in_mid_write_leaves_a_torn_line_that_costs_nothing_recorded(
    deaths: list[dict[str, Any]], tmp_path: Path
) -> None:
    whole, length = deaths[-1], 10_000
    lengths = [*range(40, 2_000, 280), *range(2_000, length, 611)]
    died = searches(tmp_path, "cuts", *map(str, lengths))
    for one in died:
        check_continued(one, whole)
    assert sum(one["is_torn"] for one in died) >= 5
    assert sum(not one["is_torn"] for one in died) >= 3  # in the draft of another file
