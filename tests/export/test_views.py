"""What leaves a search is a plain network: a candidate without its cohort, or a view alone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from evonas import config, store
from evonas.api import Found, Member, search
from evonas.cohort_plan import SCAFFOLD
from evonas.errors import ConfigError
from evonas.export import FORMATS, load, view_of
from evonas.genome import Birth, Genome
from evonas.genome.cohort import CANDIDATE, Cohort, Node
from evonas.genome.nested import branch_layers, nested, own_layers
from evonas.history import Evaluation, Individual
from evonas.morph.build import build
from evonas.networks import Signature
from evonas.state import State
from evonas_spaces.depths import Depths
from evonas_trainers.augment import normalise

NODES = {
    CANDIDATE: Node(kind="candidate"),
    "shallow": Node(kind="view", of=CANDIDATE, depths=(1, 2)),
    "branch": Node(kind="view", of=CANDIDATE, trunk="s1"),
    "peer": Node(kind="member"),
}
COHORT = Cohort(nodes=NODES, readout=(CANDIDATE, "shallow", "branch"))
LEFT_OUT = ("s1.b2", "s1.b3", "s2.b3")
RUN: Mapping[str, Any] = {
    "space": "depths",
    "trainer": {"name": "supervised", "data": "digits"},
    "births": 1,
    "objectives": {"error": "min"},
}
INPUTS = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def random_state(model: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Return a state with values of its own in every tensor, as training would leave it."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator) - (0.0 if "running" in name else 0.4)
        if tensor.is_floating_point()
        else tensor.clone()
        for name, tensor in model.state_dict().items()
    }


def chosen(state: dict[str, torch.Tensor], layers: frozenset[str]) -> State:
    return State({name: one for name, one in state.items() if name.rpartition(".")[0] in layers})


@pytest.fixture(scope="module")
def genome() -> Genome:
    space = Depths(stages=2, blocks=3, width=4)
    return COHORT.put_into(space.seed({"net": Signature((1, 8, 8), (3,))}))


@pytest.fixture(scope="module")
def state(genome: Genome) -> State:
    """The state of a candidate with two views, a peer and a scaffold."""
    graph, model = genome.architecture["net"], build(genome)
    view = nested(graph, (1, 2))
    parts = {
        "shallow": chosen(random_state(model, 1), own_layers(graph, view)),
        "branch": chosen(random_state(model, 2), branch_layers(graph, "s1")),
        "peer": State(random_state(model, 3)),
        SCAFFOLD: State({"head.weight": torch.zeros(2)}),
    }
    return State(random_state(model, 0)).joined(parts)


@pytest.fixture
def member(genome: Genome, state: State, tmp_path: Path) -> Member:
    """That candidate in a run folder."""
    (tmp_path / "weights").mkdir()
    store.store_prepared(tmp_path, {"train_x": INPUTS[:1], "classes": torch.tensor(3)})
    metrics = {"error": 0.25, "macs": 9.0, "error@shallow": 0.375, "error@branch": 0.5}
    outcome = Evaluation(metrics, weights=store.store_state(tmp_path, state))
    one = Individual(4, Birth(genome, "seed", (), 1), outcome)
    return Member(Found(tmp_path, config.from_table(RUN, "digits")), one, outcome)


def test_a_view_of_fewer_blocks_computes_as_if_the_others_did_nothing(
    genome: Genome, state: State
) -> None:
    whole = build(genome).eval()
    tensors = {**state.own.tensors, **state.part("shallow").tensors}
    for block in LEFT_OUT:
        for name in ("weight", "bias"):
            silent = f"{block}.bn2.{name}"
            tensors[silent] = torch.zeros_like(tensors[silent])
    whole.load_state_dict(tensors)
    view, plain = view_of(genome, state, "shallow")
    torch.testing.assert_close(view(INPUTS), whole(INPUTS))
    assert not [node for node in plain.architecture["net"].nodes if node.block in LEFT_OUT]


def test_a_branch_has_all_layers_and_its_own_behind_its_trunk(genome: Genome, state: State) -> None:
    view, plain = view_of(genome, state, "branch")
    assert plain.architecture == genome.architecture
    mine, theirs = state.part("branch").tensors, state.own.tensors
    for name, tensor in view.state_dict().items():
        assert torch.equal(tensor, mine.get(name, theirs[name]))
    assert "head.weight" in mine
    assert "stem.conv.weight" not in mine


def test_a_view_is_a_genome_without_a_cohort(genome: Genome, state: State) -> None:
    assert view_of(genome, state, "shallow")[1].chromosomes == {}


@pytest.mark.parametrize("name", ["peer", "candidate", "shalow"])
def test_what_is_not_handed_over_is_no_view(genome: Genome, state: State, name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown view .*known: branch, shallow"):
        view_of(genome, state, name)


def test_a_candidate_without_a_cohort_has_no_views(genome: Genome, state: State) -> None:
    with pytest.raises(ConfigError, match="known: none"):
        view_of(replace(genome, chromosomes={}), state, "shallow")


@pytest.mark.slow
@pytest.mark.parametrize("view", [None, "shallow", "branch"])
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_no_format_has_a_trace_of_the_cohort(form: str, view: str | None, member: Member) -> None:
    parts = [f"@{name}".encode() for name in (*NODES, SCAFFOLD)]
    assert b"@peer" in member.state().to_bytes()
    data = [file.read_bytes() for file in member.export(form=form, view=view)]
    assert not [part for part in parts if any(part in one for one in data)]


def test_a_safetensors_view_is_a_network_with_its_own_facts(
    member: Member, genome: Genome, state: State
) -> None:
    (written,) = member.export(view="shallow")
    assert written.name == "candidate-4-shallow.safetensors"
    torch.testing.assert_close(load(written)(INPUTS), view_of(genome, state, "shallow")[0](INPUTS))
    with safe_open(written, framework="pt") as file:
        facts = file.metadata()
        assert set(file.keys()) == set(member.model("shallow").state_dict())
    assert (facts["view"], facts["error"]) == ("shallow", "0.375")
    assert "macs" not in facts
    assert not [name for name in facts if "@" in name]
    assert "s1.b2" not in facts["architecture"]


def test_the_candidate_itself_is_exported_without_those_beside_it(member: Member) -> None:
    (written,) = member.export()
    assert written.name == "candidate-4.safetensors"
    with safe_open(written, framework="pt") as file:
        assert set(file.keys()) == set(member.state().own.tensors)
        assert file.metadata()["error"] == "0.25"


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["ddnn", "one"])
def test_views_make_the_errors_that_their_training_reported(preset: str, tmp_path: Path) -> None:
    run = {
        **RUN,
        "births": 1,
        "tracker": "none",
        "executor": "serial",
        "cohort": {"preset": preset},
    }
    run["space"] = {"name": "depths", "stages": 2, "blocks": 2, "width": 4}
    run["trainer"] = {"name": "supervised", "data": "digits", "train_samples": 200, "epochs": 2}
    found = search(run, out=tmp_path / "run")
    data, member = store.load_prepared(found.folder), found.member(0)
    assert data is not None
    inputs = normalise(data["valid_x"], data)
    for name in Cohort.from_json(member.genome.chromosomes["cohort"]).readout:
        view = None if name == CANDIDATE else name
        written = load(*member.export(view=view))
        with torch.no_grad():
            error = float((written(inputs).argmax(1) != data["valid_y"]).float().mean())
        assert member.metrics[f"error@{view}" if view else "error"] == pytest.approx(error)


def test_a_view_that_is_not_there_leaves_no_file(member: Member) -> None:
    before = sorted(member.found.folder.iterdir())
    with pytest.raises(ConfigError, match="unknown view 'peer'"):
        member.export(view="peer")
    assert sorted(member.found.folder.iterdir()) == before
