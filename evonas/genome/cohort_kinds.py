"""What the parts of a cohort may be joined to: taps, and what losses and aggregators ask for."""

from dataclasses import dataclass
from typing import Literal, final

from evonas.genome.shapes import Shape

LOGITS = "logits"
"""The tap of a network's outputs."""

Ends = Literal["logits", "maps", "vectors"]


@final
@dataclass(frozen=True)
class Tap:
    """A place in a network where a tensor can be read.

    Attributes:
        layer: The id of the layer that makes it, in the network's graph.
        shape: Without the batch: (channels, height, width) or (features,).
    """

    layer: str
    shape: Shape


@final
@dataclass(frozen=True, kw_only=True)
class LossKind:
    """What an edge of some loss needs.

    Attributes:
        ends: What both ends are: `logits` (of equal classes; an aggregator of logits, too), `maps`
            (channels, height, width) or `vectors` (features).
        has_source: Whether it has a source at all.
        adapts: How ends of different shapes meet: `no`, they must not differ; `match`, a learned
            map and a resizing bring the learning end to the source's shape; `embed`, a learned head
            on each tap brings both to one width; `free`, the loss itself takes them as they are.
        width: Of such heads.
        per_class: Samples of every class that a batch must hold.
        max_batch: Largest batch it can take, or 0 for any.
        weight: With which a new edge starts, in units of the gradient of cross-entropy.
        temperature: With which a new edge starts; 0 if the loss has no such field.
    """

    ends: Ends
    has_source: bool = True
    adapts: Literal["no", "match", "embed", "free"] = "no"
    width: int = 128
    per_class: int = 1
    max_batch: int = 0
    weight: float = 1.0
    temperature: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class AggregatorKind:
    """What an aggregator needs.

    Attributes:
        inputs: What its inputs, and so its output, are.
        queries: How many taps it weighs by: none, one, or one for every input.
        query_ends: What these are.
        has_rows: Whether every input has an output of its own; an edge takes that of the node it
            goes to.
        has_parameters: Whether it learns.
        needs_labels: Whether its target depends on the samples' labels.
        adapts: Whether its inputs may be of unlike shapes; its target is then shaped as the first.
        detaches: Whether it detaches inputs and queries itself, so that what learns from its target
            trains its parameters and nothing below it, and an edge from it needs no `both`.
    """

    inputs: Ends = "logits"
    queries: Literal["none", "one", "each"] = "none"
    query_ends: Ends = "vectors"
    has_rows: bool = False
    has_parameters: bool = False
    needs_labels: bool = False
    adapts: bool = False
    detaches: bool = False
