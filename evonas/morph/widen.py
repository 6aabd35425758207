"""More channels in a layer and in all that are tied to it, with the function kept.

`widen` puts in twins: equal random incoming weights, opposite outgoing ones, so that they cancel
until training parts them (Accelerated Training via Incrementally Growing Neural Networks, Yuan,
Savarese and Maire, 2023, https://arxiv.org/abs/2306.12700). `widen-copies` splits channels into
copies (Net2Net, Chen, Goodfellow and Shlens, 2016, https://arxiv.org/abs/1511.05641). Differences
from Net2Net: the outgoing weights are shared unequally, because equal copies never part, and noise
on them is zero in sum, because one-sided noise changes the function by a percent.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.morph.mutation import Mutation
from evonas.morph.naming import prefix
from evonas.morph.spread import changes, resized
from evonas.morph.transfer import Growth, transferred
from evonas.morph.widths import Choice, Widths, first_applicable
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class Widen(Mutation):
    """Put new channels in twins behind the last one of a group.

    Attributes:
        ratios: The new channels, relative to the present ones, are one of these.
        max_width: Channels that a group may have.
    """

    operator: ClassVar[str] = "widen"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Yuan et al. 2023, arXiv 2306.12700"

    ratios: tuple[float, ...] = (0.25, 0.5, 1.0)
    max_width: int = 4096

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a group of channels and a ratio."""
        widths = Widths.of(genome)
        edits = (
            genome.edit("widen", target, part=part, channels=max(2, 2 * round(ratio * size / 2)))
            for target, part, size, ratio in _draws(widths, self.ratios, self.max_width, rng)
        )
        return first_applicable(lambda edit: widths.added(edit, edit.args["channels"]), edits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with `channels` more in the group; an even number."""
        if edit.args["channels"] % 2:
            raise EditError(f"{edit.args['channels']} new channels cannot come in twins")
        return _applied(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the twins' weights; the old weights stay as they are."""
        choice = Choice.of(before, edit)
        twins = (1.0, *[0.0] * edit.args["channels"])
        shares = {int(group.classes[-1]): twins for group in choice.groups}
        moved = changes(choice.graph, resized(choice.channels, shares))
        growth = Growth(rng=rng, twins=True)
        return transferred(state, choice.graph, prefix(after, choice.name), moved, growth)


@final
@dataclass(frozen=True, kw_only=True)
class WidenCopies(Mutation):
    """Split randomly chosen channels into copies.

    Attributes:
        ratios: The new channels, relative to the present ones, are one of these.
        share: The part of the outgoing weight that the first of two copies gets.
        noise: Relative noise on outgoing weights, zero in sum over the copies of one channel.
        max_width: Channels that a group may have.
    """

    operator: ClassVar[str] = "widen-copies"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Net2Net, Chen et al. 2016, arXiv 1511.05641"

    ratios: tuple[float, ...] = (0.25, 0.5, 1.0)
    share: float = 0.6
    noise: float = 0.0
    max_width: int = 4096

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a group of channels and a ratio."""
        widths = Widths.of(genome)
        how = {"share": self.share, "noise": self.noise}
        edits = (
            genome.edit(
                "widen-copies", target, part=part, channels=max(1, round(ratio * size)), **how
            )
            for target, part, size, ratio in _draws(widths, self.ratios, self.max_width, rng)
        )
        return first_applicable(lambda edit: widths.added(edit, edit.args["channels"]), edits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with `channels` more in the group."""
        return _applied(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Choose the channels to copy and share out their outgoing weights."""
        choice = Choice.of(before, edit)
        shares: dict[int, tuple[float, ...]] = {}
        for group in choice.groups:
            order = rng.permutation(group.classes).tolist()
            copies = Counter(order[k % len(order)] for k in range(edit.args["channels"]))
            shares |= {label: _shares(count + 1, edit) for label, count in copies.items()}
        moved = changes(choice.graph, resized(choice.channels, shares))
        growth = Growth(rng=rng, noise=edit.args["noise"])
        return transferred(state, choice.graph, prefix(after, choice.name), moved, growth)


def _draws(
    widths: Widths, ratios: tuple[float, ...], max_width: int, rng: Rng
) -> Iterator[tuple[str, int, int, float]]:
    """Yield the resizable groups (target, part, size) in random order, each with a ratio."""
    groups = widths.resizable
    for number in rng.permutation(len(groups)):
        ratio = float(rng.choice(ratios))
        if round(groups[number][2] * (1.0 + ratio)) <= max_width:
            yield *groups[number], ratio


def _applied(genome: Genome, edit: Edit) -> Genome:
    if edit.args["channels"] < 1:
        raise EditError(f"{edit.args['channels']!r} is no number of new channels")
    choice = Choice.of(genome, edit)
    return genome.with_graph(choice.name, choice.resized(edit.args["channels"])).with_edit(edit)


def _shares(count: int, edit: Edit) -> tuple[float, ...]:
    """Return shares of `count` copies that sum to 1, each in one proportion to the one before."""
    proportion = (1.0 - edit.args["share"]) / edit.args["share"]
    parts = [proportion**copy for copy in range(count)]
    return tuple(part / sum(parts) for part in parts)
