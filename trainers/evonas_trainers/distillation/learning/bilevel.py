"""Matchers learn by what training with their weights leads to.

The two levels of "Online Knowledge Distillation via Mutual Contrastive Learning for Visual
Recognition", Yang et al., 2022, https://arxiv.org/abs/2207.11518 (layer-wise MCL): on the batch of
the last step, and from the networks as they are, some virtual steps by the matched edges' loss, one
by the loss that judges, and at their end the gradient of the loss that judges with respect to the
matchers, through all of these steps. Then the matchers step, and nothing else has moved.

The gradient is that of the unrolled steps, by `torch.func.functional_call`, where the authors' code
runs every step backwards; in a toy both agree to the last digit, and with finite differences.
Batch norms use the batch, and their running statistics stay as they are. As there, virtual steps
move the networks through the weights, too, which ordinary steps do not. Differs from that code: the
matchers' steps are plain, where theirs have momentum and weight decay.
"""

from collections.abc import Callable, Collection, Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call

Loss = Callable[[], Tensor]
"""Computes a loss with the tensors that the networks have at the moment."""

PASSES_STEP, PASSES_END = 9, 3
"""Forward passes that a virtual step costs, and the judgement at the end. A step and its gradient
are three, and to differentiate through something costs twice what it did."""


@final
class Whole(nn.ModuleList):
    """All networks and modules of a cohort, so that their tensors can be replaced at once."""

    def forward(self, loss: Loss) -> Tensor:
        """Compute a loss with the tensors as they are now."""
        return loss()


def hyper_gradient(  # noqa: PLR0913 - both levels, and how far to go
    whole: Whole,
    matchers: Collection[nn.Parameter],
    inner: Loss,
    outer: Loss,
    *,
    steps: int,
    rate: float,
) -> list[Tensor]:
    """Return how the outer loss after virtual steps changes with every matcher.

    Nothing changes: neither parameters nor their gradients nor buffers.

    Args:
        whole: What both losses run.
        matchers: Parameters of it; of the others those move that want a gradient.
        inner: Of the first steps.
        outer: Of the last step, and of the judgement.
        steps: By the inner loss.
        rate: The learning rate of virtual steps.
    """
    known = dict(whole.named_parameters())
    names = {tensor: name for name, tensor in known.items()}
    learned = {names[tensor]: tensor.detach().requires_grad_() for tensor in matchers}
    buffers = {name: tensor.clone() for name, tensor in whole.named_buffers()}
    moving = {
        name: tensor.detach().requires_grad_()
        for name, tensor in known.items()
        if tensor.requires_grad and name not in learned
    }

    def value(loss: Loss) -> Tensor:
        return functional_call(whole, {**learned, **buffers, **moving}, (loss,))

    for loss in [inner] * steps + [outer]:
        moving = _descended(moving, value(loss), rate)
    found = torch.autograd.grad(value(outer), list(learned.values()), materialize_grads=True)
    return list(found)


def descend(matchers: Collection[nn.Parameter], gradients: Collection[Tensor], rate: float) -> None:
    """Move the matchers against their gradients, in place."""
    with torch.no_grad():
        for tensor, gradient in zip(matchers, gradients, strict=True):
            tensor.sub_(rate * gradient)


def _descended(tensors: Mapping[str, Tensor], loss: Tensor, rate: float) -> dict[str, Tensor]:
    """Return the tensors after a step, as functions of those before."""
    values = list(tensors.values())
    found = torch.autograd.grad(loss, values, create_graph=True, materialize_grads=True)
    return {
        name: tensor - rate * gradient
        for (name, tensor), gradient in zip(tensors.items(), found, strict=True)
    }
