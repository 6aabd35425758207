"""The frozen teachers of a search, as its folder keeps them.

`teachers.json` says what they are; their weights stand among those of the candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import nn

from evonas import plugins, rows, store
from evonas.cohort_table import Teacher
from evonas.errors import ConfigError, StoreError
from evonas.genome import LayerGraph, canonical
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.members import as_genome
from evonas.morph.build import build
from evonas.networks import Signature
from evonas.outcomes import weights_name
from evonas.space import SearchSpace

FILE = "teachers.json"


@final
@dataclass(frozen=True, kw_only=True)
class KeptTeacher:
    """A teacher that has been made.

    Attributes:
        weights: SHA-256 of its stored tensors.
        graph: Its layers; None if it has others than ours, so that its outputs alone can be read.
        network: What returns it, as `module:callable`, where there is no graph.
        arguments: What to call that with.
        parameters: How many it has.
        made_from: A hash of all that it was made from.
    """

    weights: str
    graph: LayerGraph | None
    network: str
    arguments: Mapping[str, Any]
    parameters: int
    made_from: str

    def taps(self, space: SearchSpace, signature: Signature) -> Mapping[str, Tap]:
        """Return the places that can be read."""
        if self.graph is None:
            return {LOGITS: Tap("output", signature.outputs)}
        return space.taps(as_genome(self.graph))

    def module(self, folder: Path) -> nn.Module:
        """Return the network with its weights, frozen and in eval mode."""
        with torch.random.fork_rng(devices=()):  # fresh weights are drawn to be overwritten
            if self.graph is None:
                model = called(self.network, self.arguments)
            else:
                model = build(as_genome(self.graph))
        model.load_state_dict(dict(store.load_state(folder, self.weights).tensors))
        return model.requires_grad_(False).eval()

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**vars(self), "graph": None if self.graph is None else self.graph.to_json()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "KeptTeacher":
        """Read what `to_json` wrote.

        Raises:
            EvonasError: if it cannot have written this.
        """
        graph = row.get("graph")
        return cls(
            weights=rows.field(row, "weights", weights_name),
            graph=None if graph is None else LayerGraph.from_json(rows.mapping(graph, "graph")),
            network=rows.field(row, "network", rows.name),
            arguments=rows.plain(rows.field(row, "arguments", rows.mapping), "arguments"),
            parameters=rows.field(row, "parameters", rows.whole),
            made_from=rows.field(row, "made_from", rows.name),
        )


Kept = Mapping[str, KeptTeacher]
"""Teachers by node."""


def kept_teachers(folder: Path) -> Kept:
    """Return the teachers of a run, or of what of it has been made."""
    found = store.read_object(folder / FILE) or {}
    return {
        rows.name(name, FILE): KeptTeacher.from_json(rows.mapping(row, name))
        for name, row in found.items()
    }


def check_teachers(kept: Kept, asked: Mapping[str, Teacher]) -> None:
    """Check that teachers come from the code that a run file names for them, and no other.

    Raises:
        StoreError: naming one that does not.
    """
    for name, one in kept.items():
        wanted = asked.get(name, Teacher(width=1.0))
        given = [one.network, one.arguments] if one.graph is None else ["", {}]
        if given[0] and canonical.text(given) != canonical.text([wanted.network, wanted.arguments]):
            raise StoreError(
                f"{FILE}: the teacher {name!r} is made by {one.network!a}, and the run file"
                f" says {wanted.network!r}"
            )


def keep_teachers(folder: Path, kept: Kept) -> None:
    """Write the teachers of a run, whose weights are already stored."""
    store.write_object(folder / FILE, {name: one.to_json() for name, one in kept.items()})


def copy_teachers(folder: Path, to: Path) -> None:
    """Give another run's folder the same teachers."""
    kept = kept_teachers(folder)
    for one in kept.values():
        _ = store.store_state(to, store.load_state(folder, one.weights))
    keep_teachers(to, kept)


def called(network: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return what a callable at `module:callable` makes.

    Raises:
        ConfigError: if that cannot be imported or called, or is no network.
    """
    if ":" not in network:
        raise ConfigError(f"network is {network!r}, should be `module:callable`")
    make = plugins.load_attribute(network)
    try:
        model = make(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cannot make the network {network!r}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{network!r} returns {model!r}, should be an nn.Module")
    return model
