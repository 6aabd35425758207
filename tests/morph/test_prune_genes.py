"""Edits of the pruning genes: what each operator changes, what it keeps, what is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from evonas.errors import ConfigError, EditError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.genome.cost import macs, parameters
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Curve, Granularity, Schedule
from evonas.morph.always import ALWAYS
from evonas.morph.crossover import crossover
from evonas.morph.gene_edit import GENES, gene_edit, with_genes
from evonas.morph.keep import Prunable
from evonas.morph.prune_operators import mutations_for
from evonas.morph.prune_options import PruningOptions, Ratios, Target
from evonas.morph.ranking import ranked
from evonas.morph.repair import KEPT, Budget
from evonas.morph.schedule_walk import walked
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.state import State
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


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_a_walk_stays_within_the_family_and_never_stands_still(granularity: Granularity) -> None:
    rng = stream(0)
    schedule = Schedule(granularity=granularity)
    seen: dict[str, set[str]] = {}
    for _ in range(400):
        after = walked(schedule, rng)
        assert after != schedule
        assert Schedule.from_json(json.loads(json.dumps(after.to_json()))) == after
        for name, value in after.to_json().items():
            seen.setdefault(name, set()).add(json.dumps(value))
        schedule = after
    moving = {name for name, values in seen.items() if len(values) > 1}
    assert moving == {
        *("rate", "alpha", "beta", "criterion", "interval", "momentum_reset", "regrowth_cap")
    }


def test_a_walk_changes_one_thing() -> None:
    schedule = Schedule(alpha=Curve(kind="linear", start=1.0, until=0.5))
    for seed in range(30):
        after = walked(schedule, stream(seed)).to_json()
        assert sum(after[name] != value for name, value in schedule.to_json().items()) == 1


def test_the_ranking_by_the_norm_alone_takes_the_smallest_norms_of_the_network() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), KEPT, 0.0)
    kept = ranked(budget, NORMS, {}, 100)
    cut = sorted(norm for norms in NORMS.values() for norm in norms)[60]
    assert kept == {
        name: Kept(sum(norm >= cut for norm in norms), len(norms)) for name, norms in NORMS.items()
    }


def test_a_larger_factor_keeps_more_of_its_group() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), "macs", 0.1)
    few = ranked(budget, NORMS, {}, WHOLE / 2)["net/stem.conv:0"]
    more = ranked(budget, NORMS, {"net/stem.conv:0": (3.0, 0.0)}, WHOLE / 2)["net/stem.conv:0"]
    assert more.keep > few.keep


def test_a_step_of_the_ranking_moves_a_tenth_of_the_groups() -> None:
    before = edited("prune", EVERY["affine"], 0)
    for seed in range(5):
        after = edited("prune-affine", EVERY["affine"], seed, before)
        old, new = genes_of(before).affine, genes_of(after).affine
        assert sum(new[name] != old[name] for name in SIZES) == 1


def test_norms_of_another_network_are_refused() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), KEPT, 0.0)
    with pytest.raises(EditError, match="has 40 filters, and 3 norms"):
        ranked(budget, {"net/stem.conv:0": (1.0, 2.0, 3.0)}, {}, 100)


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


@pytest.mark.parametrize(
    ("name", "gene", "reason"),
    [
        ("net/stem.conv:0", (0, 40), "keeps 0 of 40"),
        ("net/stem.conv:0", (41, 40), "keeps 41 of 40"),
        ("net/stem.conv:0", (10, 20), "has 40, and its gene is for 20"),
        ("net/head:0", (5, 10), "no group of channels 'net/head:0'"),
        ("net/stem.conv", (5, 10), "no group of channels"),
    ],
)
def test_genes_that_are_not_for_this_genome_are_refused_with_the_reason(
    name: str, gene: tuple[int, int], reason: str
) -> None:
    edit = gene_edit(SEED, "prune", PruningGenes(kept={name: Kept(*gene)}))
    with pytest.raises(EditError, match=reason):
        with_genes(SEED, edit)


@pytest.mark.parametrize("args", [{}, {"genes": {"kept": {}}}, {"genes": 3}])
def test_an_edit_without_genes_is_refused(args: dict[str, object]) -> None:
    with pytest.raises(EditError, match="holds no pruning genes"):
        with_genes(SEED, Edit("prune", (GENES,), args))


def test_a_schedule_that_never_settles_is_refused_in_an_edit_too() -> None:
    data = PruningGenes().to_json()
    data["schedule"]["alpha"] = {**data["schedule"]["alpha"], "end": 0.5}
    with pytest.raises(EditError, match="must reach 0"):
        with_genes(SEED, Edit("prune", (GENES,), {"genes": data}))


@pytest.mark.parametrize(
    ("ratios", "schedules", "target", "high", "reason"),
    [
        ("free", (SPARSE,), HALF, 0.5, "'sparse' prunes single weights"),
        ("affine", (SOFT, SPARSE), None, 0.5, "'sparse' prunes single weights"),
        ("free", (SOFT,), None, 0.95, "least_ratio = 0.1 must stay"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    ratios: Ratios,
    schedules: tuple[Schedule, ...],
    target: Target | None,
    high: float,
    reason: str,
) -> None:
    with pytest.raises(ConfigError, match=reason):
        PruningOptions(schedules=schedules, target=target, ratios=ratios, pruned_ratio=(0.2, high))


def test_edits_of_genes_are_replayed_by_a_space_that_lists_no_such_operator() -> None:
    child = edited("prune-jitter", PruningOptions(), 0)
    assert "prune-jitter" not in SPACE.mutations()
    grown = SPACE.mutations()["widen"]
    edit = grown.propose(child, stream(0))
    assert edit is not None
    wider = grown.apply(child, edit)
    state = State.of(SPACE.build(SEED))
    inherited = SPACE.inherit(wider, [(SEED, state)], stream(1))
    assert inherited.tensors.keys() == state.tensors.keys()


def test_a_crossover_of_architectures_carries_no_pruning_over() -> None:
    pruned = edited("prune", PruningOptions(), 0)
    grown = SPACE.mutations()["widen"]
    edit = grown.propose(pruned, stream(0))
    assert edit is not None
    compacted = replace(
        grown.apply(pruned, edit), edits=(*pruned.edits, Edit("compact", (GENES,)), edit)
    )
    child = crossover(SPACE.mutations(), SEED, compacted, stream(0), keep=1.0)
    assert child is not None
    assert [one.operator for one in child.edits] == ["widen"]
    assert child.chromosomes == SEED.chromosomes
