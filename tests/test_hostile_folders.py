"""A run folder may come from anybody: nothing in it runs code, writes elsewhere or takes memory."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.forgeries import CODES, JOURNALS, MARK, TEXTS
from support.hostile import BIRTH, STRANGER, change, first, replaced

from evonas import api, store
from evonas.api import Found
from evonas.errors import ConfigError, EvonasError, StoreError
from evonas.store import JOURNAL
from evonas.trust import SIGNATURE

MEGABYTES = 200
LOOKS: Mapping[str, Callable[[Found], object]] = {
    "front": lambda found: found.front(),
    "lineage": lambda found: found.lineage(),
    "report": lambda found: found.report(),
    "export": lambda found: found.best().export(),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder without a signature: somebody else's."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "stranger.toml").write_text(STRANGER, encoding="utf-8")
    api.search(folder / "stranger.toml", out=folder / "run")
    (folder / "run" / SIGNATURE).unlink()
    return folder / "run"


@pytest.fixture
def folder(made: Path, workplace: Path) -> Path:
    """A copy of it in an empty current folder, in which hostile code lies ready."""
    (workplace / "hostile.py").write_text(f"class Code:\n    pass\n{MARK}\n", encoding="utf-8")
    return shutil.copytree(made, workplace / "run")


@pytest.fixture(autouse=True)
def _harmless(workplace: Path) -> Iterator[None]:
    """Nothing ran, nothing is outside, and memory is as it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert {path.name for path in workplace.iterdir()} <= {"run", "hostile.py", "outside"}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * 1024, f"{grown} KB"


def refused(folder: Path, match: str = ".", looks: Iterable[str] = LOOKS) -> None:
    """Look into a folder in every way and be told in one line why not."""
    for look in looks:
        with pytest.raises(EvonasError, match=match) as caught:
            LOOKS[look](api.open_run(folder))
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("look", LOOKS)
def test_a_folder_of_somebody_else_that_names_no_code_can_be_looked_at(
    folder: Path, look: str
) -> None:
    assert LOOKS[look](api.open_run(folder))


@pytest.mark.parametrize("case", JOURNALS)
def test_a_journal_that_no_search_has_written_is_refused(folder: Path, case: str) -> None:
    change(folder, *JOURNALS[case])
    refused(folder)


@pytest.mark.parametrize("case", TEXTS)
def test_a_journal_that_is_no_strict_json_is_refused(folder: Path, case: str) -> None:
    replaced(folder, *TEXTS[case])
    refused(folder)


def test_the_line_and_the_file_are_named(folder: Path) -> None:
    change(folder, *JOURNALS["weights are a path"])
    refused(folder, r"line 2 of '.*journal\.jsonl'.*weights is '\.\./\.\./x'")


@pytest.mark.parametrize("case", [*JOURNALS, *TEXTS])
def test_repair_keeps_what_is_before_a_forged_line(folder: Path, case: str) -> None:
    if case in JOURNALS:
        change(folder, *JOURNALS[case])
    else:
        replaced(folder, *TEXTS[case])
    before = (folder / JOURNAL).read_bytes().splitlines()
    found = store.salvage(folder)
    assert len(found.lines) + len(found.damaged) == len(before)


@pytest.mark.parametrize("case", CODES)
def test_a_run_file_that_names_code_is_refused_before_that_is_imported(
    folder: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder.parent))
    table = store.read_config(folder)
    store.write_config(folder, {**table, **CODES[case]})
    refused(folder, "names code: .*; it would be run: look at it, then give --trust")


RUN_FILES: Mapping[str, bytes] = {
    "nothing": b"",
    "no text": b"\xff\xfe\x00",
    "nested too deep": b"a = " + b"[" * 10**5,
    "too long": b"#" * 2**21,
    "a number of 5000 digits": b"births = " + b"9" * 5000,
    "a key twice": b"births = 1\nbirths = 2\n",
}


@pytest.mark.parametrize("case", RUN_FILES)
def test_a_run_file_that_is_none_is_refused(folder: Path, case: str) -> None:
    (folder / "run.toml").write_bytes(RUN_FILES[case])
    refused(folder)


