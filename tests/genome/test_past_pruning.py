"""What pruning did to a genome is told as it was."""

from dataclasses import replace

import pytest
from histories import seed_genome, widened
from pruned_histories import GHFP, GROUP, SET, SFP, pruned, with_genes

from evonas.genome import Genome, LayerGraph
from evonas.genome.past_pruning import PastPruning, told
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.genome.schedule import Schedule

SEED = seed_genome()


@pytest.mark.parametrize(
    ("genome", "text"),
    [
        (pruned(SEED, SFP, 5), "sfp (l2), 3 of 8 channels"),
        (pruned(SEED, GHFP, 8), "ghfp (l1), 0 of 8 channels"),
        (pruned(SEED, Schedule(), 2), "own (l2), 6 of 8 channels"),
        (with_genes(SEED, SET, 2), "set (l2), 6 of 8 weights"),
        (widened(pruned(SEED, SFP, 5)), "sfp (l2), 3 of 8 channels"),
        (pruned(pruned(SEED, SFP, 5), GHFP, 1), "ghfp (l1), 4 of 5 channels"),
    ],
)
def test_the_last_pruning_is_told_with_what_it_took(genome: Genome, text: str) -> None:
    found = PastPruning.of(genome)
    assert found is not None
    assert found.text == text


def test_a_genome_that_was_never_pruned_says_so() -> None:
    assert PastPruning.of(widened(SEED)) is None


@pytest.mark.parametrize("genome", [pruned(SEED, SFP, 5), with_genes(SEED, SFP, 5)])
def test_what_a_group_keeps_is_known_before_and_after_it_is_removed(genome: Genome) -> None:
    found = PastPruning.of(genome)
    assert found is not None
    assert found.kept == {GROUP: Kept(5, 8)}


def test_edits_of_pruning_tell_what_stays_and_what_goes() -> None:
    genome = pruned(SEED, SFP, 5, "prune-scale")
    phrases = [told(edit, genome) for edit in genome.edits]
    assert phrases == ["prune-scale (sfp): keeps 5 of 8 channels", "compact: -3 channels"]


def test_a_group_in_mirrored_blocks_counts_once_for_every_block() -> None:
    net = SEED.architecture["net"]
    first, second = (
        replace(net["conv"], id=f"{block}.conv", inputs=(before,))
        for block, before in (("one", "image"), ("two", "one.conv"))
    )
    end = replace(net["end"], inputs=(second.id,))
    mirrored = LayerGraph((net["image"], first, second, end), ("one", "two"))
    genes = PruningGenes(schedule=SFP, kept={"net/*.conv:0": Kept(6, 8)})
    genome = Genome({"net": mirrored})
    edit = genome.edit("prune", GENES, genes=genes.to_json())
    assert told(edit, genome) == "prune (sfp): keeps 12 of 16 channels"
