"""A small network, and plans to prune it, written by hand."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas.state import State

FIRST, SECOND = 8, 6


def network(*, is_normed: bool = True) -> nn.Sequential:
    """Two convolutions, the first with biases, and a classifier of three classes of 2x6x6."""

    def norm(width: int) -> nn.Module:
        return nn.BatchNorm2d(width) if is_normed else nn.Identity()

    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            *(nn.Conv2d(2, FIRST, 3, padding=1), norm(FIRST), nn.ReLU()),
            *(nn.Conv2d(FIRST, SECOND, 3, bias=False), norm(SECOND), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * SECOND, 3)),
        )


def group(
    keep: int,
    weights: Mapping[str, Iterable[int]],
    others: Mapping[str, Iterable[int]] | None = None,
    norms: tuple[str, ...] = (),
    columns: Mapping[str, Iterable[Iterable[int]]] | None = None,
) -> PlannedGroup:
    """Return a group of channels that have a row in every tensor."""
    made = {name: np.array([*rows])[:, None] for name, rows in weights.items()}
    rows = {name: np.array([*rows])[:, None] for name, rows in (others or {}).items()}
    return PlannedGroup(
        name="+".join(weights),
        size=len(next(iter(made.values()))),
        keep=keep,
        weights=made,
        rows=made | rows,
        norms=norms,
        columns={name: np.array([*places]) for name, places in (columns or {}).items()},
    )


def in_a_row(first: int = 4, second: int = 3, *, is_normed: bool = True) -> list[PlannedGroup]:
    """Return the groups that `network` has, keeping so many channels of both layers."""
    of_first = ["1.weight", "1.bias"] if is_normed else []
    of_second = ["4.weight", "4.bias"] if is_normed else []
    return [
        group(
            first,
            {"0.weight": range(FIRST)},
            {name: range(FIRST) for name in ["0.bias", *of_first]},
            tuple(of_first[:1]),
            {"3.weight": [[place] for place in range(FIRST)]},
        ),
        group(
            second,
            {"3.weight": range(SECOND)},
            {name: range(SECOND) for name in of_second},
            tuple(of_second[:1]),
            {"8.weight": [range(4 * place, 4 * place + 4) for place in range(SECOND)]},
        ),
    ]


def split() -> list[PlannedGroup]:
    """Return two groups that share the tensors of the first layer, not in order."""
    parts = ([0, 2, 4, 6, 7], [5, 3, 1])
    return [
        group(2, {"0.weight": rows}, dict.fromkeys(["0.bias", "1.weight", "1.bias"], rows))
        for rows in parts
    ]


def coupled() -> list[PlannedGroup]:
    """Return one group whose channels two layers make."""
    return [group(2, {"0.weight": [1, 2, 3, 4, 5, 7], "3.weight": range(SECOND)})]


def plan(schedule: Schedule, groups: Iterable[PlannedGroup]) -> PruningPlan:
    """Return a plan that rebuilds nothing."""

    def compacted(state: State) -> tuple[nn.Module, State]:
        return nn.Identity(), state

    return PruningPlan(schedule=schedule, groups=tuple(groups), compacted=compacted)


def batch(step: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Return noisy pictures of three classes."""
    draws = torch.Generator().manual_seed(step)
    labels = torch.randint(3, (24,), generator=draws)
    pictures = torch.randn(24, 2, 6, 6, generator=draws, dtype=dtype)
    pictures[range(24), 0, 2 * labels] += 2
    return pictures, labels


def backward(model: nn.Module, step: int, dtype: torch.dtype = torch.float32) -> None:
    """Leave the gradients of a batch in the model."""
    inputs, labels = batch(step, dtype)
    model.zero_grad()
    F.cross_entropy(model(inputs), labels).backward()