@pytest.mark.parametrize("name", ["run.toml", JOURNAL, "lock", "lineage.png", "report.html"])
def test_a_link_in_a_folder_is_refused_and_not_followed(
    folder: Path, made: Path, name: str
) -> None:
    stranger = made.parent / "stranger.toml"
    outside = folder.parent / "outside"
    outside.write_text("mine", encoding="utf-8")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    refused(folder)
    with pytest.raises(StoreError, match="is a link or a device"):
        api.search(stranger, out=folder)
    assert outside.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["run.toml", JOURNAL, "prepared.safetensors"])
def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, "is a link or a device")


def weights_of(folder: Path) -> list[Path]:
    return sorted((folder / "weights").iterdir())


WEIGHTS: Mapping[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.write_bytes(b""),
    "no header": lambda path: path.write_bytes(b"\0" * 64),
    "an endless header": lambda path: path.write_bytes(b"\xff" * 64),
    "a pickle": lambda path: path.write_bytes(b"\x80\x04cos\nsystem\n"),
    "another network's": lambda path: save_file({"x": torch.zeros(2)}, path),
    "a bad optimizer": lambda path: save_file({"optimizer/x": torch.zeros(2)}, path),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_are_none_are_refused(folder: Path, case: str) -> None:
    for path in weights_of(folder):
        WEIGHTS[case](path)
    refused(folder, looks=["export"])


@pytest.mark.parametrize("width", [2**14, 2**20, 2**31 - 1])
def test_a_network_that_is_larger_than_its_weights_is_not_built(folder: Path, width: int) -> None:
    for place in range(0, 6, 2):
        change(folder, place, lambda line: first(line, "conv")[3].update(out=width))
    refused(folder, looks=["export"])


@pytest.mark.parametrize("tensors", [{}, {"x": torch.zeros(1)}])
def test_data_that_are_of_no_trainer_are_refused(
    folder: Path, tensors: Mapping[str, torch.Tensor]
) -> None:
    save_file(dict(tensors), folder / "prepared.safetensors")
    refused(folder, looks=["export"])


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"inherited": 3}', '{"inherited": {"error": NaN}}', '{"a": {"b": "c"}}']
)
def test_results_of_a_test_that_was_none_are_refused(folder: Path, text: str) -> None:
    (folder / "test.json").write_text(text, encoding="utf-8")
    refused(folder, looks=["report"])


@pytest.mark.parametrize(
    "act",
    [
        lambda found: found.replay(0),
        lambda found: found.report(test=True),
    ],
    ids=["replay", "test"],
)
def test_what_trains_as_a_run_file_says_asks_for_trust(
    folder: Path, act: Callable[[Found], object]
) -> None:
    with pytest.raises(ConfigError, match=r"not signed by a search of yours, and this trains"):
        act(api.open_run(folder))


@pytest.mark.parametrize(
    "act", [lambda found: found.track(), lambda found: found.lineage("mlflow")], ids=["to", "from"]
)
def test_a_server_that_a_run_file_names_is_asked_only_with_trust(
    folder: Path, act: Callable[[Found], object]
) -> None:
    table = {**store.read_config(folder)}
    table["tracker"] = {"name": "mlflow", "uri": f"sqlite:///{folder.parent}/outside.db"}
    store.write_config(folder, table)
    with pytest.raises(ConfigError, match="not signed by a search of yours, and its run file"):
        act(api.open_run(folder))


def test_a_replay_with_trust_trains(folder: Path) -> None:
    assert api.open_run(folder, trust=True).replay(0).equal


@pytest.mark.slow
@pytest.mark.parametrize("command", ["front", "lineage", "report", "export", "replay", "track"])
def test_the_command_line_runs_no_code_of_the_current_folder(folder: Path, command: str) -> None:
    table = {**store.read_config(folder), **CODES["trainer"]}
    store.write_config(folder, table)
    script = "from evonas.__main__ import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, command, "run"],
        cwd=folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "names code: 'hostile:Code'" in done.stderr


def test_the_stranger_of_these_tests_is_read_as_it_is(folder: Path) -> None:
    change(folder, BIRTH, lambda _: None)
    assert api.open_run(folder).best().number >= 0
