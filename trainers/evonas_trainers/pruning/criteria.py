"""How strong each channel of a group is; the weakest are pruned.

- `l1`, `l2`: the norm of all weights that make the channel; "Pruning Filters for Efficient
  ConvNets", Li et al., 2016, https://arxiv.org/abs/1608.08710.
- `geometric-median`: the sum of its distances to all channels of the group, small if others can
  replace it; "Filter Pruning via Geometric Median", He et al., 2018,
  https://arxiv.org/abs/1811.00250.
- `taylor`: what the loss changes without it, to first order: the sum of |weight x gradient| of the
  last step over everything that belongs to it; "Importance Estimation for Neural Network Pruning",
  Molchanov et al., 2019, https://arxiv.org/abs/1906.10771. The paper sums squares, averaged over
  many steps.
- `bn-scale`: the scale of its batch norm; "Learning Efficient Convolutional Networks through
  Network Slimming", Liu et al., 2017, https://arxiv.org/abs/1708.06519, without its penalty.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.genome.schedule import Criterion
from evonas_trainers.pruning.channels import Channels, Located


def strengths(criterion: Criterion, channels: Channels) -> Tensor:
    """Return the strength of each channel, (size,), 0 or more."""
    match criterion:
        case "l1":
            return _weights(channels).abs().sum(dim=1)
        case "l2":
            return _weights(channels).norm(dim=1)
        case "geometric-median":
            filters = _weights(channels)
            exact = "donot_use_mm_for_euclid_dist"
            return torch.cdist(filters, filters, compute_mode=exact).sum(dim=1)
        case "taylor":
            return _sides_by_side(_influences(channels.rows)).sum(dim=1)
        case "bn-scale":
            norms = [norm.rows(norm.tensor.detach()) for norm in channels.norms]
            return _sides_by_side(norms).abs().sum(dim=1)


def check(criterion: Criterion, groups: Iterable[Channels]) -> None:
    """See that a criterion can be measured.

    Raises:
        ConfigError: if the channels of a group have no batch norm to rank them by.
    """
    for channels in groups:
        if criterion == "bn-scale" and not channels.norms:
            raise ConfigError(
                f"channels {channels.group.name!r} have no batch norm, so the criterion 'bn-scale' "
                "cannot rank them; take 'l2', or another space"
            )


def _weights(channels: Channels) -> Tensor:
    return _sides_by_side([one.rows(one.tensor.detach()) for one in channels.weights])


def _influences(rows: Iterable[Located]) -> list[Tensor]:
    """Return |weight x gradient|; what the last step did not reach has no influence."""
    found: list[Tensor] = []
    for one in rows:
        gradient = one.tensor.grad
        values = one.tensor.detach()
        found.append(
            one.rows(torch.zeros_like(values) if gradient is None else (values * gradient).abs())
        )
    return found


def _sides_by_side(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
