"""Target networks pass through every edit as the candidate does that they follow."""

import itertools
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.pruning import Kept, PruningGenes
from evonas.morph.build import build
from evonas.morph.cohort.example import with_example
from evonas.morph.compact import closed
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.keep import Prunable
from evonas.morph.mutation import Mutation
from evonas.morph.planned import planned
from evonas.plugins import load, names
from evonas.seeds import Rng, stream
from evonas.state import TARGET, TRAINER, State
from evonas.testing.classes import example

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]

FOUND = {
    name: example(load(Mutation, name)) for name in names(Mutation) if name != "prune-affine"
}  # which ranks the groups of one given network
EXACT = {name: mutation for name, mutation in FOUND.items() if mutation.exact}
OWN = State({"log_temperature": torch.tensor(0.25), "mean": torch.arange(3.0)})
"""What a trainer keeps beside the networks."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def following(state: State, target: Mapping[str, Tensor]) -> State:
    return state.plus(TARGET, State(target)).plus(TRAINER, OWN)


def assert_same(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    assert before.keys() == after.keys()
    assert not [name for name, tensor in before.items() if not tensor.equal(after[name])]


def walked(genome: Genome, mutations: Mapping[str, Mutation], rng: Rng, edits: int) -> Genome:
    """Return the genome after some drawn edits."""
    start = len(genome.edits)
    for _ in range(20 * edits):
        mutation = mutations[str(rng.choice(sorted(mutations)))]
        posed = getattr(mutation, "example_genome", lambda one: one)(genome)
        edit = None if posed != genome else mutation.propose(genome, rng)
        genome = genome if edit is None else mutation.apply(genome, edit)
        if len(genome.edits) == start + edits:
            return genome
    raise AssertionError("no edits are proposed")


def line(*widths: int) -> LayerGraph:
    """Return a perceptron with layers `fc1`, `fc2`, ... of these widths, the input's first."""
    inputs, *made = widths
    nodes = [Node("x", "input", (), {"shape": [inputs]})]
    for number, width in enumerate(made, start=1):
        last = nodes[-1].id
        nodes.append(Node(f"fc{number}", "linear", (last,), {"out": width, "bias": True}))
        if number < len(made):
            nodes.append(Node(f"act{number}", "act", (f"fc{number}",), {"kind": "tanh"}))
    return LayerGraph((*nodes, Node("y", "output", (nodes[-1].id,))))


@pytest.mark.parametrize("number", range(8))
def test_a_target_computes_after_exact_edits_what_it_computed(
    number: int, random_genome: Draw, trained: Train, outputs: Compute
):
    rng = stream(number, "targets")
    genome = random_genome(rng)
    child = walked(genome, EXACT, rng, 6)
    lagging = trained(genome, number + 1).tensors
    parent = following(trained(genome, number), lagging)
    state = inherit(FOUND, child, [(genome, parent)], rng)
    before = outputs(genome, State(lagging), False)
    after = outputs(child, state.part(TARGET), False)
    assert float((before - after).abs().max() / (1 + before.abs().max())) < 1e-9
    assert_same(OWN.tensors, state.part(TRAINER).tensors)


@pytest.mark.parametrize("number", range(8))
def test_a_target_that_equals_its_model_stays_equal_bit_for_bit(
    number: int, random_genome: Draw, trained: Train
):
    rng = stream(number, "equals")
    genome = random_genome(rng)
    child = walked(genome, FOUND, rng, 8)
    parent = trained(genome, number)
    state = inherit(FOUND, child, [(genome, following(parent, parent.tensors))], rng)
    assert_same(state.own.tensors, state.part(TARGET).tensors)
    assert not state.part(TARGET).slots
    assert_same(OWN.tensors, state.part(TRAINER).tensors)


@pytest.mark.parametrize("operator", sorted(FOUND))
def test_every_operator_keeps_targets_equal_and_what_is_the_trainers(
    operator: str, random_genome: Draw, trained: Train
):
    mutation, made = FOUND[operator], 0
    for number in range(6):
        drawn = random_genome(stream(number, operator))
        genome = getattr(mutation, "example_genome", lambda one: one)(drawn)
        edit = mutation.propose(genome, stream(number, "edit"))
        if edit is None:
            continue
        child = mutation.apply(genome, edit)
        parent = trained(drawn, number)
        state = following(parent, parent.tensors).plus("left", parent).plus("right", parent)
        after = inherit(FOUND, child, [(genome, state)], stream(number))
        assert_same(after.own.tensors, after.part(TARGET).tensors)
        assert_same(OWN.tensors, after.part(TRAINER).tensors)
        made += 1
    assert made


@pytest.mark.parametrize("number", range(4))
def test_a_history_in_one_go_is_that_of_edit_by_edit_in_shape(
    number: int, random_genome: Draw, trained: Train
):
    rng = stream(number, "stepwise")
    genome = random_genome(rng)
    lines = [genome]
    while len(lines) < 5:
        lines.append(walked(lines[-1], FOUND, rng, 1))
    state = following(trained(genome, 0), trained(genome, 1).tensors)
    for before, after in itertools.pairwise(lines):
        state = inherit(FOUND, after, [(before, state)], rng)
    build(lines[-1]).double().load_state_dict(dict(state.part(TARGET).tensors))


