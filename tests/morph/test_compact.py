"""Removal: what pruning has silenced goes without a trace, and nothing else moves."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from support.gene_edits import Halve, drawn_genes, genes_for, with_genes
from torch import Tensor, nn

from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.cost import macs, parameters
from evonas.genome.pruning import PruningGenes
from evonas.genome.schedule import Residual
from evonas.measure import static
from evonas.morph.build import build
from evonas.morph.channels import Channels
from evonas.morph.compact import COMPACT, Compact, closed, opened, pending
from evonas.morph.inherit import inherit
from evonas.morph.planned import planned
from evonas.morph.removal import removed
from evonas.morph.widen import Widen
from evonas.networks import Signature, Signatures
from evonas.pruning_plan import PlannedGroup
from evonas.seeds import Rng, stream
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.sandbox import fresh_model, practise
from evonas_spaces.adopted import Adopted
from evonas_spaces.eena import Eena

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]

PICTURE: Signatures = {"net": Signature((1, 8, 8), (10,))}
SPACES: Mapping[str, SearchSpace] = {
    "eena": Eena(stem=4, width=6, last=8, blocks=2),
    "adopted": Adopted.example(),
}


def grown(space: SearchSpace) -> Genome:
    """Return the seed after one edit of every kind that adds something."""
    genome = space.seed(PICTURE)
    for name, mutation in sorted(space.mutations().items()):
        edit = mutation.propose(genome, stream(0, name)) if mutation.exact else None
        if edit is not None:
            genome = mutation.apply(genome, edit)
    ops = {node.op for node in genome.architecture["net"].nodes}
    assert ops >= {"conv", "depthwise", "bn", "add", "concat", "se", "lerp"}
    return genome


def silence(model: nn.Module, groups: tuple[PlannedGroup, ...], rng: Rng) -> None:
    """Do what a pruner's `finish` does, to channels drawn from each group."""
    tensors = dict(model.named_parameters())
    with torch.no_grad():
        for group in groups:
            gone = rng.permutation(group.size)[: group.size - group.keep]
            for name, places in group.rows.items():
                tensors[name][places[gone].reshape(-1)] = 0
            for name, places in group.columns.items():
                tensors[name][:, places[gone].reshape(-1)] = 0


def masked_and_rebuilt(
    space: SearchSpace, wide: Genome, dtype: torch.dtype, rng: Rng
) -> tuple[nn.Module, nn.Module, State]:
    """Return a trained network with silenced channels, and what becomes of it without them."""
    model = fresh_model(space, wide, 0).double()
    slots = practise(model, PICTURE).slots
    model = model.to(dtype)
    plan = planned(wide, space.build)
    assert plan is not None
    silence(model, plan.groups, rng)
    small, state = plan.compacted(State(State.of(model).tensors, slots))
    return model.eval(), small.eval(), state


