"""Searches for candidates of several networks: from the run to one of them in a file."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from support.following_critics import SEARCH
from torch import nn

from evonas import api, config
from evonas.api import Found
from evonas.errors import ConfigError
from evonas.export import FORMATS, load
from evonas.state import TARGET, TRAINER

NETWORKS = ("actor", "critic1", "critic2")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return api.search(SEARCH, out=tmp_path_factory.mktemp("policies") / "run")


def test_every_network_of_a_policy_is_edited(found: Found):
    edits = [edit for one in found.history for edit in one.birth.genome.edits]
    edited = {target.partition("/")[0] for edit in edits for target in edit.targets}
    assert set(NETWORKS) <= edited


def test_targets_and_moments_are_inherited_by_every_child(found: Found):
    for one, _ in found.history.evaluated():
        state = found.member(one.number).state()
        shapes = {name: tensor.shape for name, tensor in state.own.tensors.items()}
        target = state.part(TARGET).tensors
        assert {name: tensor.shape for name, tensor in target.items()} == shapes
        assert set(state.slots["exp_avg"]) == set(shapes)


def test_what_is_the_trainers_is_inherited_as_it_is(found: Found):
    for one, evaluation in found.history.evaluated():
        parents = one.birth.parents[:1]
        before = [found.member(number).metrics["trainings"] for number in parents]
        assert evaluation.metrics["trainings"] == sum(before) + 1
        tensors = found.member(one.number).state().part(TRAINER).tensors
        assert float(tensors["trainings"]) == evaluation.metrics["trainings"]


def test_a_policy_is_replayed_bit_for_bit(found: Found):
    last = max(one.number for one, evaluation in found.history.evaluated() if evaluation.weights)
    again = found.replay(last)
    assert again.equal, again.text


def test_report_and_lineage_show_policies(found: Found, tmp_path: Path):
    page = found.report(tmp_path / "report.html", test=True).read_text(encoding="utf-8")
    assert "critic1" in page
    assert len(found.lineage()) == len(found.history)


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_actor_leaves_alone_in_every_format(form: str, found: Found, tmp_path: Path):
    to = tmp_path / f"actor{FORMATS[form].suffix}"
    files = found.best().export(to, form, network="actor")
    assert to in files
    assert sorted(tmp_path.iterdir()) == list(files)
    assert not [file for file in files if b"critic" in file.read_bytes()]


def test_an_actor_in_a_file_computes_what_the_searched_one_does(found: Found, tmp_path: Path):
    best = found.best()
    (file,) = best.export(tmp_path / "actor.safetensors", network="actor")
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    model = best.model()
    assert isinstance(model, nn.ModuleDict)
    torch.testing.assert_close(load(file)(inputs), model["actor"](inputs), rtol=0, atol=0)


def test_an_actors_file_tells_its_own_sizes(found: Found):
    best = found.best()
    (file,) = best.export(network="actor")
    assert file.name == f"candidate-{best.number}-actor.safetensors"
    with safe_open(file, framework="pt") as opened:
        about = opened.metadata()
        numbers = sum(opened.get_tensor(name).numel() for name in opened.keys())  # noqa: SIM118
    assert (about["network"], about["parameters"]) == ("actor", str(numbers))
    assert numbers < best.metrics["parameters"]
    assert about["error"] == f"{best.metrics['error']:.6g}"


@pytest.mark.slow
def test_a_format_of_one_network_a_file_names_the_files_it_wrote(found: Found, tmp_path: Path):
    files = found.best().export(tmp_path / "policy.pt2")
    assert files == tuple(tmp_path / f"policy-{name}.pt2" for name in NETWORKS)
    assert sorted(tmp_path.iterdir()) == list(files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "actr"}, "did you mean 'actor'"),
        ({"network": "actor", "view": "shallow"}, "a view or a network"),
    ],
)
def test_what_is_no_network_leaves_no_file(
    options: dict[str, str], message: str, found: Found, tmp_path: Path
):
    with pytest.raises(ConfigError, match=message):
        found.best().export(tmp_path / "out.safetensors", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table", ["genes", "final", "retrain"])
def test_one_search_is_one_species(table: str):
    value = {"choices": ["here", "there"]} if table == "genes" else "there"
    with pytest.raises(ConfigError, match=r"'environment' .* one search is one species"):
        config.from_table({**SEARCH, table: {"environment": value}}, "species")


@pytest.mark.parametrize("field", ["environment", "options", "judging.episodes", "trials"])
def test_what_judges_a_policy_is_no_gene_of_it(field: str):
    trainer = {"name": "ppo", "environment": "CartPole-v1"}
    changes = {"trainer": trainer, "objectives": {"fitness": "max"}}
    genes = {field: {"choices": [1, 2]}}
    with pytest.raises(ConfigError, match="the same for all candidates"):
        config.from_table({**SEARCH, **changes, "genes": genes}, "species")
