"""Batch-norm statistics measured anew, after an edit or an averaging made the old ones wrong."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def reestimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the mean of those of the batches, each counting alike.

    All other layers work as in evaluation. Modes and momenta are as before afterwards; without
    batch norm, or without a batch, nothing happens.

    Args:
        model: Changed in place; takes one tensor.
        batches: Inputs on the model's device, of the same size and of two rows or more.
    """
    norms = [module for module in model.modules() if isinstance(module, _NORMS)]
    if not norms:
        return
    with _measuring(model, norms), torch.no_grad():
        for number, batch in enumerate(batches):
            if number == 0:
                for norm in norms:
                    norm.reset_running_stats()
            model(batch)


@contextmanager
def _measuring(model: nn.Module, norms: list[_Norm]) -> Generator[None]:
    """Hold the model in evaluation mode but for the norms, which average over all batches."""
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
