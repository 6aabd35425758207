"""Edge weights in units of cross-entropy's gradient.

The scale of an edge is the length of cross-entropy's gradient over that of the edge's loss, both at
the value the edge draws on, as means over the first steps in which the edge is active; then it is
frozen. So a weight means the same for a map of 64 x 64 and for ten logits, and evolution has no
units to discover. A design of our own.

A step in which the edge has no gradient (two equal networks that teach each other) says nothing and
is not counted. Of a map the gradient is that of all its positions together.
"""

from typing import final

import torch
from torch import Tensor

STEPS = 8
"""So many steps are measured."""

LIMIT = 1e3
"""No edge is scaled by more, nor by less than its inverse."""


@final
class GradientScale:
    """The scale of one edge, on the device of its gradients."""

    def __init__(self) -> None:
        self._calls = 0
        self._task: Tensor | float = 0.0
        self._edge: Tensor | float = 0.0

    @property
    def is_frozen(self) -> bool:
        """Whether no more steps are measured."""
        return self._calls >= STEPS

    def measure(self, task: Tensor, edge: Tensor, at: Tensor) -> None:
        """Note a step.

        Args:
            task: The cross-entropy of the network that the value belongs to.
            edge: The loss of the edge, without its weight.
            at: The value, part of both graphs.
        """
        if self.is_frozen:
            return
        self._calls += 1
        length = gradient_length(edge, at)
        counts = (length > 0).to(length.dtype)
        self._edge = self._edge + length
        self._task = self._task + counts * gradient_length(task, at)

    @property
    def value(self) -> Tensor | float:
        """The scale as measured so far; 1 while nothing is."""
        if not isinstance(self._edge, Tensor) or not isinstance(self._task, Tensor):
            return 1.0
        ratio = (self._task / self._edge).clamp(1 / LIMIT, LIMIT)
        return torch.where(self._edge > 0, ratio, torch.ones_like(ratio))


def gradient_length(loss: Tensor, at: Tensor) -> Tensor:
    """Return the length of the loss's gradient, 0 if it does not depend on the value."""
    if not (loss.requires_grad and at.requires_grad):
        return torch.zeros((), device=at.device)
    (gradient,) = torch.autograd.grad(loss, at, retain_graph=True, materialize_grads=True)
    return gradient.float().norm()
