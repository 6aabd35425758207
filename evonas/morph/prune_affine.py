"""Steps of the ranking by a x norm + b that all counts come of.

Towards Efficient Model Compression via Learned Global Ranking (LeGR), Chin, Ding, Zhang and
Marculescu, 2020, https://arxiv.org/abs/1904.12368. Differences: the step, which LeGR lowers from 1
to 0.2 over its search, is drawn between those, since a proposal does not know how far the search
is; and every group keeps what `least_ratio` says.
"""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import PruningGenes
from evonas.morph.gene_edit import proposed, with_genes
from evonas.morph.gene_start import Start
from evonas.morph.mutation import Mutation
from evonas.morph.prune_options import PruningOptions
from evonas.morph.ranking import perturbed
from evonas.morph.repair import KEPT
from evonas.seeds import Rng
from evonas.state import State

_SHARE = 0.1
"""Share of the groups that move at once."""

_STEPS = (0.2, 1.0)


@final
@dataclass(frozen=True, kw_only=True)
class PruneAffine(Mutation):
    """Move (a, b) of some groups and rank all filters anew.

    Attributes:
        options: What the search allows; `norms` says what is ranked.
    """

    operator: ClassVar[str] = "prune-affine"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "LeGR, Chin et al., 2020, https://arxiv.org/abs/1904.12368"

    options: PruningOptions = field(default_factory=PruningOptions)

    @classmethod
    def example(cls) -> "PruneAffine":
        """Return the mutation for the seed of the space `eena`."""
        widths = {"net/stem.conv:0": 16, "net/*.conv:0": 16, "net/last.conv:0": 32}
        norms = {
            name: tuple(0.5 + 0.1 * number for number in range(width))
            for name, width in widths.items()
        }
        return cls(options=PruningOptions(ratios="affine", norms=norms))

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the groups and their steps."""
        return proposed(genome, self.operator, lambda: _reranked(genome, self.options, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


def _reranked(genome: Genome, options: PruningOptions, rng: Rng) -> PruningGenes:
    start = Start.of(genome, options, rng)
    ranked = [name for name in start.prunable.sizes if name in options.norms]
    if not ranked or options.ratios != "affine":
        raise EditError("no counts of this genome come of a ranking")
    num_moved = max(1, round(_SHARE * len(ranked)))
    moved = [str(name) for name in rng.choice(ranked, num_moved, replace=False)]
    low, high = _STEPS
    step = low * (high / low) ** float(rng.random())
    affine = perturbed(start.genes.affine, options.norms, moved, step, rng)
    bound = start.genes.target or (KEPT, math.fsum(k.keep for k in start.genes.kept.values()))
    return replace(start, genes=replace(start.genes, affine=affine)).bounded(bound).genes
