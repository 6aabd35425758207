"""A linear softmax classifier of pictures: what says whether generated ones are what they should.

Its loss is convex, so the outcome depends on the pictures alone, and nothing is drawn.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_STEPS = 60
_DECAY = 1e-3


def fitted(pictures: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return weights, (features + 1, classes), of pictures from 0 to 1."""
    inputs = _inputs(pictures)
    weight = inputs.new_zeros(inputs.shape[1], classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(inputs @ weight, labels) + _DECAY * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach()


def hits(weight: Tensor, pictures: Tensor, labels: Tensor) -> Tensor:
    """Return for every picture whether it is taken for what its label says."""
    return (_inputs(pictures) @ weight).argmax(1) == labels


def _inputs(pictures: Tensor) -> Tensor:
    flat = pictures.flatten(1)
    return torch.cat([flat, torch.ones_like(flat[:, :1])], 1)
