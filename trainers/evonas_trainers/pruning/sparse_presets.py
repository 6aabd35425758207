"""The presets whose rule is not the soft one: dpf, dcil, set and rigl."""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome.schedule import Curve, Granularity, Schedule
from evonas.preset import Preset


@final
@dataclass(frozen=True, kw_only=True)
class Dpf(Preset):
    """Dynamic pruning with feedback: masks by magnitude, straight-through gradients.

    The cubic rate, the masks every 16 steps and the global ranking are the paper's, for single
    weights. Pruned filters are ours: ranked within their group, with a cap on their gradients,
    which the paper does not need. Masks follow the weights to the end of the training; an
    unofficial implementation stops at `until`.

    Attributes:
        granularity: Single weights, as in the paper, or filters.
        interval: Steps from one choice of masks to the next.
        until: Part of the training after which no more is pruned.
        regrowth_cap: As of the schedule; for filters alone.
    """

    paper: ClassVar[str] = (
        "Dynamic Model Pruning with Feedback, Lin et al., 2020, https://arxiv.org/abs/2006.07253"
    )

    granularity: Granularity = "weight"
    interval: int = 16
    until: float = 0.75
    regrowth_cap: float = 1.0

    def schedule(self) -> Schedule:
        """Return a cubic rate with the rule `straight-through`."""
        return Schedule(
            preset="dpf",
            rule={"name": "straight-through"},
            rate=_cubic(self.until),
            granularity=self.granularity,
            interval=self.interval,
            momentum_reset=False,
            regrowth_cap=self.regrowth_cap,
        )


@final
@dataclass(frozen=True, kw_only=True)
class Dcil(Preset):
    """Dynamic collective intelligence learning: pruned weights learn on a path of their own.

    The paths, masks every 16 steps, the cubic rate until three quarters of the training (225 of
    300 epochs), temperature 2 and a divergence from about a quarter on (epoch 70) are those of the
    authors' code; the body of the paper was not at hand. There the rate is constant within an
    epoch, and single weights are the default; filters are ranked by one global order there, and
    within their group here.

    Attributes:
        granularity: Single weights, or filters.
        interval: Steps from one choice of masks to the next.
        until: Part of the training after which no more is pruned.
        temperature: That softens the outputs when the paths learn from each other.
        kl_from: Part of the training before they do.
        kl_weight: Of the divergences against the labels.
    """

    paper: ClassVar[str] = (
        "Dynamic Collective Intelligence Learning: Finding Efficient Sparse Model via Refined "
        "Gradients for Pruned Weights, Kim et al., 2021, https://arxiv.org/abs/2109.04660"
    )

    granularity: Granularity = "weight"
    interval: int = 16
    until: float = 0.75
    temperature: float = 2.0
    kl_from: float = 0.25
    kl_weight: float = 1.0

    def schedule(self) -> Schedule:
        """Return a cubic rate with the rule `dual-path`."""
        return Schedule(
            preset="dcil",
            rule={
                "name": "dual-path",
                "temperature": self.temperature,
                "kl_from": self.kl_from,
                "kl_weight": self.kl_weight,
            },
            rate=_cubic(self.until),
            granularity=self.granularity,
            interval=self.interval,
            momentum_reset=False,
            regrowth_cap=0.0,
        )


@final
@dataclass(frozen=True, kw_only=True)
class Set(Preset):
    """Sparse evolutionary training: weak connections are dropped, random ones grow.

    Unlike the paper, which exchanges connections after every epoch, every 100 steps, as RigL's
    authors do for both; and the smallest by magnitude are dropped, not the smallest of each sign.
    A training of some hundred steps needs a smaller `interval`, or nothing ever moves.

    Attributes:
        fraction: Share of the active weights that is exchanged, as in the paper and constant.
        interval: Steps from one exchange to the next.
        until: Part of the training after which connections stay.
    """

    paper: ClassVar[str] = (
        "Scalable training of artificial neural networks with adaptive sparse connectivity "
        "inspired by network science, Mocanu et al., 2018, https://arxiv.org/abs/1707.04780"
    )

    fraction: float = 0.3
    interval: int = 100
    until: float = 0.75

    def schedule(self) -> Schedule:
        """Return a constant density with the rule `regrow`."""
        rule = {
            "name": "regrow",
            "growth": "random",
            "fraction": self.fraction,
            "fraction_curve": "constant",
            "until": self.until,
        }
        return _sparse("set", rule, self.interval)


@final
@dataclass(frozen=True, kw_only=True)
class Rigl(Preset):
    """Rigging the lottery: weak connections are dropped, those of largest gradient grow.

    All numbers are the paper's: 0.3 of the active weights at first, less in half a wave, every 100
    steps, until three quarters of the training. A training of some hundred steps needs a smaller
    `interval`, or nothing ever moves. Densities are genes, which may start from
    `evonas.genome.erdos_renyi`.

    Attributes:
        fraction: Share of the active weights that is exchanged at first.
        interval: Steps from one exchange to the next.
        until: Part of the training after which connections stay.
    """

    paper: ClassVar[str] = (
        "Rigging the Lottery: Making All Tickets Winners, Evci et al., 2020, "
        "https://arxiv.org/abs/1911.11134"
    )

    fraction: float = 0.3
    interval: int = 100
    until: float = 0.75

    def schedule(self) -> Schedule:
        """Return a constant density with the rule `regrow`."""
        rule = {
            "name": "regrow",
            "growth": "gradient",
            "fraction": self.fraction,
            "fraction_curve": "cosine",
            "until": self.until,
        }
        return _sparse("rigl", rule, self.interval)


def _cubic(until: float) -> Curve:
    """Return the rate of Zhu and Gupta (2017)."""
    return Curve(kind="cubic", end=1.0, until=until)


def _sparse(preset: str, rule: dict[str, str | float], interval: int) -> Schedule:
    """Return a schedule that prunes at once; a pruned weight takes no step until it is grown."""
    return Schedule(preset=preset, rule=rule, beta=Curve(), granularity="weight", interval=interval)
