"""Searches for sparse policies: candidates of several networks, pruned by genes of their own."""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import reach
from torch import nn

from evonas import api, config
from evonas.errors import ConfigError
from evonas.history import Evaluation
from evonas.morph.planned import planned
from evonas.state import TARGET
from evonas.store import JOURNAL, decisions

TINY: Mapping[str, Any] = {
    "births": 7,
    "seed": 1,
    "executor": "serial",
    "tracker": "none",
    "objectives": {"fitness": "max"},
    "space": {"name": "mlp", "hidden": 8, "layers": 2},
    "trainer": {
        "name": "td3",
        "environment": reach.NAME,
        "steps": 60,
        "judging": {"times": 2, "episodes": 2, "low": -4.0, "high": 0.0, "weight_price": 1.0},
        "collecting": {"start_steps": 30, "batch_size": 16},
    },
    "pruning": {"preset": {"name": "ds-td3", "interval": 5}},
    "controller": {"name": "eena", "population": 3},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> api.Found:
    return api.search(TINY, out=tmp_path_factory.mktemp("sparse") / "run")


def evaluated(found: api.Found) -> Mapping[int, Mapping[str, float]]:
    """Return the metrics of all candidates by number."""
    outcomes = {one.number: one.outcome for one in found.history}
    done = {one: each for one, each in outcomes.items() if isinstance(each, Evaluation)}
    assert len(done) == len(outcomes)
    return {number: outcome.metrics for number, outcome in done.items()}


def sparse(found: api.Found) -> list[int]:
    """Return the candidates that have lost weights."""
    return [number for number, metrics in evaluated(found).items() if "density" in metrics]


@pytest.mark.slow
def test_every_network_of_a_candidate_is_as_sparse_as_its_genes_say(found: api.Found) -> None:
    assert sparse(found)
    for number in sparse(found):
        plan = planned(found.member(number).genome, found.run.space.build)
        assert plan is not None
        model = found.member(number).model()
        assert {name.split(".")[0] for name in plan.weights} == {"actor", "critic1", "critic2"}
        for name, keep in plan.weights.items():
            assert keep - 2 <= int(model.get_parameter(name).count_nonzero()) <= keep


@pytest.mark.slow
def test_theoretical_costs_stand_beside_real_ones(found: api.Found) -> None:
    for number in sparse(found):
        metrics = evaluated(found)[number]
        model = found.member(number).model()
        layers = [one for one in model.modules() if isinstance(one, nn.Linear)]
        assert metrics["macs"] == sum(one.weight.numel() for one in layers)
        assert metrics["sparse_macs"] == sum(int(one.weight.count_nonzero()) for one in layers)
        assert metrics["sparse_macs"] <= metrics["live_macs"] <= metrics["macs"]


@pytest.mark.slow
def test_the_price_of_weights_is_of_those_that_are_there(found: api.Found) -> None:
    for number, metrics in evaluated(found).items():
        model = found.member(number).model()
        weights = sum(int(one.count_nonzero()) for one in model.parameters())
        assert metrics["fitness"] == pytest.approx(metrics["area"] - weights / 1e4)


@pytest.mark.slow
def test_children_inherit_sparse_networks_with_targets(found: api.Found) -> None:
    children = [one for one in sparse(found) if found.history[one].birth.parents]
    assert children
    for child in children:
        state = found.member(child).state()
        assert state.part(TARGET).tensors.keys() == state.own.tensors.keys()


@pytest.mark.slow
def test_a_search_that_is_cut_continues_to_the_same_journal(
    found: api.Found, tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(found.folder, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[: len(lines) // 2]))
    api.search(TINY, out=folder)
    assert decisions(folder) == decisions(found.folder)


def test_a_preset_whose_rule_policies_do_not_follow_is_refused_when_it_is_read() -> None:
    with pytest.raises(ConfigError, match="Td3 prunes by regrow alone, and preset 'sfp' has"):
        config.from_table({**TINY, "pruning": {"preset": "sfp"}}, "tiny")


@pytest.mark.slow
def test_the_run_file_evolves_sparse_policies(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/sparse_policy.toml").read_text(encoding="utf-8"))
    table["trainer"] |= {"steps": 60, "judging": {"times": 1, "episodes": 1, "weight_price": 0.2}}
    table["trainer"]["collecting"] = {"start_steps": 40, "batch_size": 16}
    table |= {"births": 5, "executor": "serial"}
    cut = api.search(table, out=tmp_path / "run")
    assert sparse(cut)
