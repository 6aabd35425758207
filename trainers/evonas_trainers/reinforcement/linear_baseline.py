"""What returns are expected, by a linear function of what is observed and of the time.

"Benchmarking Deep Reinforcement Learning for Continuous Control" (Duan et al., 2016,
https://arxiv.org/abs/1604.06778): least squares on observations, their squares, and the time to the
third power. Such a baseline is fitted anew in every iteration, in closed form.
"""

import torch
from torch import Tensor

_RIDGE = 1e-5
_TIME_UNIT = 100.0


def expected(observations: Tensor, returns: Tensor) -> Tensor:
    """Return what a baseline that is fitted to these returns expects of the same steps.

    Args:
        observations: Standardised, (steps, paths, numbers).
        returns: Discounted, (steps, paths).
    """
    rows = _features(observations).flatten(0, 1).double()
    weights = rows.T @ rows + _RIDGE * torch.eye(rows.shape[1], dtype=rows.dtype).to(rows.device)
    coefficients = torch.linalg.solve(weights, rows.T @ returns.flatten().double())
    return (rows @ coefficients).to(returns.dtype).reshape(returns.shape)


def _features(observations: Tensor) -> Tensor:
    held = observations.clamp(-10, 10)
    steps = torch.arange(len(held), device=held.device) / _TIME_UNIT
    time = steps[:, None, None].expand(*held.shape[:2], 1)
    return torch.cat([held, held.square(), time, time**2, time**3, torch.ones_like(time)], -1)
