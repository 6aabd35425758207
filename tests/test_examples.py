"""The plug-ins of docs/plugins.md, run as they stand."""

import re
import tomllib
from pathlib import Path

import pytest

from evonas import api
from evonas.history import Evaluation
from evonas.testing import check_plugin

PLUGINS = [
    "examples.table_regression:TableRegression",
    "examples.table_networks:TableNetworks",
    "examples.residual_bottleneck:InsertBottleneck",
]
FILES = [
    "table_regression.py",
    "residual_bottleneck.py",
    "table_networks.py",
    "table_regression.toml",
]

pytestmark = pytest.mark.usefixtures("examples", "workplace")


@pytest.mark.slow
@pytest.mark.parametrize("name", PLUGINS)
def test_an_example_keeps_its_contract(name: str) -> None:
    lines, passed = check_plugin(name)
    assert passed, "\n".join(lines)


@pytest.mark.slow
def test_a_search_by_three_examples_finds_trained_networks(root: Path, workplace: Path) -> None:
    table = tomllib.loads((root / "examples/table_regression.toml").read_text(encoding="utf-8"))
    table |= {"births": 6, "executor": "serial", "tracker": "none"}
    found = api.search({**table, "trainer": {**table["trainer"], "epochs": 2}}, out=workplace / "r")
    assert len(found.history) == 6
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)
    best = found.best()
    assert best.metrics["rmse"] < 1.0, "predicting the mean has 1"
    assert sum(p.numel() for p in best.model().parameters()) == best.metrics["parameters"]


@pytest.mark.parametrize("name", FILES)
def test_the_documentation_shows_the_very_files(root: Path, name: str) -> None:
    text = (root / "docs" / "plugins.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```(?:python|toml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert (root / "examples" / name).read_text(encoding="utf-8") in shown
    assert f"(../examples/{name})" in text


def test_every_plug_in_of_the_documentation_is_tested(root: Path) -> None:
    text = (root / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert set(re.findall(r"evonas check (examples\.\S+)", text)) == set(PLUGINS)
