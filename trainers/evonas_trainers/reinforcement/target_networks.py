"""Target networks: what learns slowly behind the networks that learn from it.

"Continuous control with deep reinforcement learning" (Lillicrap et al., 2015,
https://arxiv.org/abs/1509.02971). A child's begin as its parent's were, mapped by its edits.
"""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from evonas.state import TARGET
from evonas_trainers.reinforcement.descent import Start


def target_of(start: Start) -> nn.Module:
    """Return the target of a candidate: the inherited one, or a copy where there is none.

    A candidate that lost weights at its birth has a copy, too: another network's is no target.
    """
    target = copy.deepcopy(start.model).requires_grad_(requires_grad=False)
    found = {} if start.inherited is None else start.inherited.part(TARGET).tensors
    sparsity = start.sparsity
    if found and (sparsity is None or not sparsity.has_lost):
        target.load_state_dict(dict(found))
    if sparsity is not None:
        sparsity.maintain(target)
    return target


@torch.no_grad()
def follow(target: nn.Module, network: nn.Module, share: float) -> None:
    """Move a target by a share of the way to its network; buffers go the whole way."""
    mine, its = tuple(target.parameters()), tuple(network.parameters())
    get_ema_multi_avg_fn(1 - share)(mine, its, 0)
    for buffer, newer in zip(target.buffers(), network.buffers(), strict=True):
        buffer.copy_(newer)
