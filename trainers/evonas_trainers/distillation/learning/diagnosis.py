"""What a cohort's edges and aggregators are doing: so that a dead one is seen.

Names begin with `cohort/` and have the name of the edge, aggregator or node in the middle.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from evonas.genome.cohort import Edge
from evonas_trainers.distillation.learning.scale import gradient_length


def of_edge(edge: Edge, loss: Tensor, weight: Tensor | float, at: Tensor) -> dict[str, Tensor]:
    """Return an edge's loss, weight and how strongly it draws.

    Args:
        edge: The edge.
        loss: Without the weight.
        weight: By which it was multiplied, the scale included.
        at: The value that it draws on.
    """
    factor = torch.as_tensor(weight, device=loss.device, dtype=loss.dtype)
    length = factor * gradient_length(loss, at)
    start = f"cohort/{edge.name}"
    return {f"{start}/loss": loss.detach(), f"{start}/weight": factor, f"{start}/gradient": length}


def entropy(weights: Tensor) -> Tensor:
    """Return the mean entropy of an aggregator's weights, (..., inputs), in nats."""
    return torch.special.entr(weights.detach()).sum(-1).mean()


def diversity(outputs: Sequence[Tensor]) -> Tensor:
    """Return the mean total variation between the probabilities of each pair of networks.

    Args:
        outputs: Logits, (batch, classes), of two networks or more.
    """
    shares = [torch.softmax(one.detach().float(), 1) for one in outputs]
    pairs = [(one - other).abs().sum(1).mean() / 2 for one, other in combinations(shares, 2)]
    return torch.stack(pairs).mean()


def as_floats(found: Mapping[str, Tensor]) -> Mapping[str, float]:
    """Fetch numbers from the device, all at once."""
    if not found:
        return {}
    numbers: list[float] = torch.stack([one.float() for one in found.values()]).tolist()
    return dict(zip(found, numbers, strict=True))
