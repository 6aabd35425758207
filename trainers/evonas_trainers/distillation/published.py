"""The weights of other code bases in the one convention of losses here.

A weight means nothing without the reduction it was used with, and published code disagrees: some
divide a divergence by the number of classes, some leave the temperature's square out, and some
average over a map's positions what belongs together. Each function says what a weight is worth
here; `docs/cohorts.md` says which code base is which.
"""


def kl_from_mean(weight: float, classes: int) -> float:
    """Convert a weight of `kl` used with `nn.KLDivLoss()`, averaged over batch and classes.

    >>> kl_from_mean(100, classes=100)
    1.0
    """
    return weight / classes


def kl_from_unscaled(weight: float, temperature: float) -> float:
    """Convert a weight of `kl` used without the temperature's square.

    >>> kl_from_unscaled(8, temperature=4)
    0.5
    """
    return weight / temperature**2


def mse_logits_from_mean(weight: float, classes: int) -> float:
    """Convert a weight of `mse-logits` used with `nn.MSELoss()`, averaged over classes too.

    >>> mse_logits_from_mean(100, classes=10)
    10.0
    """
    return weight / classes


def attention_from_mean(weight: float, height: int, width: int) -> float:
    """Convert a weight of `attention` used with a mean over the positions of maps of this size.

    >>> attention_from_mean(1000, height=8, width=8)
    15.625
    """
    return weight / (height * width)
