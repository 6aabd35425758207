"""Filter pruning methods as presets: points of the family of schedules under the rule `soft`.

What is the same for all: the papers have an event every epoch, of hundreds of steps; here
`interval` counts steps. How many filters go is the genes' matter; in the papers it is one share for
all layers. By default the gradients of pruned filters are capped at the mean of the kept ones' and
their momentum is cleared, which no paper does: without, soft pruning in front of batch norms got
42 % of the digits right, and 94 % with both (`benchmarks/soft_pruning_batch_norm.py`). At a cap of
1 hardly a filter comes back; 4 and 16 leave more room. For the papers' own, set `regrowth_cap = 0`
and `momentum_reset = false`. Fields without a word are those of `Schedule`.

The full texts of the papers on ASFP, SRFP, ASRFP and GHFP could not be had. What is reconstructed,
from abstracts, public code and the authors' later work, is said at each.
"""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

from evonas.genome.schedule import SETTLED, Criterion, Curve, Residual, Schedule
from evonas.preset import Preset


@final
@dataclass(frozen=True, kw_only=True)
class Hfp(Preset):
    """Hard filter pruning: the weakest filters go at the first event and never come back.

    The paper prunes a trained network, as the child of a trained parent is, by the L1 norm
    (`criterion = "l1"`; the default is what the soft methods rank by) and trains on at a rate of
    0.001; later work found that ten times as much serves better.

    Attributes:
        interval: Of no effect unless the rate's curve is varied.
    """

    paper: ClassVar[str] = (
        "Pruning Filters for Efficient ConvNets, Li et al., 2016, https://arxiv.org/abs/1608.08710"
    )

    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"

    def schedule(self) -> Schedule:
        """Return rate 1, alpha 0, beta 0."""
        return _schedule("hfp", self, beta=Curve(end=0.0))


@final
@dataclass(frozen=True, kw_only=True)
class Gradual(Preset):
    """Gradual pruning: more and more filters go, along a cubic curve, and never come back.

    The paper prunes single weights, every 100 steps or more; whole filters and their ranking are
    those of "Pruning Filters for Efficient ConvNets" (Li et al., 2016,
    https://arxiv.org/abs/1608.08710), by the L2 norm instead of L1.

    Attributes:
        rate_until: Part of the training at which all has gone.
    """

    paper: ClassVar[str] = (
        "To prune, or not to prune: exploring the efficacy of pruning for model compression, "
        "Zhu and Gupta, 2017, https://arxiv.org/abs/1710.01878"
    )

    rate_until: float = 0.75
    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"

    def schedule(self) -> Schedule:
        """Return rate 1 - (1 - t)^3, alpha 0, beta 0."""
        rate = Curve(kind="cubic", end=1.0, until=self.rate_until)
        return _schedule("gradual", self, rate=rate, beta=Curve(end=0.0))


@final
@dataclass(frozen=True, kw_only=True)
class Sfp(Preset):
    """Soft filter pruning: the weakest filters are zeroed at every event and may grow again.

    After the authors' code, with the differences that `evonas_trainers.pruning.soft` lists.
    """

    paper: ClassVar[str] = (
        "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks, "
        "He et al., 2018, https://arxiv.org/abs/1808.06866"
    )

    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"
    regrowth_cap: float = 1.0
    momentum_reset: bool = True

    def schedule(self) -> Schedule:
        """Return rate 1, alpha 0, beta 1."""
        return _schedule("sfp", self)


@final
@dataclass(frozen=True, kw_only=True)
class Asfp(Preset):
    """Asymptotic soft filter pruning: SFP of more and more filters, quickly at first.

    Reconstructed: the rate 1 - exp(-k t), which is three quarters after an eighth of the training,
    is that of a public implementation. Differs from it: scaled by 1.0002, so that it reaches 1, at
    0.75 of the training.

    Attributes:
        steepness: The k of the curve.
    """

    paper: ClassVar[str] = (
        "Asymptotic Soft Filter Pruning for Deep Convolutional Neural Networks, "
        "He et al., 2018, https://arxiv.org/abs/1808.07471"
    )

    steepness: float = 11.09
    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"
    regrowth_cap: float = 1.0
    momentum_reset: bool = True

    def schedule(self) -> Schedule:
        """Return a rate that rises exponentially to 1, alpha 0, beta 1."""
        return _schedule("asfp", self, rate=_asymptotic(self.steepness))


