"""Edits of the pruning genes: each holds the whole chromosome as it is afterwards.

So an edit is exact and can be replayed anywhere, whichever operator made it.
"""

from collections.abc import Callable

from evonas.errors import ConfigError, EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import GENES, PRUNING, PruningGenes
from evonas.morph.keep import Prunable

_ATTEMPTS = 4


def gene_edit(genome: Genome, operator: str, genes: PruningGenes) -> Edit:
    """Return the edit of `genome` that gives it these genes."""
    return genome.edit(operator, GENES, genes=genes.to_json())


def proposed(genome: Genome, operator: str, vary: Callable[[], PruningGenes]) -> Edit | None:
    """Return the edit to other genes that prune something, or None if there are none.

    Args:
        genome: What is edited.
        operator: Who edits it.
        vary: Draws genes, of which some may be those that are there; raises `EditError` if nothing
            can be pruned.
    """
    present = genome.chromosomes.get(PRUNING)
    for _ in range(_ATTEMPTS):
        try:
            genes = vary()
        except EditError:
            return None
        if any(keep < width for keep, width in genes.kept.values()) and genes.to_json() != present:
            return gene_edit(genome, operator, genes)
    return None


def with_genes(genome: Genome, edit: Edit) -> Genome:
    """Return the genome after an edit of its genes.

    Raises:
        EditError: if the edit is none, or its counts are not for this genome.
    """
    if edit.targets != (GENES,):
        raise EditError(f"pruning genes have the target {GENES!r}, given {edit.targets!r}")
    try:
        genes = PruningGenes.from_json(edit.args["genes"])
    except (AttributeError, ConfigError, KeyError, TypeError) as error:
        raise EditError(f"{dict(edit.args)!r} holds no pruning genes: {error}") from None
    prunable = Prunable.of(genome, genes.schedule.residual, genes.schedule.granularity)
    prunable.check(genes.kept)
    for name, gene in genes.kept.items():
        if gene.width != prunable.sizes[name]:
            raise EditError(
                f"{name} has {prunable.sizes[name]}, and its gene is for {gene.width}; read genes"
                " of another genome by `evonas.morph.keep.fitted`"
            )
    return genes.put_into(genome).with_edit(edit)
