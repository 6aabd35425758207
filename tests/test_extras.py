"""Which extra brings a module that is missing."""

import sys
from pathlib import Path

import pytest

from evonas import plugins
from evonas.errors import ConfigError
from evonas.extras import install_command


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("gymnasium", "pip install 'evonas[rl]'"),
        ("mujoco.renderer", "pip install 'evonas[rl]'"),
        ("ale_py", "pip install 'evonas[atari]'"),
        ("onnxruntime", "pip install 'evonas[onnx]'"),
        ("torch", None),
        ("no_module_of_anybody", None),
    ],
)
def test_the_extra_is_read_from_the_metadata(module: str, command: str | None) -> None:
    assert install_command(module) == command


def test_what_every_installation_needs_is_brought_by_no_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "plugs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plugs\nVersion: 1.0\nProvides-Extra: more\n"
        'Requires-Dist: always_there; python_version >= "3.0"\n'
        'Requires-Dist: sometimes_there; extra == "more"\n',
        encoding="utf-8",
    )
    (about / "entry_points.txt").write_text("[evonas.spaces]\nplug = plugs:Plug\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert install_command("sometimes_there") == "pip install 'plugs[more]'"
    assert install_command("always_there") is None


def test_a_module_of_nobody_is_missing_without_advice() -> None:
    with pytest.raises(ConfigError, match=r"No module named 'no_module_of_anybody'$"):
        plugins.load_attribute("no_module_of_anybody:X")


def test_a_plug_in_whose_module_is_missing_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "evonas_trainers.reinforcement.making", raising=False)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigError, match=r"cannot import .*; install it with pip install 'evonas"):
        plugins.load_attribute("evonas_trainers.reinforcement.making:vector")
