"""The groups of a plan, found in a model: its tensors, and where the channels are in them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas.pruning_plan import Places, PlannedGroup, PruningPlan


@final
@dataclass(frozen=True, eq=False)
class Located:
    """The channels of a group in one tensor.

    Attributes:
        tensor: The parameter of the model.
        places: Rows (or columns) of each channel, (size, places a channel), on its device.
    """

    tensor: nn.Parameter
    places: Tensor

    def of(self, channels: Tensor) -> Tensor:
        """Return the places of some channels, in one line."""
        return self.places.index_select(0, channels).flatten()

    def rows(self, tensor: Tensor) -> Tensor:
        """Return what a tensor of this shape has of each channel, (size, numbers a channel)."""
        found = tensor.index_select(0, self.places.flatten())
        return found.reshape(len(self.places), -1)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Channels:
    """A planned group in a model.

    Attributes:
        group: As planned.
        weights: What the criterion looks at.
        biases: Of the layers that `weights` belong to.
        rows: Everything that has rows of these channels.
        norms: The scales of batch norms.
        columns: What reads the channels.
    """

    group: PlannedGroup
    weights: tuple[Located, ...]
    biases: tuple[Located, ...]
    rows: tuple[Located, ...]
    norms: tuple[Located, ...]
    columns: tuple[Located, ...]

    @property
    def makers(self) -> tuple[Located, ...]:
        """What makes the channels, and moves with them: weights and biases, but no norms."""
        return (*self.weights, *self.biases)

    @property
    def device(self) -> torch.device:
        """Where the channels are."""
        return self.weights[0].tensor.device


def channels(plan: PruningPlan, model: nn.Module) -> tuple[Channels, ...]:
    """Find the groups of a plan that lose channels."""
    parameters = dict(model.named_parameters())
    return tuple(_found(group, parameters) for group in plan.groups if group.keep < group.size)


def merged(
    located: Iterable[tuple[Located, Tensor]],
) -> list[tuple[nn.Parameter, Tensor]]:
    """Return each tensor once, with the places in it of all channels that are given for it."""
    found: dict[nn.Parameter, list[Tensor]] = {}
    for one, chosen in located:
        found.setdefault(one.tensor, []).append(one.of(chosen))
    return [
        (tensor, places[0] if len(places) == 1 else torch.cat(places))
        for tensor, places in found.items()
    ]


def _found(group: PlannedGroup, parameters: Mapping[str, nn.Parameter]) -> Channels:
    def located(wanted: Mapping[str, Places]) -> Iterator[tuple[str, Located]]:
        for name, places in wanted.items():
            tensor = parameters[name]
            yield name, Located(tensor, torch.as_tensor(places, device=tensor.device))

    rows = dict(located(group.rows))
    biases = {name.removesuffix("weight") + "bias" for name in group.weights}
    return Channels(
        group=group,
        weights=tuple(rows[name] for name in group.weights),
        biases=tuple(found for name, found in rows.items() if name in biases),
        rows=tuple(rows.values()),
        norms=tuple(rows[name] for name in group.norms),
        columns=tuple(found for _, found in located(group.columns)),
    )
