"""The table `[pruning]`: what it takes, what it comes to, and what it says about the rest."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from support.pruning_search import PRUNING
from torch import nn

from evonas import api, config
from evonas.config import Run, question
from evonas.controllers.controller import Question
from evonas.errors import ConfigError
from evonas.genome.pruning import PruningGenes
from evonas.morph.prune_options import PruningOptions, Target
from evonas.setup import prepare

HARD = "support.pruning_search:Hard"
WEIGHTS = {"name": HARD, "granularity": "weight"}
TRAINED = {"name": "adopted", "network": "test_config_pruning:trained", "operators": []}
PARAMETERS = 2 * 12 + 12 + 12 * 12 + 12 + 12 + 1


def run(pruning: object, **changes: Any) -> Run:
    return config.from_table({**PRUNING, "pruning": pruning, **changes}, "small")


def asked(folder: Path, pruning: object, **changes: Any) -> Question:
    return prepare(run(pruning, **changes), folder).question


def options(folder: Path, pruning: object, **changes: Any) -> PruningOptions:
    found = asked(folder, pruning, **changes).pruning
    assert found is not None
    return found


def test_a_run_without_the_table_prunes_nothing(tmp_path: Path) -> None:
    table = {key: value for key, value in PRUNING.items() if key != "pruning"}
    made = config.from_table(table, "small")
    assert made.pruning is None
    found = prepare(made, tmp_path).question
    assert found.pruning is None
    assert "prune" not in found.mutations


def test_genes_start_at_the_first_preset_and_may_jump_to_the_others(tmp_path: Path) -> None:
    found = asked(tmp_path, {"presets": [HARD, {"name": HARD, "begin": 0.25}]})
    assert found.pruning is not None
    assert [one.begin for one in found.pruning.schedules] == [0.0, 0.25]
    assert {"prune", "prune-preset", "prune-transfer"} <= set(found.mutations)


def test_one_preset_leaves_nothing_to_jump_to(tmp_path: Path) -> None:
    assert "prune-preset" not in asked(tmp_path, {"preset": HARD}).mutations


def test_only_the_chosen_operators_are_there(tmp_path: Path) -> None:
    chosen = {"preset": HARD, "operators": ["prune", "prune-scale"]}
    space = {"name": "mlp", "hidden": 12, "operators": ["widen"]}
    found = asked(tmp_path, chosen, space=space)
    assert set(found.mutations) == {"widen", "prune", "prune-scale"}


@pytest.mark.parametrize(
    ("pruning", "limits", "target"),
    [
        ({"target": {"parameters": 0.5}}, {}, ("parameters", 0.5, 0.5)),
        ({"target": {"parameters": [0.25, 1]}}, {}, ("parameters", 0.25, 1.0)),
        (
            {"target": {"parameters": 100}},
            {"macs": 90},
            ("parameters", 100 / PARAMETERS, 100 / PARAMETERS),
        ),
        ({}, {"parameters": 80}, ("parameters", 80 / PARAMETERS, 80 / PARAMETERS)),
    ],
)
def test_a_target_is_a_number_a_share_of_the_seed_or_the_limit(
    tmp_path: Path,
    pruning: dict[str, Any],
    limits: dict[str, float],
    target: tuple[str, float, float],
) -> None:
    measure, low, high = target
    found = options(tmp_path, {"preset": HARD, **pruning}, limits=limits).target
    assert found is not None
    assert found.measure == measure
    assert (found.low, found.high) == pytest.approx((low * PARAMETERS, high * PARAMETERS))


def test_a_limit_on_macs_is_the_target_before_one_on_parameters(tmp_path: Path) -> None:
    found = options(tmp_path, {"preset": HARD}, limits={"parameters": 80, "macs": 70})
    assert found.target == Target("macs", 70.0, 70.0)


@pytest.mark.parametrize(
    ("pruning", "limits"),
    [
        ({"preset": HARD}, {}),
        ({"preset": HARD, "pruned_ratio": [0.1, 0.3]}, {"macs": 100}),
        ({"preset": WEIGHTS}, {"macs": 10_000}),
    ],
)
def test_there_may_be_no_target(
    tmp_path: Path, pruning: dict[str, Any], limits: dict[str, float]
) -> None:
    assert options(tmp_path, pruning, limits=limits).target is None


def test_the_norms_of_a_trained_network_are_those_of_its_filters(tmp_path: Path) -> None:
    found = options(tmp_path, {"preset": HARD, "ratios": "affine"}, space=TRAINED)
    (norms,) = found.norms.values()
    assert norms == pytest.approx([2**0.5 * (unit + 1) for unit in range(6)])


def trained() -> nn.Module:
    """Return a network whose hidden units have the norms of 1, 2, ... ones, whatever the seed."""
    hidden, head = nn.Linear(2, 6), nn.Linear(6, 1)
    with torch.no_grad():
        for number, parameter in enumerate((hidden.bias, head.weight, head.bias)):
            parameter.fill_(0.1 * number)
        hidden.weight.copy_(torch.arange(6.0, 0.0, -1.0)[:, None].expand(6, 2))
    return nn.Sequential(hidden, nn.ReLU(), head)


@pytest.mark.parametrize(
    ("pruning", "said"),
    [
        ("ghfp", "pruning is 'ghfp', should be a table"),
        ({}, 'pruning: give a method: preset = "ghfp", or presets = ["ghfp", "sfp"]'),
        ({"preset": HARD, "presets": [HARD]}, "pruning: give a method: preset"),
        ({"preset": "hrad"}, "unknown preset 'hrad'"),
        ({"presets": [{"name": HARD, "begins": 0}]}, "unknown key in preset: 'begins'; did you"),
        (
            {"preset": {"name": HARD, "until": 0.9}},
            f"preset {HARD!r}: alpha is Curve(kind='linear', start=1.0, end=0.0, until=0.9",
        ),
        (
            {"preset": HARD, "ratio": "free"},
            "unknown key in pruning: 'ratio'; did you mean 'ratios'",
        ),
        ({"preset": HARD, "ratios": "equal"}, "pruning.ratios is 'equal', should be 'free', "),
        ({"preset": HARD, "target": {"mac": 5}}, "unknown target 'mac'; did you mean 'macs'?"),
        ({"preset": HARD, "target": {"macs": -5}}, "a target needs 0 < low <= high"),
        ({"preset": HARD, "target": {"macs": [0.5, 200]}}, "give two numbers or two shares"),
        ({"preset": HARD, "target": {"macs": 1, "parameters": 1}}, "has one measure, given macs,"),
        ({"preset": HARD, "target": {"macs": "half"}}, "pruning.target is {'macs': 'half'}"),
        (
            {"preset": HARD, "target": {"macs": 0.5}, "pruned_ratio": [0.2, 0.3]},
            "give it or pruned_ratio, not both",
        ),
        ({"preset": HARD, "pruned_ratio": [0.6, 0.2]}, "0 < pruned_ratio < 1 (two numbers"),
        ({"preset": HARD, "least_ratio": 1.0}, "0 <= least_ratio < 1"),
        (
            {"preset": WEIGHTS, "target": {"macs": 0.5}},
            "single weights leave the MACs as they are; give pruned_ratio",
        ),
        ({"preset": WEIGHTS, "ratios": "affine"}, 'ratios = "affine" ranks filters'),
        ({"preset": HARD, "operators": ["prunes"]}, "unknown pruning operator 'prunes'; did you"),
        (
            {"preset": HARD, "operators": ["prune-preset"]},
            "unknown pruning operator 'prune-preset'",
        ),
    ],
)
def test_what_cannot_be_used_is_explained_in_a_line(pruning: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(pruning)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trainer_that_does_not_prune_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer Tiny does not prune; choose one that does"):
        run({"preset": HARD}, trainer="support.tiny_search:Tiny")


def test_single_weights_cannot_bring_a_seed_within_its_limits(tmp_path: Path) -> None:
    asking = {"preset": WEIGHTS, "pruned_ratio": [0.5, 0.5]}
    with pytest.raises(ConfigError, match="the seed network is too large: parameters"):
        asked(tmp_path, asking, limits={"parameters": PARAMETERS // 2})


def test_a_controller_that_knows_no_mutations_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"controller OptunaSampler does not prune; choose one"):
        run({"preset": HARD}, controller="optuna")


def test_a_target_that_the_least_widths_exceed_is_refused_with_what_they_have(
    tmp_path: Path,
) -> None:
    folder, pruning = tmp_path / "run", {"preset": HARD, "target": {"parameters": [5, 100]}}
    table = {**PRUNING, "pruning": {**pruning, "least_ratio": 0.25}}
    # three units in each hidden layer: 2 x 3 + 3, 3 x 3 + 3, 3 + 1
    with pytest.raises(ConfigError, match=r"the pruning target cannot be met: .*\b25\b"):
        api.search(table, out=folder)
    assert not folder.exists()


def test_an_affine_ranking_of_fresh_weights_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use the space 'adopted' with a trained network"):
        asked(tmp_path, {"preset": HARD, "ratios": "affine"})


def test_a_network_in_which_nothing_can_be_pruned_is_refused(tmp_path: Path) -> None:
    space = {"name": "mlp", "hidden": 1, "layers": 1}
    with pytest.raises(ConfigError, match="no channels that can be pruned"):
        asked(tmp_path, {"preset": HARD}, space=space)


def test_pruning_is_part_of_the_question(tmp_path: Path) -> None:
    api.search({**PRUNING, "births": 2}, out=tmp_path / "run")
    changed = {**PRUNING, "births": 2, "pruning": {"preset": HARD, "target": {"parameters": 0.5}}}
    with pytest.raises(ConfigError, match="holds a search with pruning = "):
        api.search(changed, out=tmp_path / "run")


def test_the_resolved_file_makes_the_same_run_again() -> None:
    made = config.from_table(PRUNING, "small")
    again = config.from_table(tomllib.loads(tomli_w.dumps(made.config)), "small")
    assert again == made
    assert "pruning" in question(made.config)


def test_every_run_file_can_be_read_and_those_named_so_prune(root: Path) -> None:
    files = sorted((root / "runs").glob("*.toml"))
    assert len(files) >= 10
    for path in files:
        prunes = path.stem.startswith("prune") or path.stem in {"cosearch", "sparse_policy"}
        assert (config.read(path).pruning is not None) == prunes


def test_a_network_that_a_search_has_trained_can_be_adopted_and_pruned(tmp_path: Path) -> None:
    dense = api.search({**PRUNING, "births": 1}, out=tmp_path / "dense")
    arguments = {"run": str(tmp_path / "dense")}
    space = {"name": "adopted", "network": "evonas.api:trained_network", "arguments": arguments}
    pruning = {"preset": HARD, "ratios": "affine", "target": {"parameters": 0.5}}
    table = {**PRUNING, "births": 4, "space": {**space, "operators": []}, "pruning": pruning}
    found = api.search(table, out=tmp_path / "pruned")
    start = found.member(0).evaluation.curve[0][1]["error"]
    assert start < dense.member(0).evaluation.curve[0][1]["error"]
    genes = PruningGenes.of(found.member(1).genome)
    assert genes is not None
    assert genes.affine
