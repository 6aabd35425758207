"""Tensors as the ends of a cohort's edges have them, and the labels that go with them."""

import torch
from torch import Tensor

from evonas.genome.cohort_kinds import Ends
from evonas.genome.shapes import Shape

CLASSES = 4
SAMPLES = 8
"""Two of each class, so that contrastive losses find a positive."""

SHAPES: dict[Ends, Shape] = {"logits": (CLASSES,), "maps": (3, 4, 4), "vectors": (6,)}


def labels() -> Tensor:
    """Return the labels of the batch."""
    return torch.arange(SAMPLES) % CLASSES


def drawn(shape: Shape, seed: int) -> Tensor:
    """Return a batch of standard normal values that wants a gradient."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(SAMPLES, *shape, generator=generator).requires_grad_()


def is_finite(tensor: Tensor | None) -> bool:
    """Return whether there is a tensor, and every value in it is a number."""
    return tensor is not None and bool(tensor.isfinite().all())
