"""What is exported, and what every file format must be able to do with it."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from evonas import measure
from evonas.errors import unknown
from evonas.genome import Genome
from evonas.networks import Signatures, named

Batches = Mapping[str, list[Tensor]]
"""Batches of inputs, or the outputs for them, by the name of the network."""


@final
@dataclass(frozen=True)
class Winner:
    """A finished candidate.

    Attributes:
        model: With its trained weights, in eval mode, on the CPU; a copy of the exporter's own.
        genome: Its genome, without layer graphs if its space has models of another kind.
        signatures: Its networks; where there is more than one, each is a submodule of its name.
        about: Facts for the reader of the file.
    """

    model: nn.Module
    genome: Genome
    signatures: Signatures
    about: Mapping[str, str]

    @classmethod
    def of(
        cls, model: nn.Module, genome: Genome, signatures: Signatures, about: Mapping[str, str]
    ) -> "Winner":
        """Copy what may still be in use elsewhere."""
        return cls(copy.deepcopy(model).cpu().eval(), genome, signatures, dict(about))

    def alone(self, name: str) -> "Winner":
        """Return one of the networks as a winner of its own, with its own sizes as facts.

        Raises:
            ConfigError: if there is none of this name.
        """
        if name not in self.signatures:
            raise unknown("network", name, self.signatures)
        model, graphs = self.networks()[name], self.genome.architecture
        signatures = {name: self.signatures[name]}
        sizes = measure.static(model, signatures)
        about = {key: fact for key, fact in self.about.items() if key not in measure.MEASURES}
        about |= {"network": name, **{key: f"{size:.6g}" for key, size in sizes.items()}}
        genome = Genome({name: graphs[name]} if graphs else {})
        return Winner(model, genome, signatures, about)

    def networks(self, model: nn.Module | None = None) -> Mapping[str, nn.Module]:
        """Return the networks of the candidate, or of a `model` built like it, by name."""
        return named(self.model if model is None else model, self.signatures)

    def places(self, to: Path) -> Mapping[str, Path]:
        """Return a file for each network where a format holds one: `to`, or `to-NAME`."""
        if len(self.signatures) == 1:
            return dict.fromkeys(self.signatures, to)
        return {name: to.with_stem(f"{to.stem}-{name}") for name in self.signatures}

    def random_inputs(self, sizes: Sequence[int], generator: torch.Generator) -> Batches:
        """Draw a batch of each of these sizes for every network."""
        parameters = (parameter.dtype for parameter in self.model.parameters())
        dtype = next((dtype for dtype in parameters if dtype.is_floating_point), torch.float32)
        return {
            name: [
                torch.randn(size, *signature.inputs, generator=generator).to(dtype)
                for size in sizes
            ]
            for name, signature in self.signatures.items()
        }


def facts(
    search: str, number: int, metrics: Mapping[str, float], view: str | None = None
) -> Mapping[str, str]:
    """Return what the reader of a file is told of a candidate, or of a view that it hands over."""
    about = {"search": search, "candidate": str(number)}
    about |= {} if view is None else {"view": view}
    for name, value in metrics.items():
        metric, _, node = name.partition("@")
        about |= {metric: f"{value:.6g}"} if node == (view or "") else {}
    return about


def answers(networks: Mapping[str, nn.Module], inputs: Batches) -> Batches:
    """Return the outputs of every network for each of its batches."""
    with torch.no_grad():
        return {name: [networks[name](batch) for batch in inputs[name]] for name in networks}


class Format(ABC):
    """A file format for trained networks. Implementations are final, frozen dataclasses.

    Attributes:
        suffix: Of its files, with the dot.
    """

    suffix: ClassVar[str]

    @abstractmethod
    def write(self, winner: Winner, to: Path) -> None:
        """Write `winner` to `to`, and what else is needed to files beside it.

        Raises:
            ExportError: if this winner cannot be written so.
        """

    @abstractmethod
    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        """Load what `write` has written, as its reader would, and return its outputs."""
