"""Whether two columns rise together: Spearman's rank correlation."""

import torch
from torch import Tensor


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Return Spearman's correlation of two columns (rows,); 0 if one of them does not vary.

    >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 4.0, 9.0]))
    1.0
    """
    first, second = _ranks(one), _ranks(other)
    spread = first.norm() * second.norm()
    return float(first @ second / spread) if spread > 0 else 0.0


def _ranks(column: Tensor) -> Tensor:
    """Return the ranks less their mean; equal values share theirs."""
    values, place = column.unique(return_inverse=True)
    counts = torch.bincount(place, minlength=len(values)).double()
    ranks = (counts.cumsum(0) - (counts - 1) / 2)[place]
    return ranks - ranks.mean()
