"""Mixtures of softened probabilities, as logarithms."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def log_mixture(inputs: Sequence[Tensor], scores: Tensor, temperature: float) -> Tensor:
    """Return log sum_t w_t softmax(z_t / T), (batch, classes), which is normalised.

    Args:
        inputs: The logits z_t, each (batch, classes).
        scores: Whose softmax over the inputs are the weights w, (batch, inputs).
        temperature: T.
    """
    opinions = F.log_softmax(torch.stack([*inputs], 1) / temperature, 2)
    return torch.logsumexp(F.log_softmax(scores, 1).unsqueeze(2) + opinions, 1)
