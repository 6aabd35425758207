"""The divergence of softened probabilities, with the one convention that all losses share.

KL_T(to || source) = T^2 sum_c p_c (log p_c - log q_c), p = softmax(source / T) and
q = softmax(to / T): summed over classes, and multiplied by the temperature's square so that the
gradient's size is the same for every T (Hinton, Vinyals and Dean, 2015,
https://arxiv.org/abs/1503.02531).
"""

from torch import Tensor
from torch.nn import functional as F

from evonas.errors import ConfigError


def divergence(to: Tensor, source: Tensor, temperature: float) -> Tensor:
    """Return KL_T of every row of two matrices of logits, (rows,).

    Both probabilities are kept as logarithms, so that gradients are finite on both sides even
    where a probability is too small for a float.
    """
    log_q = F.log_softmax(to / temperature, -1)
    log_p = F.log_softmax(source / temperature, -1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


def check_temperatures(**given: float) -> None:
    """Refuse what logits cannot be divided by.

    Raises:
        ConfigError: if one of the fields is not above 0.
    """
    for name, value in given.items():
        if not value > 0:
            raise ConfigError(f"{name} divides logits; needs a number above 0, given {value!r}")
