import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import pytest
from torch import Tensor

from evonas.errors import ConfigError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.morph.branch import Branch
from evonas.morph.crossover import crossover
from evonas.morph.dense import InsertDense
from evonas.morph.inherit import inherit
from evonas.morph.insert_layer import InsertLayer
from evonas.morph.mutation import Mutation
from evonas.morph.prune_channels import PruneChannels
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.widen import Widen, WidenCopies
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]


@final
@dataclass(frozen=True)
class Halve(Mutation):
    """Halve a setting, as a stand-in for genes outside of the architecture."""

    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "a test"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        del rng
        return genome.edit("halve", "settings/lr")

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        return genome.with_settings({"lr": genome.settings["lr"] / 2}).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        del before, after, edit, rng
        return state


MUTATIONS: dict[str, Mutation] = {
    "branch": Branch(),
    "insert-dense": InsertDense(),
    "insert-layer": InsertLayer(),
    "insert-shortcut": InsertShortcut(),
    "widen": Widen(),
    "widen-copies": WidenCopies(),
}
ALL: dict[str, Mutation] = {
    **MUTATIONS,
    "prune-channels": PruneChannels(least=1),
    "halve": Halve(),
}


def evolved(genome: Genome, rng: Rng, count: int) -> Genome:
    for _ in range(count):
        mutation = MUTATIONS[str(rng.choice(list(MUTATIONS)))]
        edit = mutation.propose(genome, rng)
        genome = genome if edit is None else mutation.apply(genome, edit)
    return genome


def pair(random_genome: Draw, seed: int) -> tuple[Genome, Genome]:
    """Return two genomes with two edits in common and three of their own."""
    ancestor = evolved(random_genome(stream(seed)), stream(seed, "both"), 2)
    return evolved(ancestor, stream(seed, "one"), 3), evolved(ancestor, stream(seed, "two"), 3)


@pytest.fixture
def genome(random_genome: Draw) -> Genome:
    return dataclasses.replace(random_genome(stream(0)), settings={"lr": 1.0})


@pytest.mark.slow
def test_children_equal_their_first_parent_and_carry_the_edits_of_the_second(
    random_genome: Draw, trained: Train, outputs: Compute
):
    offered = carried = with_donations = 0
    for seed in range(50):
        first, second = pair(random_genome, seed)
        states = trained(first, seed), trained(second, seed + 1)
        child = crossover(MUTATIONS, first, second, stream(seed), keep=1.0)
        assert child is not None
        known = {edit.id for edit in first.edits}
        offered += sum(edit.id not in known for edit in second.edits)
        carried += len(child.edits) - len(first.edits)
        parents = [(first, states[0]), (second, states[1])]
        alone = inherit(MUTATIONS, child, parents[:1], stream(seed))
        state = inherit(MUTATIONS, child, parents, stream(seed))
        with_donations += alone.to_bytes() != state.to_bytes()
        for training in (False, True):
            before, after = outputs(first, states[0], training), outputs(child, state, training)
            assert (before - after).abs().max() < 1e-9 * (1 + before.abs().max())
    assert carried >= 0.8 * offered > 100
    assert with_donations > 20


def test_the_first_parents_edits_begin_the_childs(random_genome: Draw):
    first, second = pair(random_genome, 3)
    child = crossover(MUTATIONS, first, second, stream(0), keep=1.0)
    assert child is not None
    assert child.edits[: len(first.edits)] == first.edits


def test_shared_edits_are_not_made_twice(random_genome: Draw):
    first, second = pair(random_genome, 3)
    ancestor = [edit for edit in first.edits if edit in second.edits]
    assert ancestor
    child = crossover(MUTATIONS, first, second, stream(0), keep=1.0)
    assert child is not None
    assert len({edit.id for edit in child.edits}) == len(child.edits)