@pytest.mark.parametrize("residual", ["inner", "coupled"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("name", SPACES)
def test_a_network_without_its_silenced_channels_computes_the_same(
    name: str, dtype: torch.dtype, bound: float, residual: Residual
) -> None:
    space = SPACES[name]
    pictures = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    genome = grown(space)
    wide = with_genes(genome, drawn_genes(genome, residual, stream(0)))
    model, small, _ = masked_and_rebuilt(space, wide, dtype, stream(1))
    with torch.no_grad():
        assert (model(pictures) - small(pictures)).abs().max() <= bound


@pytest.mark.parametrize("residual", ["inner", "coupled"])
def test_random_joins_lose_silenced_channels_without_a_trace(
    random_genome: Draw, trained: Train, outputs: Compute, residual: Residual
) -> None:
    for seed in range(8):
        rng = stream(seed)
        genome = random_genome(rng)
        wide = with_genes(genome, drawn_genes(genome, residual, rng))
        plan = planned(wide, build)
        if plan is None:
            continue
        state = trained(wide, seed)
        model = build(wide).double()
        model.load_state_dict(dict(state.tensors))
        silence(model, plan.groups, rng)
        _, small = plan.compacted(State(State.of(model).tensors, state.slots))
        before = outputs(wide, State.of(model), False)
        after = outputs(closed(wide), small, False)
        torch.testing.assert_close(before, after, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_a_small_network_is_rebuilt_from_json_at_the_cost_in_closed_form(name: str) -> None:
    space = SPACES[name]
    wide = with_genes(grown(space), drawn_genes(grown(space), "coupled", stream(0)))
    _, _, state = masked_and_rebuilt(space, wide, torch.float64, stream(1))
    again = Genome.from_json(closed(wide).to_json())
    model = space.build(again)
    model.load_state_dict(dict(state.tensors), strict=True)
    sizes = static(model, PICTURE)
    graph = again.architecture["net"]
    assert (macs(graph), parameters(graph)) == (sizes["macs"], sizes["parameters"])


@pytest.mark.parametrize("name", SPACES)
def test_one_step_from_the_mapped_slots_moves_every_parameter(name: str) -> None:
    space = SPACES[name]
    seed = space.seed(PICTURE)
    plan = planned(halved(seed), space.build)
    assert plan is not None
    model, state = plan.compacted(practise(fresh_model(space, seed, 0).double(), PICTURE))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    state.restore_optimizer(model, optimizer)
    weights = list(model.parameters())
    assert len(optimizer.state) == len(weights)
    before = [weight.detach().clone() for weight in weights]
    pictures = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(2)).double()
    model(pictures).square().sum().backward()
    optimizer.step()
    assert all((old != new).any() for old, new in zip(before, weights, strict=True))


def with_average(state: State) -> State:
    """Return the state with a slot that averages the weights, as EMA does."""
    weights = next(iter(state.slots.values())).keys()
    average = {name: state.tensors[name] * 0.9 for name in weights}
    return replace(state, slots={**state.slots, "ema": average})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(6))
def test_shrinking_a_widened_network_gives_it_back_bit_for_bit(
    random_genome: Draw, trained: Train, dtype: torch.dtype, seed: int
) -> None:
    genome = random_genome(stream(seed))
    edit = Widen().propose(genome, stream(seed))
    assert edit is not None
    wide = Widen().apply(genome, edit)
    start = with_average(trained(genome, seed))
    start = State(
        {name: _to(tensor, dtype) for name, tensor in start.tensors.items()},
        {s: {n: _to(t, dtype) for n, t in values.items()} for s, values in start.slots.items()},
    )
    grown = Widen().inherit(genome, wide, edit, start, stream(seed, "twins"))
    graph = wide.architecture["net"]
    channels = Channels.of(graph)
    back = removed(grown, graph, channels, "", _new(genome, channels), stream(0))
    assert back.to_bytes() == start.to_bytes()


def _to(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _new(genome: Genome, channels: Channels) -> set[int]:
    """Return the classes that widening has put behind the last one of a group."""
    before = Channels.of(genome.architecture["net"])
    found: set[int] = set()
    for group in channels.groups:
        maker = next(iter(group.makers))
        place = channels.parts(maker).index(group)
        old = len(before.parts(maker)[place].classes)
        found |= set(group.classes[old:].tolist())
    assert found
    return found


def halved(genome: Genome) -> Genome:
    """Return the genome with genes to keep half of every group, still pending."""
    edit = Halve().propose(genome, stream(0))
    assert edit is not None
    return Halve().apply(genome, edit)


@pytest.fixture
def seed() -> Genome:
    return SPACES["eena"].seed(PICTURE)


def test_what_is_closed_stays_as_it_is(seed: Genome) -> None:
    assert pending(halved(seed))
    child = closed(halved(seed))
    assert not pending(child)
    assert closed(child) is child
    assert closed(seed) is seed


def test_the_schedule_stays_as_heritage_when_the_counts_have_gone(seed: Genome) -> None:
    wide = halved(seed)
    before, after = PruningGenes.of(wide), PruningGenes.of(closed(wide))
    assert before is not None
    assert after == replace(before, kept={})


def test_a_pruned_child_is_opened_to_what_is_trained(seed: Genome) -> None:
    wide, known = halved(seed), {"halve": Halve()}
    child = closed(wide)
    assert opened(child, seed, known) == wide
    assert opened(child, child, known) is None
    assert opened(wide, seed, known) is None


def test_a_child_of_another_parent_is_not_opened(seed: Genome) -> None:
    edit = Widen().propose(seed, stream(0))
    assert edit is not None
    with pytest.raises(EditError, match="first parent"):
        opened(closed(halved(seed)), Widen().apply(seed, edit), {"halve": Halve()})


def test_a_child_that_is_not_what_its_edits_say_is_not_opened(seed: Genome) -> None:
    liar = replace(closed(halved(seed)), architecture=seed.architecture)
    with pytest.raises(EditError, match="do not lead"):
        opened(liar, seed, {"halve": Halve()})


def test_the_edits_of_a_pruned_child_lead_from_its_parents_weights_to_its_own(seed: Genome) -> None:
    child = closed(halved(seed))
    parent = practise(build(seed).double(), PICTURE)
    state = inherit({"halve": Halve()}, child, [(seed, parent)], stream(0))
    build(child).load_state_dict(dict(state.tensors))


def test_genes_for_single_weights_are_nothing_to_remove(random_genome: Draw) -> None:
    genome = with_genes(random_genome(stream(1)), genes_for("weight", **{"net/conv1": (1, 9)}))
    assert not pending(genome)
    with pytest.raises(EditError, match="no genes"):
        Compact().apply(genome, genome.edit(COMPACT, "pruning/genes", removed={}))


@pytest.mark.parametrize("keep", [0, 7])
def test_counts_that_cannot_be_are_refused(keep: int) -> None:
    space = SPACES["eena"]
    seed = space.seed(PICTURE)
    genome = with_genes(seed, genes_for("filter", **{"net/*.conv:0": (keep, 6)}))
    with pytest.raises(EditError, match="give 1 to 6"):
        closed(genome)


def test_an_edit_that_tells_of_other_channels_than_the_genes_is_refused() -> None:
    seed = SPACES["eena"].seed(PICTURE)
    genome = with_genes(seed, genes_for("filter", **{"net/*.conv:0": (2, 6)}))
    edit = genome.edit(COMPACT, "pruning/genes", removed={"net/*.conv:0": 1})
    with pytest.raises(EditError, match="the genes say"):
        Compact().apply(genome, edit)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_a_small_network_can_be_exported(name: str) -> None:
    space = SPACES[name]
    seed = space.seed(PICTURE)
    wide = with_genes(seed, drawn_genes(seed, "coupled", stream(0)))
    _, small, _ = masked_and_rebuilt(space, wide, torch.float32, stream(0))
    inputs = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(small, (inputs,))
    torch.testing.assert_close(program.module()(inputs), small(inputs))
