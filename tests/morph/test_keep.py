"""How pruning genes are read on graphs that edits have changed since the genes were made."""

import pytest

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Granularity, Schedule
from evonas.morph.keep import Prunable, fitted
from evonas.networks import Signature
from evonas.seeds import stream
from evonas_spaces.eena import Eena

SPACE = Eena(stem=8, width=10, last=12)
SIGNATURES = {"net": Signature((3, 16, 16), (10,))}
CHANNELS = {"net/stem.conv:0": 8, "net/*.conv:0": 10, "net/last.conv:0": 12}
WEIGHTS = {"net/stem.conv": 8 * 27, "net/*.conv": 10 * 72, "net/last.conv": 12 * 90}


def edited(*edits: tuple[str, str, dict[str, object]]) -> Genome:
    """Return the seed after some edits, each an operator, a target and arguments."""
    genome = SPACE.seed(SIGNATURES)
    for operator, target, args in edits:
        genome = SPACE.mutations()[operator].apply(genome, genome.edit(operator, target, **args))
    return genome


def genes(granularity: Granularity = "filter", **kept: tuple[int, int]) -> PruningGenes:
    """Return genes of layers by the names that they have in the seed."""
    names = {"stem": "net/stem.conv", "block": "net/*.conv", "last": "net/last.conv"}
    part = ":0" if granularity == "filter" else ""
    return PruningGenes(
        schedule=Schedule(granularity=granularity),
        kept={f"{names[layer]}{part}": Kept(*gene) for layer, gene in kept.items()},
    )


def last_edit(genome: Genome) -> Edit:
    return genome.edits[-1]


def test_the_groups_of_the_seed_are_named_once_for_mirrored_blocks() -> None:
    assert Prunable.of(edited(), "inner").sizes == CHANNELS


def test_the_layers_of_the_seed_have_weights_to_prune_but_the_head() -> None:
    assert Prunable.of(edited(), "inner", "weight").sizes == WEIGHTS


def test_what_the_genes_do_not_name_stays() -> None:
    assert fitted(edited(), genes(block=(4, 10))) == {
        name: Kept(4, 10) if name == "net/*.conv:0" else Kept(size, size)
        for name, size in CHANNELS.items()
    }


def test_fresh_channels_stay_after_widening() -> None:
    wider = edited(("widen", "net/*.conv", {"part": 0, "channels": 6}))
    assert fitted(wider, genes(block=(4, 10)))["net/*.conv:0"] == Kept(10, 16)


def test_fresh_weights_stay_after_widening() -> None:
    wider = edited(("widen", "net/*.conv", {"part": 0, "channels": 6}))
    found = fitted(wider, genes("weight", block=(100, 720), last=(80, 1080)))
    assert found["net/*.conv"] == Kept(100 + 6 * 72, 16 * 72)
    assert found["net/last.conv"] == Kept(80 + 12 * 9 * 6, 12 * 9 * 16)


