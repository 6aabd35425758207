"""Widening as EENA published it, kept for comparison; details reconstructed.

EENA: Efficient Evolution of Neural Architecture, Zhu et al., 2019, https://arxiv.org/abs/1905.07320.
Randomly chosen channels become copies that share their outgoing weights equally (Net2Net, Chen et
al., 2016, https://arxiv.org/abs/1511.05641), and noise from U[0, 0.05] is put on the outgoing
weights of the copies, relative to them, so that they part. The noise has one sign and does not
cancel: measured on a network of two layers, the output changes by 1.3 % on average. Batch norm is
copied with the channels. Reconstructed: the width is doubled, as in the published networks.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch

from evonas.genome import Edit, Genome
from evonas.morph.carry import torch_generator
from evonas.morph.mutation import Mutation
from evonas.morph.naming import prefix
from evonas.morph.spread import changes, resized
from evonas.morph.transfer import Growth, transferred
from evonas.morph.widen import WidenCopies
from evonas.morph.widths import Choice
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class LiteralWiden(Mutation):
    """Double a layer's channels by noisy copies.

    Attributes:
        noise: The largest relative noise on the outgoing weights of copies.
        max_width: Channels that a group may have.
    """

    operator: ClassVar[str] = "eena-widen"
    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "EENA, Zhu et al. 2019, https://arxiv.org/abs/1905.07320"

    noise: float = 0.05
    max_width: int = 4096

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a group of channels."""
        copies = WidenCopies(ratios=(1.0,), share=0.5, max_width=self.max_width)
        edit = copies.propose(genome, rng)
        return edit and replace(
            edit, operator="eena-widen", args={**edit.args, "noise": self.noise}
        )

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with `channels` more in the group."""
        return WidenCopies().apply(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Copy random channels, share out their outgoing weights, put noise on the copies'."""
        choice = Choice.of(before, edit)
        shares: dict[int, tuple[float, ...]] = {}
        for group in choice.groups:
            copies = Counter(rng.choice(group.classes, edit.args["channels"]).tolist())
            shares |= {label: (1 / (n + 1),) * (n + 1) for label, n in copies.items()}
        start = prefix(after, choice.name)
        moved = changes(choice.graph, resized(choice.channels, shares))
        wider = transferred(state, choice.graph, start, moved, Growth(rng=rng))
        tensors, generator = dict(wider.tensors), torch_generator(rng)
        for node_id, change in moved.items():
            key, copy = f"{start}{node_id}.weight", torch.from_numpy(change.columns.rank > 0)
            if choice.graph[node_id].op in {"conv", "linear"} and copy.any():
                noise = torch.rand(tensors[key].shape, generator=generator, dtype=torch.float64)
                factor = 1.0 + edit.args["noise"] * noise * copy.reshape(
                    -1, *[1] * (noise.ndim - 2)
                )
                tensors[key] = (tensors[key] * factor).to(tensors[key].dtype)
        return replace(wider, tensors=tensors)
