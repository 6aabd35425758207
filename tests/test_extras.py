"""Which extra brings a module that is missing."""

import sys

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