def test_the_rim_of_a_grown_kernel_stays() -> None:
    grown = edited(("grow-kernel", "net/stem.conv", {"axes": [1, 1]}))
    assert fitted(grown, genes("weight", stem=(50, 216)))["net/stem.conv"] == Kept(
        50 + 8 * 3 * 16, 8 * 3 * 25
    )
    assert fitted(grown, genes(stem=(5, 8)))["net/stem.conv:0"] == Kept(5, 8)


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_both_halves_of_a_branched_layer_have_its_gene(granularity: Granularity) -> None:
    branched = edited(("branch", "net/*.conv", {}))
    size = CHANNELS["net/*.conv:0"] if granularity == "filter" else WEIGHTS["net/*.conv"]
    part = ":0" if granularity == "filter" else ""
    right = f"net/*.conv_right_{last_edit(branched).id}{part}"
    found = fitted(branched, genes(granularity, block=(size * 4 // 10, size)))
    assert found[f"net/*.conv{part}"] == found[right] == Kept(size * 2 // 10, size // 2)


def test_a_half_that_is_branched_again_has_the_gene_of_the_whole() -> None:
    once = edited(("branch", "net/last.conv", {}))
    right = f"net/last.conv_right_{last_edit(once).id}"
    twice = SPACE.mutations()["branch"].apply(once, once.edit("branch", right))
    rightmost = f"net/last.conv_right_{last_edit(twice).id}:0"
    assert fitted(twice, genes(last=(4, 12)))[rightmost] == Kept(1, 3)


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_a_removed_layer_has_no_gene(granularity: Granularity) -> None:
    space = Eena(stem=10, width=10, last=12)
    seed = space.seed(SIGNATURES)
    shorter = space.mutations()["remove-layer"].apply(seed, seed.edit("remove-layer", "net/*.conv"))
    old = genes(granularity, stem=(2, 10), block=(2, 10))
    assert old.kept.keys() - fitted(seed, old).keys() == set()
    assert old.kept.keys() - fitted(shorter, old).keys() == set(
        genes(granularity, block=(2, 10)).kept
    )


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_an_inserted_layer_is_not_pruned(granularity: Granularity) -> None:
    seed, insert = edited(), SPACE.mutations()["insert-dense"]
    edit = insert.propose(seed, stream(0))
    assert edit is not None
    old = genes(granularity, stem=(1, 8), block=(1, 10), last=(1, 12))
    found = fitted(insert.apply(seed, edit), old)
    fresh = [gene for name, gene in found.items() if edit.id in name]
    assert fresh
    assert all(gene.keep == gene.width for gene in fresh)


def test_a_layer_that_lost_channels_keeps_the_same_part_and_never_nothing() -> None:
    thin = edited(("prune-channels", "net/last.conv", {"part": 0, "channels": 6}))
    assert fitted(thin, genes(last=(8, 12)))["net/last.conv:0"] == Kept(4, 6)
    assert fitted(thin, genes(last=(1, 12)))["net/last.conv:0"] == Kept(1, 6)


def test_thinning_leaves_the_counts_in_every_mirrored_block() -> None:
    kept = {"net/*.conv:0": Kept(3, 10), "net/stem.conv:0": Kept(8, 8)}
    graph = Prunable.of(edited(), "inner").thinned(kept).architecture["net"]
    assert [graph.shapes[f"block{number}.conv"][0] for number in (1, 2, 3)] == [3, 3, 3]
    assert graph.shapes["stem.conv"][0] == 8


def test_a_network_without_some_single_weights_is_the_same_network() -> None:
    genome = edited()
    prunable = Prunable.of(genome, "inner", "weight")
    assert prunable.thinned({"net/stem.conv": Kept(5, 216)}) is genome


@pytest.mark.parametrize("granularity", ["filter", "weight"])
@pytest.mark.parametrize(
    ("name", "keep", "reason"),
    [
        ("net/stem.conv", 0, "keeps 0 of"),
        ("net/stem.conv", 5000, "keeps 5000 of"),
        ("net/head", 5, "there is no"),
        ("nowhere/nothing", 5, "there is no"),
    ],
)
def test_counts_that_cannot_be_kept_are_refused_with_the_reason(
    granularity: Granularity, name: str, keep: int, reason: str
) -> None:
    name = f"{name}:0" if granularity == "filter" else name
    with pytest.raises(EditError, match=reason):
        Prunable.of(edited(), "inner", granularity).thinned({name: Kept(keep, 8)})


def test_what_a_gate_ties_to_another_layer_is_pruned_with_it_or_not_at_all() -> None:
    gated = edited(("insert-layer", "net/*.act", {"kind": "relu", "kernel": [3, 3]}))
    old = genes(block=(4, 10), last=(6, 12))
    assert "net/*.conv:0" not in Prunable.of(gated, "inner").fitted(old)
    assert Prunable.of(gated, "coupled").fitted(old)["net/*.conv:0"] == Kept(4, 10)