def test_edits_that_commute_align_in_whichever_order_they_came(genome: Genome):
    targets = [
        edit.targets[0]
        for edit in (InsertShortcut().propose(genome, stream(k)) for k in range(20))
        if edit is not None
    ]
    here, there = sorted(set(targets))[:2]
    args = {"kind": "relu", "kernel": [3, 3]}
    one = two = genome
    for target in (here, there):
        one = InsertShortcut().apply(one, one.edit("insert-shortcut", target, **args))
    for target in (there, here):
        two = InsertShortcut().apply(two, two.edit("insert-shortcut", target, **args))
    assert one.key == two.key
    assert crossover(MUTATIONS, one, two, stream(0), keep=1.0) is None


def test_nothing_kept_gives_no_child(random_genome: Draw):
    first, second = pair(random_genome, 3)
    assert crossover(MUTATIONS, first, second, stream(0), keep=0.0) is None


def test_a_twin_gives_no_child(genome: Genome):
    assert crossover(MUTATIONS, genome, genome, stream(0), keep=1.0) is None


def test_keep_is_the_share_of_edits_that_are_carried(genome: Genome):
    second = genome
    for _ in range(60):
        second = Halve().apply(second, second.edit("halve", "settings/lr"))
    child = crossover(ALL, genome, second, stream(0), keep=0.7)
    assert child is not None
    assert 32 <= len(child.edits) <= 52


def layer_edits(genome: Genome) -> Genome:
    """Return the genome with a layer inserted, and one edit of that new layer."""
    edit = InsertShortcut().propose(genome, stream(0))
    assert edit is not None
    grown = InsertShortcut().apply(genome, edit)
    made = next(
        node
        for node in grown.architecture["net"].nodes
        if node.id.endswith(f"act_shortcut_{edit.id}")
    )
    where = edit.targets[0].rpartition("*.")[1] + made.local
    args = {"kind": "relu", "kernel": [1, 1]}
    return InsertLayer().apply(grown, grown.edit("insert-layer", f"net/{where}", **args))


def test_an_edit_of_a_new_layer_follows_that_layer(genome: Genome):
    second = layer_edits(genome)
    place = second.edits[0].targets[0]
    args = {"kind": "silu", "kernel": [1, 1]}
    first = InsertLayer().apply(genome, genome.edit("insert-layer", place, **args))
    child = crossover(MUTATIONS, first, second, stream(0), keep=1.0)
    assert child is not None
    shortcut, layer = child.edits[-2:]
    assert shortcut.id != second.edits[0].id
    assert shortcut.id in layer.targets[0]


def test_an_edit_of_a_layer_that_was_not_carried_is_skipped(genome: Genome):
    second = layer_edits(genome)
    known = {name: mutation for name, mutation in MUTATIONS.items() if name != "insert-shortcut"}
    known["insert-shortcut"] = PruneChannels()  # inexact: it is not replayed
    assert crossover(known, genome, second, stream(0), keep=1.0) is None


def test_inexact_edits_of_the_architecture_are_left_out_and_settings_are_not(genome: Genome):
    edit = PruneChannels(least=1).propose(genome, stream(0))
    assert edit is not None
    second = PruneChannels(least=1).apply(genome, edit)
    second = Halve().apply(second, second.edit("halve", "settings/lr"))
    child = crossover(ALL, genome, second, stream(0), keep=1.0)
    assert child is not None
    assert [edit.operator for edit in child.edits] == ["halve"]
    assert child.settings["lr"] == 0.5
    assert child.architecture == genome.architecture


def test_an_edit_of_a_branched_layer_goes_on_as_one_of_its_left_half(genome: Genome):
    conv = next(node for node in genome.architecture["net"].nodes if node.op == "conv")
    target = f"net/{conv.id}"
    branched = Branch().apply(genome, genome.edit("branch", target))
    wide = Widen().apply(genome, genome.edit("widen", target, part=0, channels=2))
    child = crossover(MUTATIONS, branched, wide, stream(0), keep=1.0)
    assert child is not None
    graph: LayerGraph = child.architecture["net"]
    assert graph[conv.id].params["out"] == conv.params["out"] // 2 + 2


def test_an_operator_that_the_space_lacks_is_named(genome: Genome):
    second = genome.with_edit(Edit("wyden", ("net/a",)))
    with pytest.raises(ConfigError, match="did you mean 'widen'"):
        crossover(MUTATIONS, genome, second, stream(0))
