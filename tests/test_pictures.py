"""The report asks the trainer what the best candidate does, and survives whatever it answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_search import TINY

from evonas import api
from evonas.pictures import pictures_of

SHOWING = "support.showing:Showing"


def page_of(folder: Path, trainer: dict[str, Any] | str, **changes: object) -> str:
    table = {**TINY, "name": "tiny", "births": 2, "trainer": trainer, **changes}
    return api.search(table, out=folder).report().read_text(encoding="utf-8")


def test_the_report_shows_what_the_best_candidate_does(tmp_path: Path) -> None:
    page = page_of(tmp_path / "tiny", SHOWING)
    assert "data:image/png;base64," in page
    assert "<figcaption>mean " in page


def test_two_reports_of_a_search_show_the_same(tmp_path: Path) -> None:
    page_of(tmp_path / "tiny", SHOWING)
    pages: list[str] = []
    for _ in range(2):
        pages.append(api.open_run(tmp_path / "tiny").report().read_text(encoding="utf-8"))
        torch.rand(1)
    assert pages[0] == pages[1]


def test_a_picture_that_fails_is_a_line_of_the_report(tmp_path: Path) -> None:
    page = page_of(tmp_path / "tiny", {"name": SHOWING, "trouble": "no <b>paint</b>\nleft"})
    assert "could not be made (RuntimeError: no &lt;b&gt;paint&lt;/b&gt;)" in page
    assert "Lineage of the front" in page


def test_a_best_candidate_without_weights_is_a_line_of_the_report(tmp_path: Path) -> None:
    page_of(tmp_path / "tiny", SHOWING)
    for file in (tmp_path / "tiny" / "weights").iterdir():
        file.unlink()
    page = api.open_run(tmp_path / "tiny").report().read_text(encoding="utf-8")
    assert "could not be made (StoreError" in page


def test_settings_that_fit_the_trainer_no_more_are_a_line_of_the_report(tmp_path: Path) -> None:
    page_of(tmp_path / "tiny", SHOWING)
    found = api.open_run(tmp_path / "tiny")
    best = found.best().individual
    birth = replace(best.birth, genome=best.birth.genome.with_settings({"gone": 1}))
    (line,) = pictures_of(
        found.folder, found.run, replace(best, birth=birth), is_trusted=True
    ).values()
    assert "could not be made (ConfigError" in str(line)


def test_a_trainer_without_pictures_has_a_report_without(tmp_path: Path) -> None:
    assert "figure><img" not in page_of(tmp_path / "tiny", TINY["trainer"])


@pytest.mark.parametrize("trust", [False, True])
def test_pictures_of_a_folder_of_somebody_else_are_made_with_trust_alone(
    tmp_path: Path, trust: bool
) -> None:
    page_of(tmp_path / "tiny", SHOWING)
    found = replace(api.open_run(tmp_path / "tiny"), is_trusted=trust)
    page = found.report().read_text(encoding="utf-8")
    assert ("data:image/png" in page) is trust
    assert ("give --trust" in page) is not trust
