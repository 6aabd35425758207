"""Dealing rows out like cards: all in a random order, then all in another, as often as it takes."""

import torch
from torch import Tensor


def dealt(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` of the rows in a random order; none a second time before all were dealt."""
    rounds = -(-count // len(rows))
    orders = [torch.randperm(len(rows), generator=generator) for _ in range(rounds)]
    return rows[torch.cat(orders)[:count]]
