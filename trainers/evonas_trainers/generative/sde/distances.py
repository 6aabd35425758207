"""How far two samples of series are apart, each series taken as one point.

The maximum mean discrepancy is "A Kernel Two-Sample Test" (Gretton et al., 2012,
https://jmlr.org/papers/v13/gretton12a.html), without bias, for a sum of Gaussian kernels whose
widths are multiples of the median distance in the training data. The energy distance is that of
"Energy statistics" (Szekely and Rizzo, 2013), in units of that median; it has no width to choose.
"""

from collections.abc import Callable

import torch
from torch import Tensor

WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Of the kernels, in median distances."""


def median_distance(series: Tensor) -> Tensor:
    """Return the median distance between two different series of a sample."""
    flat = series.flatten(1)
    return torch.pdist(flat).median()


def discrepancy(one: Tensor, other: Tensor, unit: Tensor) -> Tensor:
    """Return the squared maximum mean discrepancy of two samples (series, ...)."""

    def kernel(squared: Tensor) -> Tensor:
        return sum(
            (torch.exp(-squared / (2 * (width * unit) ** 2)) for width in WIDTHS),
            start=torch.zeros_like(squared),
        ) / len(WIDTHS)

    return -_contrast(one, other, lambda apart: kernel(apart.square()))


def energy(one: Tensor, other: Tensor, unit: Tensor) -> Tensor:
    """Return the energy distance of two samples (series, ...)."""
    return _contrast(one, other, lambda apart: apart / unit)


def _contrast(one: Tensor, other: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """Return twice the mean between the samples less the means within them."""
    x, y = one.flatten(1), other.flatten(1)
    between = of(torch.cdist(x, y)).mean()
    return 2 * between - _within(x, of) - _within(y, of)


def _within(points: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean over pairs of different points."""
    return of(torch.pdist(points)).mean()
