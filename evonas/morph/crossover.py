"""Crossover by replay: the child computes what one parent does, and carries edits of the other.

EENA (Efficient Evolution of Neural Architecture, Zhu et al., 2019,
https://arxiv.org/abs/1905.07320) merges the edits of two parents since their common ancestor and
takes each part's weights from the parent that has it, which keeps neither parent's function. Here
the later edits of `second` are replayed on `first` with its trained weights, by the operators that
made them, each of which keeps the function; `evonas.morph.inherit` brings their trained weights.
Pruning is not carried over: its counts are of the second parent's widths, and genes cross by group
(`evonas.morph.prune_crossover`). Nor are cohorts, which cross by what their parts mean
(`evonas.morph.cohort.crossover`).
"""

from collections.abc import Mapping

from evonas.errors import EditError, unknown
from evonas.genome import Edit, Genome
from evonas.genome.cohort import COHORT
from evonas.genome.pruning import PRUNING
from evonas.morph.always import ALWAYS
from evonas.morph.mutation import Mutation
from evonas.morph.naming import split_target
from evonas.morph.replay import translated
from evonas.seeds import Rng


def crossover(
    mutations: Mapping[str, Mutation],
    first: Genome,
    second: Genome,
    rng: Rng,
    keep: float = 0.7,
) -> Genome | None:
    """Return `first` with edits of `second` that it has not, or None if none of them applies.

    Args:
        mutations: The operators, by name.
        first: The parent that the child equals at birth.
        second: The parent whose edits are carried over.
        rng: Draws which edits are.
        keep: Probability that an edit is carried over.
    """
    mutations = {**ALWAYS, **mutations}
    child, renamed = first, dict[str, str]()
    known = {edit.id for edit in first.edits}
    for edit in second.edits:
        if edit.id in known or _is_of_other_genes(edit):
            continue
        chosen = rng.random() < keep
        if edit.operator not in mutations:
            raise unknown("mutation", edit.operator, mutations)
        mutation = mutations[edit.operator]
        if not chosen or not _keeps_function(mutation, edit, first):
            continue
        replayed = translated(edit, child, renamed)
        if replayed.id in known:
            continue
        try:
            child = mutation.apply(child, replayed)
        except EditError:
            continue
        renamed[edit.id] = replayed.id
    return child if len(child.edits) > len(first.edits) else None


def _is_of_other_genes(edit: Edit) -> bool:
    """Return whether an edit is of genes that have a crossover of their own, or follows them."""
    return any(split_target(target)[0] in {PRUNING, COHORT} for target in edit.targets)


def _keeps_function(mutation: Mutation, edit: Edit, genome: Genome) -> bool:
    """Return whether an edit is exact, or leaves the architecture as it is (a setting, a gene)."""
    graphs = {split_target(target)[0] for target in edit.targets}
    return mutation.exact or graphs.isdisjoint(genome.architecture)
