"""What training leaves behind: a model's tensors and its optimizer's, by parameter name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

TARGET = "target"
"""The part of a state that holds target networks: tensors named as the candidate's own.

Edits map it as they map the candidate, with the same draws, so that what was equal stays equal."""

LEADER = "leader"
"""The part of a target's state that, while an edit maps it, holds the candidate it follows.

Edits that choose by weights choose by these, so that what corresponds goes or stays together."""

TRAINER = "trainer"
"""The part of a state that holds a trainer's own tensors, which no edit changes."""

_SLOT = "optimizer/"
_PART = "@"


@final
@dataclass(frozen=True)
class State:
    """The trained state of one candidate, on the CPU.

    Tensors of what is trained beside it, in a cohort or as target networks, are named
    `@part.parameter`.

    Attributes:
        tensors: `model.state_dict()`: parameters and buffers by name.
        slots: The optimizer's tensors by slot (`momentum_buffer`, `exp_avg`, `exp_avg_sq`, ...)
            and then by parameter name.
    """

    tensors: Mapping[str, Tensor]
    slots: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module, *optimizers: Optimizer) -> "State":
        """Copy the state of a model, and of the optimizers that trained it, to the CPU."""
        tensors = {name: _cpu(tensor) for name, tensor in model.state_dict().items()}
        slots: dict[str, dict[str, Tensor]] = {}
        for optimizer in optimizers:
            for name, parameter in model.named_parameters():
                for slot, value in optimizer.state.get(parameter, {}).items():
                    if isinstance(value, Tensor):
                        slots.setdefault(slot, {})[name] = _cpu(value)
        return cls(tensors, slots)

    @property
    def own(self) -> "State":
        """The state of the candidate alone, without those of its cohort."""
        return self._chosen(lambda name: None if name.startswith(_PART) else name)

    def part(self, node: str) -> "State":
        """Return the state of a node of the cohort, empty if there is none."""
        start = f"{_PART}{node}."
        return self._chosen(lambda name: name[len(start) :] if name.startswith(start) else None)

    def joined(self, parts: Mapping[str, "State"]) -> "State":
        """Return the candidate's state with those of nodes of its cohort, and no others."""
        state = self.own
        for node, part in parts.items():
            state = state.plus(node, part)
        return state

    def plus(self, node: str, part: "State") -> "State":
        """Return the state with that of one node of the cohort, in place of any it has of it."""
        start = f"{_PART}{node}."
        others = self._chosen(lambda name: None if name.startswith(start) else name)
        tensors = {f"{start}{name}": tensor for name, tensor in part.tensors.items()}
        slots = {slot: dict(values) for slot, values in others.slots.items()}
        for slot, values in part.slots.items():
            renamed = {f"{start}{name}": value for name, value in values.items()}
            slots.setdefault(slot, {}).update(renamed)
        return State({**others.tensors, **tensors}, slots)

    def restore_optimizer(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Put the slots into a fresh optimizer of `model`, or of some of its parameters.

        Parameters without any stay fresh. Slots take the layout of their parameter, and counters
        its device if the step is fused: fused steps walk the memory of both side by side.
        """
        counts_there = {
            parameter: group.get("fused") or group.get("capturable")
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        for name, parameter in model.named_parameters():
            if parameter not in counts_there:
                continue
            found = {slot: values[name] for slot, values in self.slots.items() if name in values}
            for slot, value in found.items():
                if value.shape == parameter.shape:
                    mine = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
                else:
                    mine = value.to(
                        parameter.device if counts_there[parameter] else "cpu", copy=True
                    )
                optimizer.state[parameter][slot] = mine

    def to_bytes(self) -> bytes:
        """Return the state as one safetensors file, equal for equal states."""
        flat = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        for slot, values in self.slots.items():
            flat |= {f"{_SLOT}{slot}/{name}": value.contiguous() for name, value in values.items()}
        return save(dict(sorted(flat.items())))

    def _chosen(self, rename: Callable[[str], str | None]) -> "State":
        """Return what `rename` has a name for, under that name."""

        def chosen(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {new: one for name, one in tensors.items() if (new := rename(name)) is not None}

        slots = {slot: found for slot, row in self.slots.items() if (found := chosen(row))}
        return State(chosen(self.tensors), slots)

    @classmethod
    def from_file(cls, path: Path) -> "State":
        """Read a state; its tensors are views of the file until they are written to."""
        tensors: dict[str, Tensor] = {}
        slots: dict[str, dict[str, Tensor]] = {}
        for name, tensor in load_file(path).items():
            if name.startswith(_SLOT):
                slot, parameter = name.removeprefix(_SLOT).split("/", 1)
                slots.setdefault(slot, {})[parameter] = tensor
            else:
                tensors[name] = tensor
        return cls(tensors, slots)


def _cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
