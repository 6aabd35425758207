"""What is trained beside the candidate passes through every operator on the candidate untouched."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from evonas.genome import Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.morph.build import build
from evonas.morph.carry import floating_dtype
from evonas.morph.compact import COMPACT, closed
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.keep import Prunable
from evonas.morph.mutation import Mutation
from evonas.morph.planned import planned
from evonas.plugins import construct, names
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]

FOUND = {name: construct(Mutation, name, "mutations") for name in names(Mutation)}
ON_GRAPHS = {name: one for name, one in FOUND.items() if not name.startswith(("cohort-", "prune"))}
NODES = ("peer", "scaffold")


def beside(genome: Genome, trained: Train) -> State:
    """Return a trained state with a member of the same layers' names, and a scaffold."""
    peer = trained(genome, 2)
    scaffold = State({"kl.weight": torch.rand(3, 2), "steps": torch.tensor(7)})
    return trained(genome, 4).joined({"peer": peer, "scaffold": scaffold})


def assert_same_parts(before: State, after: State) -> None:
    for node in NODES:
        assert before.part(node).tensors
        assert_same(before.part(node).tensors, after.part(node).tensors)
        assert before.part(node).slots.keys() == after.part(node).slots.keys()
        for slot, values in before.part(node).slots.items():
            assert_same(values, after.part(node).slots[slot])


def assert_same(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype
        assert tensor.equal(after[name])


@pytest.mark.parametrize("operator", [*ON_GRAPHS, "prune-channels"])
def test_an_edit_of_the_candidate_leaves_its_members_weights(
    operator: str, random_genome: Draw, trained: Train
):
    made = 0
    for number in range(6):
        genome = random_genome(stream(number, operator))
        edit = FOUND[operator].propose(genome, stream(number, "edit"))
        if edit is None:
            continue
        child = FOUND[operator].apply(genome, edit)
        state = beside(genome, trained)
        after = inherit(FOUND, child, [(genome, state)], stream(number))
        assert_same_parts(state, after)
        build(child).double().load_state_dict(dict(after.own.tensors))
        made += 1
    assert made


@pytest.mark.parametrize("number", range(4))
def test_many_edits_leave_its_members_weights(number: int, random_genome: Draw, trained: Train):
    rng = stream(number, "walk")
    genome = child = random_genome(rng)
    while len(child.edits) < 6:
        mutation = ON_GRAPHS[str(rng.choice(list(ON_GRAPHS)))]
        edit = mutation.propose(child, rng)
        child = child if edit is None else mutation.apply(child, edit)
    state = beside(genome, trained)
    assert_same_parts(state, inherit(FOUND, child, [(genome, state)], rng))


def halved(genome: Genome) -> Genome:
    """Return the genome with genes by which it loses a half of all channels."""
    sizes = Prunable.of(genome, "inner").sizes
    kept = {name: Kept(max(1, width // 2), width) for name, width in sizes.items()}
    return PruningGenes(kept=kept).put_into(genome)


@pytest.mark.parametrize("number", range(4))
def test_a_compaction_leaves_its_members_weights(number: int, random_genome: Draw, trained: Train):
    genome = halved(random_genome(stream(number, "compact")))
    child, state = closed(genome), beside(genome, trained)
    assert child.edits[-1].operator == COMPACT
    assert_same_parts(state, inherit({}, child, [(genome, state)], stream(0)))


def test_the_rebuilt_network_loads_the_candidates_part_alone(random_genome: Draw, trained: Train):
    genome = halved(random_genome(stream(1, "compact")))
    plan, state = planned(genome, build), beside(genome, trained)
    assert plan is not None
    _, small = plan.compacted(state)
    assert_same_parts(state, small)


def test_a_donation_takes_weights_of_the_candidate_only(random_genome: Draw, trained: Train):
    ancestor = random_genome(stream(5))
    ways = ("insert-shortcut", "widen")
    parents: list[tuple[Genome, State]] = []
    for way in ways:
        edit = FOUND[way].propose(ancestor, stream(2, way))
        assert edit is not None
        genome = FOUND[way].apply(ancestor, edit)
        parents.append((genome, beside(genome, trained)))
    child = crossover(FOUND, parents[1][0], parents[0][0], stream(0), keep=1.0)
    assert child is not None
    state = inherit(FOUND, child, parents[::-1], stream(0))
    assert_same_parts(parents[1][1], state)


def test_new_layers_have_the_candidates_precision_and_not_a_members():
    member = State({"a.weight": torch.zeros(2, dtype=torch.float64)})
    state = State({"z.weight": torch.zeros(2)}).joined({"peer": member})
    ordered = State(dict(sorted(state.tensors.items())))
    assert floating_dtype(ordered) == torch.float32
