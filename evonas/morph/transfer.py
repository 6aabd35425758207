"""Trained tensors and optimizer slots across a change of width.

A unit that becomes copies with outgoing shares a_j (summing to 1) keeps the function: rows are
copied, columns times a_j. The gradient of copy j is then a_j times the old one in its rows (and its
batch norm) and the old one in its columns, and so momentum goes by that dual rule and second
moments by its square (Staged Training for Transformer Language Models, Shen et al., 2022,
https://arxiv.org/abs/2203.06211, where all shares are 1/2). Running statistics are copied.

New units come in twins with equal random rows and opposite random columns (Accelerated Training via
Incrementally Growing Neural Networks, Yuan et al., 2023, https://arxiv.org/abs/2306.12700), or with
columns of zeros. Their slots are zero.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from evonas.genome import LayerGraph
from evonas.morph.spread import Change, Spread
from evonas.seeds import Rng
from evonas.state import State

ROWS, COLUMNS = "rows", "columns"
AXES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "conv": {"weight": (ROWS, COLUMNS), "bias": (ROWS,)},
    "linear": {"weight": (ROWS, COLUMNS), "bias": (ROWS,)},
    "depthwise": {"weight": (ROWS,), "bias": (ROWS,)},
    "bn": dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (ROWS,)),
    "scale": {"scale": (ROWS,)},
    "lerp": {"scale": (ROWS,)},
    "se": {"reduce.weight": ("", COLUMNS), "expand.weight": (ROWS,), "expand.bias": (ROWS,)},
}
"""Which axes of a layer's tensors count its outputs (rows) and its inputs (columns)."""

_Fresh = Callable[[Tensor, tuple[int, ...], "Growth"], Tensor]
_SQUARED = frozenset({"exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum"})