@final
@dataclass(frozen=True, kw_only=True)
class Srfp(Preset):
    """Softer filter pruning: the weakest filters are scaled down at events, to zero in the end.

    Reconstructed from the abstract ("decaying the pruned weights with a monotonic decreasing
    parameter"): alpha falls in a line, as in the one public code of such a decay, where it is 0
    from half the training on. To first order it is a weight decay of what is pruned, by
    (1 - alpha) / (learning rate x interval). In front of a batch norm in training mode a filter
    that is scaled computes what it did, and only takes larger steps.

    Attributes:
        alpha_until: Part of the training at which alpha is 0; at most 0.75.
    """

    paper: ClassVar[str] = (
        "Softer Pruning, Incremental Regularization, Cai et al., 2020, "
        "https://arxiv.org/abs/2010.09498"
    )

    alpha_until: float = 0.6
    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"
    regrowth_cap: float = 1.0
    momentum_reset: bool = True

    def schedule(self) -> Schedule:
        """Return rate 1, an alpha that falls in a line from 1 to 0, beta 1."""
        return _schedule("srfp", self, alpha=_falling(self.alpha_until))


@final
@dataclass(frozen=True, kw_only=True)
class Asrfp(Preset):
    """Asymptotic softer filter pruning: the rate of ASFP with the decay of SRFP.

    Reconstructed as those two are.

    Attributes:
        steepness: The k of the rate's curve.
        alpha_until: Part of the training at which alpha is 0; at most 0.75.
    """

    paper: ClassVar[str] = (
        "Softer Pruning, Incremental Regularization, Cai et al., 2020, "
        "https://arxiv.org/abs/2010.09498"
    )

    steepness: float = 11.09
    alpha_until: float = 0.6
    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"
    regrowth_cap: float = 1.0
    momentum_reset: bool = True

    def schedule(self) -> Schedule:
        """Return a rate that rises exponentially, an alpha that falls in a line, beta 1."""
        rate, alpha = _asymptotic(self.steepness), _falling(self.alpha_until)
        return _schedule("asrfp", self, rate=rate, alpha=alpha)


@final
@dataclass(frozen=True, kw_only=True)
class Ghfp(Preset):
    """Gradually hard filter pruning: a soft method whose pruned filters move less and less.

    Reconstructed from the abstract ("smoothly switch from SFP-based methods to HFP"): pruned
    filters take beta of each step, and beta falls in a line from 1 to 0, from where on the choice
    is fixed. That a factor on the updates is meant is how the authors' later work (prior gradient
    mask, PGMPF, AAAI 2022) reads; freezing filter by filter would fit the abstract too.

    Attributes:
        base: The soft method, otherwise as its own preset has it.
        beta_until: Part of the training at which beta is 0.
    """

    paper: ClassVar[str] = (
        "GHFP: Gradually Hard Filter Pruning, Cai, An and Xu, 2020, "
        "https://arxiv.org/abs/2011.03170"
    )

    base: Literal["sfp", "asfp", "srfp", "asrfp"] = "sfp"
    beta_until: float = 0.75
    begin: float = 0.0
    interval: int = 16
    criterion: Criterion = "l2"
    residual: Residual = "inner"
    regrowth_cap: float = 1.0
    momentum_reset: bool = True

    def schedule(self) -> Schedule:
        """Return the base's rate and alpha, and a beta that falls in a line from 1 to 0."""
        base = {"sfp": Sfp, "asfp": Asfp, "srfp": Srfp, "asrfp": Asrfp}[self.base]().schedule()
        return _schedule(
            "ghfp", self, rate=base.rate, alpha=base.alpha, beta=_falling(self.beta_until)
        )


def _asymptotic(steepness: float) -> Curve:
    """Return the curve 1 - exp(-k t), cut off where the last filter has to go.

    To the end of the training it would miss 1 by so little that only rounding down shows it: one
    filter of every layer would go untrained.
    """
    return Curve(kind="exponential", end=1.0, until=SETTLED, steepness=SETTLED * steepness)


def _falling(until: float) -> Curve:
    return Curve(kind="linear", start=1.0, end=0.0, until=until)


def _schedule(
    name: str, preset: Hfp | Gradual | Sfp | Asfp | Srfp | Asrfp | Ghfp, **curves: Any
) -> Schedule:
    """Return the schedule with these curves; what else a preset sets has the same name there."""
    known = {field.name for field in dataclasses.fields(Schedule)}
    same: dict[str, Any] = {
        field.name: getattr(preset, field.name)
        for field in dataclasses.fields(preset)
        if field.name in known
    }
    return replace(Schedule(preset=name, **same), **curves)
