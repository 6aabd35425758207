"""Pruning genes of two parents in one child."""

from dataclasses import replace

import pytest

from evonas.genome import Genome
from evonas.genome.cost import macs
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.keep import Prunable
from evonas.morph.prune_crossover import crossed_genes
from evonas.morph.prune_genes import Prune
from evonas.morph.prune_options import PruningOptions, Target
from evonas.networks import Signature
from evonas.seeds import stream
from evonas_spaces.eena import Eena

SIGNATURES = {"net": Signature((3, 16, 16), (10,))}
BASE = Eena(stem=40, width=40, last=80).seed(SIGNATURES)
SIZES = {"net/stem.conv:0": 40, "net/*.conv:0": 40, "net/last.conv:0": 80}
SOFT, HARD = Schedule(preset="soft"), Schedule(preset="hard", interval=3)
OPTIONS = PruningOptions(schedules=(SOFT, HARD))


def genes(schedule: Schedule, *keep: int) -> PruningGenes:
    rows = zip(SIZES.items(), keep, strict=True)
    return PruningGenes(schedule=schedule, kept={name: Kept(k, size) for (name, size), k in rows})


FIRST, SECOND = genes(SOFT, 10, 20, 40), genes(HARD, 30, 10, 60)


def child(
    first: PruningGenes, second: PruningGenes, seed: int, options: PruningOptions = OPTIONS
) -> PruningGenes:
    edit = crossed_genes(BASE, first, second, options, stream(seed))
    assert edit is not None
    found = PruningGenes.of(Prune().apply(BASE, edit))
    assert found is not None
    return found


def cost(found: PruningGenes) -> int:
    thinned = Prunable.of(BASE, "inner").thinned(found.kept)
    return macs(thinned.architecture["net"])


def test_the_edit_is_one_of_the_operator_prune() -> None:
    edit = crossed_genes(BASE, FIRST, SECOND, OPTIONS, stream(0))
    assert edit is not None
    assert (edit.operator, edit.targets) == ("prune", ("pruning/genes",))


def test_parents_with_the_same_genes_have_no_child() -> None:
    assert crossed_genes(BASE, FIRST, FIRST, OPTIONS, stream(0)) is None


def test_the_schedule_comes_whole_from_either_parent() -> None:
    found = {child(FIRST, SECOND, seed).schedule.preset for seed in range(20)}
    assert found == {"soft", "hard"}


def test_the_counts_of_groups_stand_in_the_proportion_of_one_parent_each() -> None:
    pairs = set[tuple[int, ...]]()
    for seed in range(60):
        kept = child(FIRST, SECOND, seed).kept
        ratio = [kept[name].keep / kept[name].width for name in SIZES]
        for taken in range(8):
            mixed = [(FIRST, SECOND)[taken >> n & 1].kept[name] for n, name in enumerate(SIZES)]
            factors = [r * gene.width / gene.keep for r, gene in zip(ratio, mixed, strict=True)]
            if max(factors) / min(factors) < 1.12:
                pairs.add((taken,))
    assert len(pairs) == 8


def test_the_mean_of_the_shares_is_kept_where_there_is_no_target() -> None:
    kept = child(FIRST, SECOND, 1).kept
    assert sum(gene.keep for gene in kept.values()) == (70 + 100) // 2


def test_the_target_is_that_of_the_first_and_is_met() -> None:
    low, high = 0.3 * macs(BASE.architecture["net"]), 0.6 * macs(BASE.architecture["net"])
    options = PruningOptions(schedules=(SOFT, HARD), target=Target("macs", low, high))
    first, second = replace(FIRST, target=("macs", low)), replace(SECOND, target=("macs", high))
    for seed in range(10):
        found = child(first, second, seed, options)
        assert found.target == ("macs", low)
        assert 0.96 * low <= cost(found) <= low


def test_shares_are_read_on_the_widths_of_the_base() -> None:
    halved = PruningGenes(schedule=HARD, kept={name: Kept(3, 80) for name in SIZES})
    for seed in range(5):
        kept = child(FIRST, halved, seed).kept
        assert {name: gene.width for name, gene in kept.items()} == SIZES


@pytest.mark.parametrize("seed", range(6))
def test_parents_that_prune_filters_and_single_weights_have_children_of_either_kind(
    seed: int,
) -> None:
    sparse = replace(HARD, granularity="weight")
    options = PruningOptions(schedules=(SOFT, sparse))
    layers = {name.partition(":")[0]: Kept(100, 1000) for name in SIZES}
    found = child(FIRST, PruningGenes(schedule=sparse, kept=layers), seed, options)
    wanted = Prunable.of(BASE, "inner", found.schedule.granularity).sizes
    assert {name: gene.width for name, gene in found.kept.items()} == wanted


def test_a_child_is_drawn_from_its_generator_alone() -> None:
    one, other = (crossed_genes(BASE, FIRST, SECOND, OPTIONS, stream(3)) for _ in range(2))
    assert one == other


def test_a_network_with_nothing_to_prune_has_no_child() -> None:
    graph = BASE.architecture["net"]
    frozen = graph.with_nodes(replace(node, frozen=True) for node in graph.nodes)
    assert crossed_genes(Genome({"net": frozen}), FIRST, SECOND, OPTIONS, stream(0)) is None
