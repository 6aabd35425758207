"""A folder is its maker's by a signature; what it names is code only then."""

import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import api
from evonas.cohort_table import Teacher
from evonas.errors import ConfigError, StoreError
from evonas.genome import Birth, Genome
from evonas.genome.layers import LayerGraph
from evonas.store.shared import read_config, write_config
from evonas.teachers import KeptTeacher, check_teachers
from evonas.trust import SIGNATURE, check_births, check_run_file, is_signed

RUN: Mapping[str, Any] = {**TINY, "name": "tiny", "births": 1}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user without a key keeps one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def folder(state: Path, tmp_path: Path) -> Path:
    """A run of this user that names code: the trainer of these tests."""
    del state
    api.search(RUN, out=tmp_path / "run")
    return tmp_path / "run"


def test_a_search_signs_its_folder_with_a_key_that_its_user_alone_can_read(
    folder: Path, state: Path
) -> None:
    assert is_signed(folder)
    assert stat.S_IMODE((state / "evonas" / "key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (state / "evonas").iterdir()) == ["key"]


def test_ones_own_folder_opens_and_trains_again(folder: Path) -> None:
    assert api.open_run(folder).replay(0).equal


def test_two_folders_have_one_key(folder: Path, state: Path) -> None:
    before = (state / "evonas" / "key").read_bytes()
    api.search(RUN, out=folder.parent / "other")
    assert (state / "evonas" / "key").read_bytes() == before
    assert is_signed(folder)


def test_a_run_file_that_was_changed_is_nobodys(folder: Path) -> None:
    write_config(folder, {**read_config(folder), "births": 2})
    with pytest.raises(ConfigError, match=r"names code: .support\.tiny_search:Tiny."):
        api.open_run(folder)


@pytest.mark.parametrize("signature", ["", "0" * 64, "\u00e9", "x" * 10**6])
def test_a_forged_signature_is_none(folder: Path, signature: str) -> None:
    (folder / SIGNATURE).write_text(signature, encoding="utf-8")
    assert not is_signed(folder)


def test_another_users_folder_names_code_in_vain(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    with pytest.raises(ConfigError, match="give --trust"):
        api.open_run(folder)
    assert api.open_run(folder, trust=True).best().number == 0


def test_a_user_who_can_keep_no_key_searches_without_signing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    api.search(RUN, out=tmp_path / "run")
    assert not (tmp_path / "run" / SIGNATURE).exists()


def test_what_is_installed_is_no_code_of_a_strangers() -> None:
    check_run_file(Path(), {"space": {"name": "evonas_spaces.mlp:Mlp"}, "uri": "sqlite:///x:y"})


@pytest.mark.parametrize(
    "genome",
    [
        Genome(settings={"optimizer": "hostile:Code"}),
        Genome(settings={"optimizer": {"name": "hostile.part:Code"}}),
        Genome(chromosomes={"cohort": {"edges": [{"loss": {"name": "hostile:Code"}}]}}),
        Genome().with_edit(Genome().edit("settings", "settings/x", value="hostile:Code")),
    ],
)
def test_code_in_a_genome_is_of_packages_that_the_run_file_names(genome: Genome) -> None:
    births = [Birth(genome, "seed", (), 0)]
    with pytest.raises(StoreError, match=r"candidate 0 names the code 'hostile.*:Code'"):
        check_births(births, {"trainer": "support.tiny_search:Tiny"})
    check_births(births, {"trainer": "hostile:Trainer"})


def test_ends_of_cohorts_are_no_code() -> None:
    genome = Genome(chromosomes={"cohort": {"edges": [{"to": "os:system", "source": "a:b"}]}})
    check_births([Birth(genome, "seed", (), 0)], {})


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"t": Teacher(width=2.0)},
        {"t": Teacher(network="mine:make")},
        {"t": Teacher(network="os:system", arguments={"command": "another"})},
    ],
)
def test_a_teacher_is_made_by_the_code_that_the_run_file_names(asked: Any) -> None:
    kept = KeptTeacher(
        weights="",
        graph=None,
        network="os:system",
        arguments={"command": "ls"},
        parameters=0,
        made_from="",
    )
    with pytest.raises(StoreError, match="the teacher 't' is made by 'os:system'"):
        check_teachers({"t": kept}, asked)
    check_teachers({"t": kept}, {"t": Teacher(network="os:system", arguments={"command": "ls"})})
    check_teachers({"t": replace(kept, graph=LayerGraph(()))}, asked)
