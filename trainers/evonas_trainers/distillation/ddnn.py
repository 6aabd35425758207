"""Sub-networks of fewer blocks inside a network, which learn from the whole of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Node, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    live,
    maps,
    task,
)


@final
@dataclass(frozen=True, kw_only=True)
class Ddnn(CohortPreset):
    """Depth-level dynamic network with embedded distillation: all depths are handed over.

    Sub-network `depth1` has the first block of every stage, `depth2` the first two, and so on; all
    share the full network's parameters, but for norms and the last layer. Reconstructed from the
    abstract and from code of the group's later work. That norms are private is our own, as shared
    statistics would be those of no depth. So are the weights: those of the later work hurt the full
    network, which shares what they move.

    Attributes:
        temperature: By which logits are divided.
        weight: Of the divergence of every sub-network from the full network.
        attention: Weight of the loss between their last maps.
    """

    paper: ClassVar[str] = (
        "Embedded Knowledge Distillation in Depth-Level Dynamic Neural Network, Zhao et al., 2021, "
        "https://arxiv.org/abs/2103.00793"
    )

    temperature: float = 3.0
    weight: float = 0.3
    attention: float = 0.02

    def cohort(self, available: Available) -> Cohort:
        """Return one stage that trains all depths, and a readout of all."""
        views = _views(available.depths)
        last = maps(available.taps, "seed network")[-1]
        return Cohort(
            preset="ddnn",
            nodes={**candidate(), **views},
            edges=live(
                (
                    task(end(CANDIDATE)),
                    *(edge for name in views for edge in self._lessons(name, last)),
                )
            ),
            stages=(Stage(train=(CANDIDATE, *views)),),
            readout=(CANDIDATE, *reversed(views)),
        )

    def _lessons(self, view: str, last: str) -> Iterable[Edge]:
        yield task(end(view))
        yield divergence(end(view), end(CANDIDATE), self.temperature, Curve(end=self.weight))
        yield Edge(
            loss={"name": "z-attention"},
            to=end(view, last),
            source=end(CANDIDATE, last),
            weight=Curve(end=self.attention),
        )


def _views(depths: tuple[int, ...]) -> dict[str, Node]:
    """Return a view of every depth below the full one, the shallowest first."""
    most = max(depths, default=0)
    if most < 2:
        raise ConfigError(
            "the seed network has no stage of two blocks or more, of which a sub-network could have"
            f" fewer: its stages have {list(depths)}; take a space of stages of blocks (depths)"
        )
    return {
        f"depth{depth}": Node(
            kind="view",
            role="student",
            of=CANDIDATE,
            depths=tuple(min(depth, blocks) for blocks in depths),
        )
        for depth in range(1, most)
    }