def test_a_target_loses_the_units_that_its_model_loses():
    genome = Genome({"net": line(3, 8, 2)})
    weak = torch.tensor([1, 4, 6])
    model = {name: torch.ones_like(one) for name, one in build(genome).state_dict().items()}
    model["fc1.weight"][weak] = 0.1
    follower = {name: torch.zeros_like(one) for name, one in model.items()}
    follower["fc1.bias"] = torch.arange(8.0)
    follower["fc1.weight"] = torch.arange(8.0).flip(0).repeat(3, 1).T
    mutation = FOUND["prune-channels"]
    child = mutation.apply(
        genome, genome.edit("prune-channels", "net/fc1", part=0, channels=len(weak))
    )
    state = inherit(FOUND, child, [(genome, following(State(model), follower))], stream(0))
    assert bool((state.tensors["fc1.weight"] == 1.0).all())
    assert state.part(TARGET).tensors["fc1.bias"].tolist() == [0, 2, 3, 5, 7]


@pytest.mark.parametrize("number", range(3))
def test_a_compaction_takes_the_same_channels_from_a_target(
    number: int, random_genome: Draw, trained: Train
):
    genome = random_genome(stream(number, "compact"))
    sizes = Prunable.of(genome, "inner").sizes
    kept = {name: Kept(max(1, width // 2), width) for name, width in sizes.items()}
    genome = PruningGenes(kept=kept).put_into(genome)
    small, model = closed(genome), trained(genome, 0)
    shifted = {  # weaker where the model is stronger, so its own choice would be another one
        name: 9.0 - tensor.abs() if tensor.is_floating_point() else tensor
        for name, tensor in model.tensors.items()
    }
    state = following(model, shifted)
    plan = planned(genome, build)
    assert plan is not None
    for found in (inherit({}, small, [(genome, state)], stream(0)), plan.compacted(state)[1]):
        again = {
            name: 9.0 - tensor.abs() if tensor.is_floating_point() else tensor
            for name, tensor in found.own.tensors.items()
        }
        assert_same(again, found.part(TARGET).tensors)


def crossed(ancestor: Genome) -> tuple[Genome, Genome, Genome]:
    """Return two parents of one ancestor, and the first one's child with the other's edits."""
    first, second = (_edited(ancestor, operator) for operator in ("widen", "insert-shortcut"))
    child = crossover(FOUND, first, second, stream(0), keep=1.0)
    assert child is not None
    return first, second, child


def _edited(genome: Genome, operator: str) -> Genome:
    edit = FOUND[operator].propose(genome, stream(2, operator))
    assert edit is not None
    return FOUND[operator].apply(genome, edit)


def test_a_second_parent_donates_to_the_target_from_its_target(
    random_genome: Draw, trained: Train, outputs: Compute
):
    first, second, child = crossed(random_genome(stream(5)))
    states = [trained(parent, number) for number, parent in enumerate((first, second))]
    lagging = [trained(parent, 5 + number) for number, parent in enumerate((first, second))]
    parents = [
        (genome, following(state, target.tensors))
        for genome, state, target in zip((first, second), states, lagging, strict=True)
    ]
    state = inherit(FOUND, child, parents, stream(0))
    target = state.part(TARGET)
    torch.testing.assert_close(
        outputs(child, target, False),
        outputs(first, State(lagging[0].tensors), False),
        rtol=1e-9,
        atol=1e-9,
    )
    given = [name for name in target.tensors if "conv_shortcut" in name]
    assert given
    for name in given:
        twin = name.replace(child.edits[-1].id, second.edits[-1].id)
        assert target.tensors[name].equal(lagging[1].tensors[twin])
        assert state.tensors[name].equal(states[1].tensors[twin])


@pytest.mark.parametrize("number", range(3))
def test_donations_keep_equal_targets_equal(number: int, random_genome: Draw, trained: Train):
    first, second, child = crossed(random_genome(stream(number, "equal donors")))
    states = [trained(parent, place) for place, parent in enumerate((first, second))]
    parents = [
        (genome, following(state, state.tensors))
        for genome, state in zip((first, second), states, strict=True)
    ]
    state = inherit(FOUND, child, parents, stream(0))
    assert_same(state.own.tensors, state.part(TARGET).tensors)


def test_a_donor_without_a_target_gives_the_targets_nothing(
    random_genome: Draw, trained: Train, outputs: Compute
):
    first, second, child = crossed(random_genome(stream(5)))
    model, target, donor = (trained(one, 0) for one in (first, first, second))
    parents = [(first, following(model, target.tensors)), (second, donor)]
    state = inherit(FOUND, child, parents, stream(0))
    torch.testing.assert_close(
        outputs(child, state.part(TARGET), False), outputs(first, State(target.tensors), False)
    )


def test_a_child_of_a_parent_without_targets_has_none(random_genome: Draw, trained: Train):
    first, second, child = crossed(random_genome(stream(5)))
    donor = trained(second, 1)
    parents = [(first, trained(first, 0)), (second, following(donor, donor.tensors))]
    assert not inherit(FOUND, child, parents, stream(0)).part(TARGET).tensors


def test_a_targets_state_gets_no_part_of_a_cohort(random_genome: Draw, trained: Train):
    genome = with_example(random_genome(stream(1)))
    edit = FOUND["cohort-clone"].propose(genome, stream(0))
    assert edit is not None
    child = FOUND["cohort-clone"].apply(genome, edit)
    parent = trained(genome, 0)
    state = following(parent, parent.tensors).plus("left", parent).plus("right", parent)
    after = inherit(FOUND, child, [(genome, state)], stream(0))
    assert after.part(edit.args["node"]).tensors
    assert not [name for name in after.part(TARGET).tensors if name.startswith("@")]
