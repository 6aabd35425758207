"""A small search with pruning written down by hand: genes, compacted births, made-up outcomes."""

from dataclasses import replace

from histories import evaluation, seed_genome, widened

from evonas.genome import Birth, Genome
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.history import Evaluation, History, Individual

GROUP = "net/conv:0"
SFP = Schedule(preset="sfp")
GHFP = Schedule(preset="ghfp", criterion="l1")
SET = Schedule(preset="set", granularity="weight")


def with_genes(genome: Genome, schedule: Schedule, keep: int, operator: str = "prune") -> Genome:
    """Return the genome with genes by which `keep` of the convolution's channels stay."""
    width = genome.architecture["net"]["conv"].params["out"]
    genes = PruningGenes(schedule=schedule, kept={GROUP: Kept(keep, width)})
    edit = genome.edit(operator, GENES, genes=genes.to_json())
    return genes.put_into(genome).with_edit(edit)


def compacted(genome: Genome) -> Genome:
    """Return the genome without the channels that its genes do not keep."""
    genes = PruningGenes.of(genome)
    assert genes is not None
    keep, width = genes.kept[GROUP]
    graph = genome.architecture["net"]
    thin = replace(graph["conv"], params={**graph["conv"].params, "out": keep})
    edit = genome.edit("compact", GENES, removed={GROUP: width - keep})
    genome = genome.with_graph("net", graph.with_nodes([thin])).with_edit(edit)
    return replace(genes, kept={}).put_into(genome)


def pruned(genome: Genome, schedule: Schedule, keep: int, operator: str = "prune") -> Genome:
    """Return the genome as it is born: with genes, and compacted."""
    return compacted(with_genes(genome, schedule, keep, operator))


def judged(masked: float, compact: float, macs: float) -> Evaluation:
    """Return the outcome of a pruned birth."""
    outcome = evaluation(compact, macs)
    gap = {"masked_error": masked, "compact_error": compact, "gap": compact - masked}
    return replace(outcome, metrics={**outcome.metrics, **gap})


def pruned_history() -> History:
    """Return a search of 6 births.

    Number 1 and 2 are pruned from the seed, number 3 varies the genes of number 2 and starts from
    the seed's weights again, number 4 widens number 3, and number 5 prunes single weights.
    """
    seed = seed_genome()
    varied = pruned(seed, GHFP, 4, "prune-jitter")
    births: list[tuple[Genome, str, tuple[int, ...], Evaluation]] = [
        (seed, "seed", (), evaluation(0.20, 800.0)),
        (pruned(seed, SFP, 5), "prune", (0,), judged(0.30, 0.34, 500.0)),
        (pruned(seed, GHFP, 3), "prune", (0,), judged(0.32, 0.32, 300.0)),
        (varied, "prune-jitter", (0, 2), judged(0.24, 0.26, 400.0)),
        (widened(varied), "widen", (3,), evaluation(0.21, 600.0)),
        (with_genes(seed, SET, 2), "prune", (0,), judged(0.5, 0.5, 800.0)),
    ]
    return History(
        [
            Individual(number, Birth(genome, operator, parents, number), outcome)
            for number, (genome, operator, parents, outcome) in enumerate(births)
        ]
    )
