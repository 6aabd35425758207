"""Fewer channels in a layer and in all that are tied to it: those with the smallest weights.

Filter pruning by the L1 norm (Pruning Filters for Efficient ConvNets, Li et al., 2017,
https://arxiv.org/abs/1608.08710). What is tied by sums is judged by the sum of its norms, which the
paper does for the shortcut alone. The edit holds a number only; which channels go is decided by the
weights of the one who inherits, and since the channels of a group are interchangeable the graph is
the same whichever they are.
"""

import itertools
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.morph.mutation import Mutation
from evonas.morph.naming import prefix
from evonas.morph.removal import Strengths, removed
from evonas.morph.widths import Choice, Widths, first_applicable
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class PruneChannels(Mutation):
    """Remove the weakest channels of a group.

    Attributes:
        ratios: The removed channels, relative to the present ones, are one of these.
        least: Channels that a group keeps.
    """

    operator: ClassVar[str] = "prune-channels"
    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "Li et al. 2017, arXiv 1608.08710"

    ratios: tuple[float, ...] = (0.25, 0.5)
    least: int = 4

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a group of channels and a ratio."""
        widths = Widths.of(genome)
        groups = [group for group in widths.resizable if group[2] > self.least]
        drawn = ((*groups[k], float(rng.choice(self.ratios))) for k in rng.permutation(len(groups)))
        edits = (
            genome.edit(
                "prune-channels",
                target,
                part=part,
                channels=min(max(1, round(ratio * size)), size - self.least),
            )
            for target, part, size, ratio in drawn
        )
        return first_applicable(lambda edit: widths.added(edit, -edit.args["channels"]), edits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with `channels` fewer in the group."""
        if edit.args["channels"] < 1:
            raise EditError(f"{edit.args['channels']!r} is no number of channels to remove")
        choice = Choice.of(genome, edit)
        return genome.with_graph(choice.name, choice.resized(-edit.args["channels"])).with_edit(
            edit
        )

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Drop the classes with the smallest L1 norms of incoming weights."""
        choice = Choice.of(before, edit)
        start = prefix(after, choice.name)
        strengths = Strengths.of(choice.graph, choice.channels, start, state)
        weakest = (strengths.weakest(group, edit.args["channels"]) for group in choice.groups)
        gone = itertools.chain.from_iterable(weakest)
        return removed(state, choice.graph, choice.channels, start, gone, rng)
