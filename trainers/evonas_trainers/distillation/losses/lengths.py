"""Lengths whose second derivatives are finite, too, for vectors that are zero.

Learned matching differentiates through gradients, and torch's norms have none of the second order
at zero, which is where the diagonal of all distances is.
"""

import torch
from torch import Tensor

SHORTEST = 1e-7
"""Vectors shorter than this are scaled as if they were so long: the fifth power of its inverse,
which second derivatives have, is still a float."""

_APART = 1e-12


def unit(vectors: Tensor, dim: int = 1) -> Tensor:
    """Return vectors of length 1, those that are zero left as they are."""
    squares = vectors.square().sum(dim, keepdim=True)
    return vectors * squares.clamp_min(SHORTEST**2).rsqrt()


def lengths(vectors: Tensor, dim: int) -> Tensor:
    """Return the lengths of vectors, with no gradient at those that are zero."""
    squares = vectors.square().sum(dim)
    is_long = squares > _APART**2
    return torch.where(is_long, squares, 1.0).sqrt() * is_long
