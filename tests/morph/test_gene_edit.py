"""Edits of the pruning genes as records: what is refused, replayed, and not carried over."""

from dataclasses import replace

import pytest

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.morph.crossover import crossover
from evonas.morph.gene_edit import gene_edit, with_genes
from evonas.morph.prune_counts import PruneJitter
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.state import State
from evonas_spaces.eena import Eena

SPACE = Eena(stem=40, width=40, last=80)
SEED = SPACE.seed({"net": Signature((3, 16, 16), (10,))})


def pruned() -> Genome:
    """Return the seed with pending genes."""
    edit = PruneJitter().propose(SEED, stream(0))
    assert edit is not None
    return PruneJitter().apply(SEED, edit)


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


def test_edits_of_genes_are_replayed_by_a_space_that_lists_no_such_operator() -> None:
    child = pruned()
    assert "prune-jitter" not in SPACE.mutations()
    grown = SPACE.mutations()["widen"]
    edit = grown.propose(child, stream(0))
    assert edit is not None
    wider = grown.apply(child, edit)
    state = State.of(SPACE.build(SEED))
    inherited = SPACE.inherit(wider, [(SEED, state)], stream(1))
    assert inherited.tensors.keys() == state.tensors.keys()


def test_a_crossover_of_architectures_carries_no_pruning_over() -> None:
    pending = pruned()
    grown = SPACE.mutations()["widen"]
    edit = grown.propose(pending, stream(0))
    assert edit is not None
    compacted = replace(
        grown.apply(pending, edit), edits=(*pending.edits, Edit("compact", (GENES,)), edit)
    )
    child = crossover(SPACE.mutations(), SEED, compacted, stream(0), keep=1.0)
    assert child is not None
    assert [one.operator for one in child.edits] == ["widen"]
    assert child.chromosomes == SEED.chromosomes
