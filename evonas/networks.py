"""What a trainer may ask of a network and a space may promise: where the two sides meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from torch import Tensor, nn


@final
@dataclass(frozen=True)
class Signature:
    """One network's input and output, batch left out.

    Attributes:
        inputs: (channels, height, width) for pictures, (features,) for vectors.
        outputs: (classes,), (actions,), (targets,), ...
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


Signatures = Mapping[str, Signature]
"""The networks a candidate consists of, by name: `net` alone, or `actor` and `critic`, ..."""


def named(model: nn.Module, signatures: Signatures) -> Mapping[str, nn.Module]:
    """Return a candidate's networks by name: itself, or its submodules where there are more."""
    if len(signatures) == 1:
        return dict.fromkeys(signatures, model)
    return {name: model.get_submodule(name) for name in signatures}


@runtime_checkable
class Network(Protocol):
    """A single network: one tensor in, one tensor out."""

    def __call__(self, inputs: Tensor, /) -> Tensor:
        """Return the outputs for a batch of inputs."""
        ...
