"""The presets of dynamic sparse training for policies: ds-td3 and ds-sac.

Connections move as in sparse evolutionary training: of either sign those closest to zero go, and as
many grow anywhere, from zero. Densities are genes, which may start from
`evonas.genome.erdos_renyi`; output layers stay dense.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome.schedule import Curve, Schedule
from evonas.preset import Preset


@final
@dataclass(frozen=True, kw_only=True)
class DsTd3(Preset):
    """Dynamic sparse training as published for TD3.

    The numbers are the paper's: 5 % of the connections every 1000 updates of the critics, until the
    last twentieth of the training. A training of some thousand updates needs a smaller `interval`,
    or little ever moves; `fraction` 0 is the paper's ablation of static connections.

    Attributes:
        fraction: Share of the active weights that is exchanged.
        interval: Updates of the critics from one exchange to the next.
        until: Part of the training after which connections stay.
    """

    paper: ClassVar[str] = (
        "Dynamic Sparse Training for Deep Reinforcement Learning, Sokar et al., 2022, "
        "https://arxiv.org/abs/2106.04217"
    )

    fraction: float = 0.05
    interval: int = 1000
    until: float = 0.95

    def schedule(self) -> Schedule:
        """Return a constant density with the rule `regrow`."""
        return _schedule("ds-td3", self.fraction, self.interval, self.until)


@final
@dataclass(frozen=True, kw_only=True)
class DsSac(Preset):
    """Dynamic sparse training as published for SAC.

    As `DsTd3`, with 10 % of the connections. The paper has with it targets that are copied every
    1000 updates and a temperature of 0.2 that stays: fields of the trainer.

    Attributes:
        fraction: Share of the active weights that is exchanged.
        interval: Updates from one exchange to the next.
        until: Part of the training after which connections stay.
    """

    paper: ClassVar[str] = DsTd3.paper

    fraction: float = 0.1
    interval: int = 1000
    until: float = 0.95

    def schedule(self) -> Schedule:
        """Return a constant density with the rule `regrow`."""
        return _schedule("ds-sac", self.fraction, self.interval, self.until)


def _schedule(preset: str, fraction: float, interval: int, until: float) -> Schedule:
    rule = {
        "name": "regrow",
        "growth": "random",
        "drop": "signed",
        "revives": False,
        "fraction": fraction,
        "fraction_curve": "constant",
        "until": until,
    }
    return Schedule(preset=preset, rule=rule, beta=Curve(), granularity="weight", interval=interval)
