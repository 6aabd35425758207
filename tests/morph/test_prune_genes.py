"""Edits of the pruning genes: what each operator changes, what it keeps, what is refused."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from evonas.genome import Genome, LayerGraph
from evonas.genome.cost import macs, parameters
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.always import ALWAYS
from evonas.morph.gene_edit import gene_edit, with_genes
from evonas.morph.gene_start import Start
from evonas.morph.keep import Prunable
from evonas.morph.prune_operators import mutations_for
from evonas.morph.prune_options import PruningOptions, Target
from evonas.morph.repair import KEPT
from evonas.networks import Signature
from evonas.seeds import stream
from evonas_spaces.eena import Eena

SPACE = Eena(stem=40, width=40, last=80)
SIGNATURES = {"net": Signature((3, 16, 16), (10,))}
SEED = SPACE.seed(SIGNATURES)
SIZES = {"net/stem.conv:0": 40, "net/*.conv:0": 40, "net/last.conv:0": 80}
WHOLE = macs(SEED.architecture["net"])
HALF = Target("macs", WHOLE / 2, WHOLE / 2)
RANGE = Target("macs", 0.2 * WHOLE, 0.6 * WHOLE)
NORMS = {
    name: tuple(stream(0, name).uniform(1, 1 + number, size).tolist())
    for number, (name, size) in enumerate(SIZES.items(), start=1)
}
SOFT, TIED = Schedule(preset="soft"), Schedule(preset="tied", residual="coupled")
SPARSE = Schedule(preset="sparse", granularity="weight")
EVERY: Mapping[str, PruningOptions] = {
    "free": PruningOptions(schedules=(SOFT, SPARSE)),
    "free to a target": PruningOptions(schedules=(SOFT, TIED), target=RANGE),
    "uniform": PruningOptions(ratios="uniform"),
    "uniform to a target": PruningOptions(ratios="uniform", target=RANGE),
    "affine": PruningOptions(ratios="affine", norms=NORMS),
    "affine to a target": PruningOptions(ratios="affine", norms=NORMS, target=RANGE),
}


def edited(operator: str, options: PruningOptions, seed: int, genome: Genome = SEED) -> Genome:
    """Return the genome after an edit of one operator."""
    mutation = mutations_for(options)[operator]
    edit = mutation.propose(genome, stream(seed))
    assert edit is not None
    return mutation.apply(genome, edit)


def genes_of(genome: Genome) -> PruningGenes:
    genes = PruningGenes.of(genome)
    assert genes is not None
    return genes


def cost(genes: PruningGenes) -> int:
    """Return the MACs of the seed with these counts."""
    prunable = Prunable.of(SEED, genes.schedule.residual)
    return macs(prunable.thinned(genes.kept).architecture["net"])


def pending(*keep: int, schedule: Schedule = SOFT, target: float | None = None) -> Genome:
    """Return the seed with these counts to be pruned to."""
    rows = zip(SIZES.items(), keep, strict=True)
    kept = {name: Kept(count, size) for (name, size), count in rows}
    bound = None if target is None else ("macs", target)
    genes = PruningGenes(schedule=schedule, kept=kept, target=bound)
    return with_genes(SEED, gene_edit(SEED, "prune", genes))


def cases() -> list[tuple[str, str]]:
    return [
        (name, operator) for name, options in EVERY.items() for operator in mutations_for(options)
    ]


@pytest.mark.parametrize(("name", "operator"), cases())
def test_every_operator_has_edits_for_an_unpruned_genome_and_for_its_children(
    name: str, operator: str
) -> None:
    for seed in range(5):
        child = edited(operator, EVERY[name], seed)
        again = edited(operator, EVERY[name], seed + 100, child)
        assert genes_of(again) != genes_of(child)
        assert again.architecture == SEED.architecture


@pytest.mark.parametrize(
    ("name", "operator"), [case for case in cases() if case[0].endswith("to a target")]
)
def test_what_is_proposed_meets_its_own_target(name: str, operator: str) -> None:
    genome = SEED
    for seed in range(6):
        genome = edited(operator, EVERY[name], seed, genome)
        genes = genes_of(genome)
        assert genes.target is not None
        assert RANGE.low <= genes.target[1] <= RANGE.high
        assert 0.96 * genes.target[1] <= cost(genes) <= genes.target[1]


@pytest.mark.parametrize("operator", ["prune", "prune-transfer", "prune-jitter", "prune-curves"])
def test_a_fixed_target_is_never_exceeded(operator: str) -> None:
    genome = SEED
    for seed in range(6):
        genome = edited(operator, PruningOptions(target=HALF), seed, genome)
        assert 0.96 * HALF.low <= cost(genes_of(genome)) <= HALF.low


def test_a_target_of_parameters_is_met_in_parameters() -> None:
    whole = parameters(SEED.architecture["net"])
    options = PruningOptions(target=Target("parameters", whole / 3, whole / 3))
    kept = genes_of(edited("prune", options, 0)).kept
    found = parameters(Prunable.of(SEED, "inner").thinned(kept).architecture["net"])
    assert 0.96 * whole / 3 <= found <= whole / 3


def test_without_a_target_a_share_of_all_channels_goes() -> None:
    options = PruningOptions(pruned_ratio=(0.25, 0.5))
    for seed in range(10):
        genes = genes_of(edited("prune", options, seed))
        assert genes.target is None
        assert 0.5 * 160 - 1 <= sum(gene.keep for gene in genes.kept.values()) <= 0.75 * 160


def test_uniform_counts_keep_one_share() -> None:
    genes = genes_of(edited("prune", PruningOptions(ratios="uniform", target=HALF), 0))
    shares = [gene.keep / gene.width for gene in genes.kept.values()]
    assert max(shares) - min(shares) <= 1 / 40


def test_free_counts_scatter_around_one_share() -> None:
    drawn = [genes_of(edited("prune", PruningOptions(target=HALF), seed)) for seed in range(20)]
    shares = np.array([[gene.keep / gene.width for gene in one.kept.values()] for one in drawn])
    assert (shares.std(axis=0) > 0.03).all()
    assert (abs(shares.mean(axis=0) - shares.mean()) < 0.15).all()


def test_a_first_pruning_draws_from_all_schedules() -> None:
    options = EVERY["free"]
    found = {genes_of(edited("prune", options, seed)).schedule.preset for seed in range(20)}
    assert found == {"soft", "sparse"}


def test_no_group_keeps_less_than_the_least_share() -> None:
    options = PruningOptions(least_ratio=0.3, target=RANGE)
    for seed in range(10):
        for keep, width in genes_of(edited("prune", options, seed)).kept.values():
            assert keep >= 0.3 * width


def test_a_transfer_takes_from_one_group_and_gives_to_another_at_equal_macs() -> None:
    before = pending(20, 20, 40)
    for seed in range(10):
        after = edited("prune-transfer", PruningOptions(), seed, before)
        old, new = genes_of(before).kept, genes_of(after).kept
        moved = [new[name].keep - old[name].keep for name in SIZES]
        assert sum(change < 0 for change in moved) == 1
        assert sum(change > 0 for change in moved) <= 1
        assert 0.85 * cost(genes_of(before)) <= cost(genes_of(after)) <= cost(genes_of(before))


def test_a_transfer_of_single_weights_keeps_their_number() -> None:
    sizes = Prunable.of(SEED, "inner", "weight").sizes
    kept = {name: Kept(size // 2, size) for name, size in sizes.items()}
    before = with_genes(SEED, gene_edit(SEED, "x", PruningGenes(schedule=SPARSE, kept=kept)))
    after = edited("prune-transfer", PruningOptions(schedules=(SPARSE,)), 0, before)
    new = genes_of(after).kept
    assert new != kept
    assert sum(gene.keep for gene in new.values()) == sum(gene.keep for gene in kept.values())


def test_a_jitter_without_target_moves_one_count() -> None:
    before = pending(20, 20, 40)
    for seed in range(10):
        after = genes_of(edited("prune-jitter", PruningOptions(), seed, before))
        assert sum(after.kept[name] != gene for name, gene in genes_of(before).kept.items()) == 1


def test_scaling_keeps_the_proportions() -> None:
    before = pending(10, 20, 20)
    after = genes_of(edited("prune-scale", PruningOptions(), 1, before)).kept
    stem, block, last = (after[name].keep for name in SIZES)
    assert stem != 10
    assert block == pytest.approx(2 * stem, abs=2)
    assert last == pytest.approx(2 * stem, abs=2)


def test_a_jump_keeps_counts_that_the_other_schedule_understands() -> None:
    other = replace(SOFT, preset="other", interval=99)
    before = pending(10, 20, 30)
    after = genes_of(edited("prune-preset", PruningOptions(schedules=(SOFT, other)), 0, before))
    assert after == replace(genes_of(before), schedule=other)


def test_a_jump_to_single_weights_keeps_the_share() -> None:
    before = pending(20, 20, 40)
    genes = genes_of(edited("prune-preset", PruningOptions(schedules=(SOFT, SPARSE)), 0, before))
    assert genes.schedule == SPARSE
    assert {name: gene.width for name, gene in genes.kept.items()} == Prunable.of(
        SEED, "inner", "weight"
    ).sizes
    kept, width = map(sum, zip(*genes.kept.values(), strict=True))
    assert kept / width == pytest.approx(0.5, abs=1e-3)


def test_there_is_nowhere_to_jump_to_with_one_schedule() -> None:
    assert ALWAYS["prune-preset"].propose(SEED, stream(0)) is None


def test_a_step_of_the_ranking_moves_a_tenth_of_the_groups() -> None:
    before = edited("prune", EVERY["affine"], 0)
    for seed in range(5):
        after = edited("prune-affine", EVERY["affine"], seed, before)
        old, new = genes_of(before).affine, genes_of(after).affine
        assert sum(new[name] != old[name] for name in SIZES) == 1


@pytest.mark.parametrize(
    ("options", "operators"),
    [
        (PruningOptions(), "prune prune-curves prune-jitter prune-scale prune-transfer"),
        (PruningOptions(target=HALF), "prune prune-curves prune-jitter prune-transfer"),
        (PruningOptions(ratios="uniform", target=HALF), "prune prune-curves"),
        (EVERY["affine"], "prune prune-affine prune-curves prune-scale"),
        (
            EVERY["free to a target"],
            "prune prune-curves prune-jitter prune-preset prune-scale prune-transfer",
        ),
    ],
)
def test_only_operators_that_have_edits_are_used(options: PruningOptions, operators: str) -> None:
    assert sorted(mutations_for(options)) == operators.split()


def test_a_network_that_meets_the_target_already_is_not_pruned() -> None:
    options = PruningOptions(target=Target("macs", 2 * WHOLE, 3 * WHOLE))
    assert all(
        mutation.propose(SEED, stream(0)) is None for mutation in mutations_for(options).values()
    )


def test_a_network_with_nothing_to_prune_has_no_edits() -> None:
    graph = SEED.architecture["net"]
    frozen = LayerGraph(tuple(replace(node, frozen=True) for node in graph.nodes), graph.mirrors)
    genome = Genome({"net": frozen})
    for operator, mutation in mutations_for(EVERY["free"]).items():
        assert mutation.propose(genome, stream(0)) is None, operator


def test_new_genes_take_up_the_schedule_of_the_ancestors_pruning() -> None:
    compacted = PruningGenes(schedule=replace(SOFT, preset="old")).put_into(SEED)
    genes = genes_of(edited("prune-jitter", PruningOptions(), 0, compacted))
    assert genes.schedule.preset == "old"


def test_single_weights_start_with_small_layers_denser() -> None:
    prunable = Prunable.of(SEED, "inner", "weight")
    bound = (KEPT, 0.2 * sum(prunable.sizes.values()))
    start = Start.anew(prunable, SPARSE, bound, PruningOptions(schedules=(SPARSE,)))
    assert start.kept_ratio == pytest.approx(0.2, abs=1e-3)
    smallest = min(prunable.sizes, key=lambda name: prunable.sizes[name])
    assert start.ratios[smallest] == max(start.ratios.values()) > 0.4
