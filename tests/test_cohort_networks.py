"""The plan of a training: whose parameters are shared, frozen, inherited, kept and paid for."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from evonas.cohort_networks import Start, cohort_plan, read_out
from evonas.cohort_plan import SCAFFOLD, CohortPlan
from evonas.genome import Genome
from evonas.genome.cohort import CANDIDATE, Cohort, Node
from evonas.genome.cost import macs
from evonas.genome.members import with_members
from evonas.genome.nested import nested, own_layers
from evonas.genome.taps import network_taps
from evonas.measure import evaluating
from evonas.morph.build import build
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.scaled import scaled
from evonas.networks import Signature
from evonas.state import State
from evonas_spaces.depths import Depths

SIGNATURES = {"net": Signature((1, 8, 8), (3,))}
NODES: Mapping[str, Node] = {
    CANDIDATE: Node(kind="candidate"),
    "deep": Node(kind="teacher"),
    "peer": Node(kind="member", width=2.0),
    "past": Node(kind="snapshot", of="peer"),
    "shallow": Node(kind="view", of=CANDIDATE, depths=(1, 1)),
    "branch": Node(kind="view", of=CANDIDATE, trunk="s1"),
    "part": Node(kind="view", of="peer", depths=(2, 1)),
}
COHORT = Cohort(nodes=NODES, readout=(CANDIDATE, "shallow"))


@pytest.fixture(scope="module")
def genome() -> Genome:
    seed = Depths(stages=2, blocks=2, width=4).seed(SIGNATURES)
    graph = seed.architecture["net"]
    return with_members(COHORT.put_into(seed), {"peer": scaled(graph, 2.0)})


def plan(genome: Genome, state: State | None = None, seed: int = 0) -> tuple[nn.Module, CohortPlan]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, teacher = build(genome), build(genome)
    if state is not None:
        model.load_state_dict(dict(state.own.tensors))
    options = CohortOptions(
        teachers={"deep": network_taps(genome)}, taps=network_taps, batch_size=8
    )
    start = Start(
        model=model,
        state=state or State({}),
        teachers={"deep": teacher.requires_grad_(False).eval()},
        seed=seed,
    )
    return model, cohort_plan(genome, COHORT, options, SIGNATURES, start)


@pytest.fixture(scope="module")
def planned(genome: Genome) -> tuple[nn.Module, CohortPlan]:
    return plan(genome)


def shared(one: nn.Module, other: nn.Module) -> set[str]:
    """Return the tensors that are the same objects."""
    others = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    mine = {**dict(one.named_parameters()), **dict(one.named_buffers())}
    return {name for name, tensor in mine.items() if tensor is others.get(name)}


def test_every_node_but_the_candidate_has_a_network(
    planned: tuple[nn.Module, CohortPlan],
) -> None:
    _, made = planned
    assert made.networks.keys() == NODES.keys() - {CANDIDATE}
    assert made.taps.keys() == made.macs.keys() == NODES.keys()
    for network in made.networks.values():
        with evaluating(network):
            assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def _kind(network: nn.Module, tensor: str) -> type[nn.Module]:
    return type(network.get_submodule(tensor.rpartition(".")[0]))


@pytest.mark.parametrize(("view", "of"), [("shallow", CANDIDATE), ("part", "peer")])
def test_a_view_of_fewer_blocks_shares_all_but_norms_and_the_last_layer(
    planned: tuple[nn.Module, CohortPlan], view: str, of: str
) -> None:
    model, made = planned
    network = made.networks[view]
    same = shared(network, model if of == CANDIDATE else made.networks[of])
    assert same | made.kept[view] == set(network.state_dict())
    assert not same & made.kept[view]
    assert same
    assert {_kind(network, name) for name in made.kept[view]} == {nn.BatchNorm2d, nn.Linear}
    assert {_kind(network, name) for name in same} == {nn.Conv2d}


def test_a_branch_shares_what_comes_before_its_tap(
    planned: tuple[nn.Module, CohortPlan],
) -> None:
    model, made = planned
    same = shared(made.networks["branch"], model)
    assert any(name.startswith("s1.") for name in same)
    assert not any(name.startswith("s2.") for name in same)
    assert same | made.kept["branch"] == set(made.networks["branch"].state_dict())


def test_a_new_branch_starts_from_weights_of_its_own(
    planned: tuple[nn.Module, CohortPlan],
) -> None:
    model, made = planned
    weights = [name for name in made.kept["branch"] if name.endswith("conv1.weight")]
    assert weights
    for name in weights:
        mine = made.networks["branch"].get_parameter(name)
        assert not torch.equal(mine, model.get_parameter(name))


def test_a_new_view_of_fewer_blocks_starts_from_copies(
    planned: tuple[nn.Module, CohortPlan],
) -> None:
    model, made = planned
    mine, whole = made.networks["shallow"].state_dict(), model.state_dict()
    assert all(torch.equal(mine[name], whole[name]) for name in made.kept["shallow"])


def test_a_step_on_a_view_moves_the_network_it_is_of(genome: Genome) -> None:
    model, made = plan(genome)
    view = made.networks["shallow"]
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    view(torch.ones(4, 1, 8, 8)).square().sum().backward()
    torch.optim.SGD(view.parameters(), lr=0.1).step()
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert moved
    assert moved <= shared(view, model)


@pytest.mark.parametrize("name", ["deep", "past"])
def test_teachers_and_snapshots_are_frozen_and_not_kept(
    planned: tuple[nn.Module, CohortPlan], name: str
) -> None:
    network = planned[1].networks[name]
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert planned[1].kept[name] == frozenset()


def test_a_snapshot_starts_as_what_it_copies_without_sharing_it(
    planned: tuple[nn.Module, CohortPlan],
) -> None:
    past, peer = planned[1].networks["past"], planned[1].networks["peer"]
    assert not shared(past, peer)
    for name, tensor in past.state_dict().items():
        assert torch.equal(tensor, peer.state_dict()[name])


def test_inherited_parts_are_put_back_where_they_belong(
    genome: Genome, planned: tuple[nn.Module, CohortPlan]
) -> None:
    model, made = planned
    parts = {
        name: State({one: made.networks[name].state_dict()[one] + 1 for one in kept})
        for name, kept in made.kept.items()
        if kept
    }
    parts[SCAFFOLD] = State({"adapter.weight": torch.ones(2)})
    _, again = plan(genome, State.of(model).joined(parts), seed=1)
    for name in ("peer", "shallow", "branch", "part"):
        tensors = again.networks[name].state_dict()
        for one, tensor in parts[name].tensors.items():
            assert torch.equal(tensors[one], tensor), f"{name}: {one}"
    assert again.scaffold.keys() == {"adapter.weight"}


def test_own_tensors_of_a_view_that_do_not_fit_any_more_are_copied(
    genome: Genome, planned: tuple[nn.Module, CohortPlan]
) -> None:
    model, made = planned
    stale = State({name: torch.zeros(1, 7) for name in made.kept["branch"]})
    whole, again = plan(genome, State.of(model).joined({"branch": stale}))
    tensors = again.networks["branch"].state_dict()
    assert all(torch.equal(tensors[one], whole.state_dict()[one]) for one in made.kept["branch"])


def test_members_weights_depend_on_the_seed_and_on_their_name_alone(genome: Genome) -> None:
    first, again, other = (plan(genome, seed=seed)[1].networks["peer"] for seed in (0, 0, 1))
    name = next(name for name, _ in first.named_parameters() if name.endswith("weight"))
    assert torch.equal(first.get_parameter(name), again.get_parameter(name))
    assert not torch.equal(first.get_parameter(name), other.get_parameter(name))


def test_the_costs_of_a_forward_pass_are_those_of_the_graphs(
    genome: Genome, planned: tuple[nn.Module, CohortPlan]
) -> None:
    graph, found = genome.architecture["net"], planned[1].macs
    assert found[CANDIDATE] == found["deep"] == found["branch"] == macs(graph)
    assert found["peer"] == found["past"] == macs(scaled(graph, 2.0))
    assert found["shallow"] == macs(nested(graph, (1, 1)))


def test_views_of_the_readout_are_measured_as_networks_of_their_own(genome: Genome) -> None:
    graph = genome.architecture["net"]
    found = read_out(genome)
    assert found[""] is genome
    assert found.keys() == {"", "@shallow"}
    small = found["@shallow"].architecture["net"]
    assert macs(small) == macs(nested(graph, (1, 1))) < macs(graph)
    assert own_layers(graph, small)
