"""Pruning genes drawn anew: a schedule, how much goes, and how that is spread over the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np

from evonas.genome import Edit, Genome
from evonas.genome.pruning import PruningGenes
from evonas.morph.gene_edit import proposed, with_genes
from evonas.morph.gene_start import Start, drawn_bound, prunable_by
from evonas.morph.mutation import Mutation
from evonas.morph.prune_options import PruningOptions
from evonas.morph.ranking import perturbed
from evonas.morph.repair import Budget
from evonas.seeds import Rng
from evonas.state import State

_NOISE = 0.4
"""Standard deviation of the kept shares on the logit scale."""

_EDGE = 1e-3


@final
@dataclass(frozen=True, kw_only=True)
class Prune(Mutation):
    """Draw all pruning genes: a schedule, a target, and each group's share around a common one.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "prune"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "shares as in EagleEye, Li et al., 2020, https://arxiv.org/abs/2007.02491, but repaired to"
        " the target where that draws until it is met"
    )

    options: PruningOptions = field(default_factory=PruningOptions)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the genes."""
        return proposed(genome, self.operator, lambda: _drawn(genome, self.options, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


def _drawn(genome: Genome, options: PruningOptions, rng: Rng) -> PruningGenes:
    schedule = options.schedules[int(rng.integers(len(options.schedules)))]
    prunable = prunable_by(genome, schedule)
    bound = drawn_bound(prunable, options, rng)
    start = Start.anew(prunable, schedule, bound, options)
    match options.ratios:
        case "uniform":
            return start.genes
        case "affine":
            ranked = [name for name in prunable.sizes if name in options.norms]
            affine = perturbed({}, options.norms, ranked, 1.0, rng)
            return replace(start, genes=replace(start.genes, affine=affine)).bounded(bound).genes
        case "free":
            budget = Budget(prunable, bound[0], options.least_ratio)
            kept = budget.within(_scattered(start.ratios, rng), bound[1])
            return replace(start.genes, kept=kept)


def _scattered(ratios: Mapping[str, float], rng: Rng) -> Mapping[str, float]:
    """Return the shares with normal noise on their logits."""
    shares = np.clip(list(ratios.values()), _EDGE, 1 - _EDGE)
    logits = np.log(shares / (1 - shares)) + rng.normal(0.0, _NOISE, len(shares))
    return dict(zip(ratios, (1 / (1 + np.exp(-logits))).tolist(), strict=True))