@final
@dataclass(frozen=True, kw_only=True)
class Growth:
    """How new weights are made.

    Attributes:
        rng: Where they are drawn.
        twins: Whether new channels come in twins that cancel; else their columns are zero.
        noise: Relative noise on the columns of copies, zero in sum, so that they part ways.
    """

    rng: Rng
    twins: bool = False
    noise: float = 0.0

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers in float64."""
        return torch.from_numpy(self.rng.standard_normal(shape))


def transferred(
    state: State, graph: LayerGraph, prefix: str, changes: Mapping[str, Change], growth: Growth
) -> State:
    """Return the state in which every changed layer has its new width; the rest is shared.

    Args:
        state: The trained state before the edit.
        graph: The graph before the edit.
        prefix: What stands before the names of the graph's tensors.
        changes: The layers that change.
        growth: How new weights are made.
    """
    tensors = dict(state.tensors)
    slots = {slot: dict(values) for slot, values in state.slots.items()}
    for node_id, change in changes.items():
        op = graph[node_id].op
        for parameter, axes in AXES.get(op, {}).items():
            name = f"{prefix}{node_id}.{parameter}"
            if name not in tensors:
                continue
            rows = change.rows if ROWS in axes else None
            columns = change.columns if COLUMNS in axes else None
            grown = _with_columns(tensors[name].double(), columns, growth)
            grown = _with_rows(grown, rows, _FRESH.get((op, parameter)), growth)
            for slot, values in slots.items():
                if name in values and values[name].shape == tensors[name].shape:
                    values[name] = _mapped(values[name], rows, columns, slot in _SQUARED)
                elif name in values and values[name].ndim:
                    del values[name]  # a factored moment has no rows and columns: it starts anew
            tensors[name] = grown.to(tensors[name].dtype)
    return State(tensors, slots)


def _with_columns(value: Tensor, columns: Spread | None, growth: Growth) -> Tensor:
    """Return a weight with its columns shared out, and new ones that add nothing in sum."""
    if columns is None or columns.is_identity:
        return value
    value = value[:, torch.from_numpy(columns.index)]
    value = value * _along_columns(columns.share, value)
    if growth.noise:
        value = value * (1.0 + growth.noise * _balanced(columns, value, growth))
    if growth.twins and columns.new.any():
        places, count = _distinct(columns, growth)
        scale = math.sqrt(2.0 / math.prod(value.shape[1:]))
        fresh = growth.normal(value.shape[0], count, *value.shape[2:]) * scale
        sign = np.where(columns.rank[columns.new] % 2 == 1, 1.0, -1.0)
        new = torch.from_numpy(columns.new)
        value[:, new] = fresh[:, places] * _along_columns(sign, value)
    return value


def _with_rows(value: Tensor, rows: Spread | None, fresh: _Fresh | None, growth: Growth) -> Tensor:
    """Return a tensor with its rows copied or dropped, and fresh ones, alike for twins."""
    if rows is None or rows.is_identity:
        return value
    wider = value[torch.from_numpy(rows.index)]
    if rows.new.any():
        assert fresh is not None, "a tensor with rows has a way to make new ones"
        places, count = _distinct(rows, growth)
        wider[torch.from_numpy(rows.new)] = fresh(value, (count, *value.shape[1:]), growth)[places]
    return wider


def _balanced(columns: Spread, value: Tensor, growth: Growth) -> Tensor:
    """Return noise in [-1, 1] minus its mean by shares over the copies of one channel."""
    drawn = torch.from_numpy(growth.rng.uniform(-1.0, 1.0, tuple(value.shape)))
    index = torch.from_numpy(columns.index)
    weighted = drawn * _along_columns(columns.share, value)
    mean = drawn.new_zeros(value.shape[0], columns.width, *value.shape[2:])
    mean.index_add_(1, index, weighted)
    return drawn - mean[:, index]


def _distinct(spread: Spread, growth: Growth) -> tuple[Tensor, int]:
    """Number the new channels so that twins share a number; return the numbers and their count."""
    count = int(spread.new.sum())
    if not growth.twins:
        return torch.arange(count), count
    keys = np.stack([spread.index[spread.new], (spread.rank[spread.new] + 1) // 2])
    distinct, places = np.unique(keys, axis=1, return_inverse=True)
    return torch.from_numpy(places.reshape(-1)), distinct.shape[1]


def _along_columns(factors: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(factors).reshape(1, -1, *[1] * (like.ndim - 2))


def _mapped(slot: Tensor, rows: Spread | None, columns: Spread | None, is_squared: bool) -> Tensor:
    """Return an optimizer slot after the change, by the rule dual to its parameter's."""
    value = slot.double()
    if columns is not None:
        value = value[:, torch.from_numpy(columns.index)]
        value = value * _along_columns(1.0 - columns.new, value)
    if rows is not None:
        factors = rows.share**2 if is_squared else rows.share
        value = value[torch.from_numpy(rows.index)]
        value = value * torch.from_numpy(factors).reshape(-1, *[1] * (value.ndim - 1))
    return value.to(slot.dtype)


def _he(_: Tensor, shape: tuple[int, ...], growth: Growth) -> Tensor:
    return growth.normal(*shape) * math.sqrt(2.0 / math.prod(shape[1:]))


def _zeros(_: Tensor, shape: tuple[int, ...], __: Growth) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def _ones(_: Tensor, shape: tuple[int, ...], __: Growth) -> Tensor:
    return torch.ones(shape, dtype=torch.float64)


def _mean(old: Tensor, shape: tuple[int, ...], __: Growth) -> Tensor:
    """New channels pass a gate that stands as open as the old ones' do on average."""
    return old.mean().expand(shape)


_FRESH: Mapping[tuple[str, str], _Fresh] = {
    ("conv", "weight"): _he,
    ("linear", "weight"): _he,
    ("depthwise", "weight"): _he,
    ("bn", "weight"): _ones,
    ("bn", "running_var"): _ones,
    ("scale", "scale"): _mean,
    ("lerp", "scale"): _mean,
    **dict.fromkeys(
        [
            ("conv", "bias"),
            ("linear", "bias"),
            ("depthwise", "bias"),
            ("bn", "bias"),
            ("bn", "running_mean"),
            ("se", "expand.weight"),
            ("se", "expand.bias"),
        ],
        _zeros,
    ),
}
