"""Small steps of the counts: from one group to another, in one group, or in all alike."""

from dataclasses import dataclass, field
from typing import ClassVar, final

from evonas.genome import Edit, Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.morph.gene_edit import proposed, with_genes
from evonas.morph.gene_start import Bound, Start, drawn_bound
from evonas.morph.mutation import Mutation
from evonas.morph.prune_options import PruningOptions
from evonas.morph.repair import KEPT, Budget
from evonas.seeds import Rng
from evonas.state import State

_STEP = 0.1
"""Standard deviation of a step, as a share of the width."""


@final
@dataclass(frozen=True, kw_only=True)
class PruneTransfer(Mutation):
    """Take channels from one group and give another as many as cost the same.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "prune-transfer"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "the exchange step of NetAdapt, Yang et al., 2018, https://arxiv.org/abs/1804.03230, here"
        " drawn at random"
    )

    options: PruningOptions = field(default_factory=PruningOptions)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw who gives, who gets, and how many."""
        return proposed(
            genome, self.operator, lambda: _transferred(Start.of(genome, self.options, rng), rng)
        )

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


@final
@dataclass(frozen=True, kw_only=True)
class PruneJitter(Mutation):
    """Move one count; all are then scaled alike to meet the target, if there is one.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "prune-jitter"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "the gene mutation of MetaPruning, Liu et al., 2019, https://arxiv.org/abs/1903.10258, with"
        " a near value instead of any"
    )

    options: PruningOptions = field(default_factory=PruningOptions)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a group and a step."""
        return proposed(
            genome, self.operator, lambda: _jittered(Start.of(genome, self.options, rng), rng)
        )

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


@final
@dataclass(frozen=True, kw_only=True)
class PruneScale(Mutation):
    """Bring all counts to another target, or to another share where there is no target.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "prune-scale"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "the width multiplier of MobileNets, Howard et al., 2017, https://arxiv.org/abs/1704.04861,"
        " on counts that differ"
    )

    options: PruningOptions = field(default_factory=PruningOptions)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the target."""
        return proposed(
            genome, self.operator, lambda: _scaled(Start.of(genome, self.options, rng), rng)
        )

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


def _transferred(start: Start, rng: Rng) -> PruningGenes:
    """Return the genes with channels of one group given to another; unchanged if there is one."""
    bound = start.genes.target or _present(start)
    budget = Budget(start.prunable, bound[0], start.options.least_ratio)
    counts = [gene.keep for gene in start.genes.kept.values()]
    givers = [n for n, least in enumerate(budget.least) if counts[n] > least]
    if not givers or len(counts) == 1:
        return start.genes
    giver = givers[int(rng.integers(len(givers)))]
    taker = (giver + int(rng.integers(1, len(counts)))) % len(counts)
    counts[giver] = max(budget.least[giver], counts[giver] - _step(budget.sizes[giver], rng))
    low, high = counts[taker], budget.sizes[taker]
    while low < high:
        middle = (low + high + 1) // 2
        fits = budget.cost([*counts[:taker], middle, *counts[taker + 1 :]]) <= bound[1]
        low, high = (middle, high) if fits else (low, middle - 1)
    counts[taker] = low
    return start.with_kept(budget.named(counts)).genes


def _present(start: Start) -> Bound:
    """Return what the counts cost: MACs, or their sum where they are of single weights."""
    measure = KEPT if start.prunable.granularity == "weight" else "macs"
    budget = Budget(start.prunable, measure, start.options.least_ratio)
    return measure, budget.cost([gene.keep for gene in start.genes.kept.values()])


def _jittered(start: Start, rng: Rng) -> PruningGenes:
    """Return the genes with one count up or down."""
    name = str(rng.choice(list(start.genes.kept)))
    keep, width = start.genes.kept[name]
    budget = Budget(start.prunable, KEPT, start.options.least_ratio)
    least = budget.least[list(start.prunable.sizes).index(name)]
    step = _step(width, rng)
    moved = keep + (step if rng.random() < 0.5 else -step)
    return start.with_kept({name: Kept(min(max(moved, least), width), width)}).genes


def _scaled(start: Start, rng: Rng) -> PruningGenes:
    """Return the genes at a newly drawn bound."""
    return start.bounded(drawn_bound(start.prunable, start.options, rng)).genes


def _step(width: int, rng: Rng) -> int:
    """Return how many channels a step is, at least one."""
    return max(1, round(width * abs(float(rng.normal(0.0, _STEP)))))
