"""The edges that presets have in common, and the places in networks that they join."""

from collections.abc import Iterable, Mapping
from itertools import permutations

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Edge, Node
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.schedule import Curve

_MAP = 3


def end(node: str, tap: str = LOGITS) -> str:
    """Return the end of an edge at a node's tap."""
    return f"{node}:{tap}"


def task(to: str, weight: float = 1.0, tag: str = "") -> Edge:
    """Return the edge of the trainer's own loss at a node's, or an aggregator's, logits."""
    return Edge(loss={"name": "task"}, to=to, weight=Curve(end=weight), tag=tag)


def divergence(  # noqa: PLR0913 - an edge, less what its loss is
    to: str,
    source: str,
    temperature: float,
    weight: Curve,
    *,
    both: bool = False,
    tag: str = "",
) -> Edge:
    """Return the edge that draws logits towards others' probabilities."""
    loss = {"name": "kl", "temperature": temperature}
    return Edge(loss=loss, to=to, source=source, weight=weight, both=both, tag=tag)


def ramp(weight: float, until: float) -> Curve:
    """Return a weight that rises from 0, and is reached at this part of the training."""
    return Curve(kind="cosine", end=weight, until=until)


def mutual(nodes: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Return every ordered pair of different nodes."""
    return permutations(nodes, 2)


def active(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return the edges whose weight is not 0 throughout; the others would only cost time."""
    return tuple(edge for edge in edges if edge.weight.end or edge.weight.start)


def candidate(role: str = "student") -> Mapping[str, Node]:
    """Return the node that every cohort has."""
    return {CANDIDATE: Node(kind="candidate", role=role)}


def peers(count: int, *, width: float = 1.0, own_view: bool = False) -> Mapping[str, Node]:
    """Return `peer1`, `peer2`, ...: networks that are trained beside the candidate.

    Raises:
        ConfigError: if there is not one.
    """
    if count < 1:
        raise ConfigError(f"members is {count!r}; learning together needs at least 1")
    node = Node(kind="member", role="peer", width=width, own_view=own_view)
    return {f"peer{number}": node for number in range(1, count + 1)}


def teachers(preset: CohortPreset, available: Available) -> Mapping[str, Node]:
    """Return the run's teachers, as many as the preset needs.

    Raises:
        ConfigError: if there are more, or fewer.
    """
    given, wanted = list(available.teachers), preset.teachers
    if len(given) != wanted:
        raise ConfigError(
            f"{type(preset).__name__.lower()} learns from {wanted} teacher(s), given {given!r}; "
            f"name {wanted} under [cohort.teachers]"
        )
    return {name: Node(kind="teacher", role="teacher") for name in given}


def stages(taps: Mapping[str, Tap], whose: str, at_least: int = 1) -> list[str]:
    """Return the taps at the end of every stage that ends in a map, `s1` first.

    Raises:
        ConfigError: if these are too few.
    """
    count = 0
    while len(taps[f"s{count + 1}"].shape) == _MAP if f"s{count + 1}" in taps else False:
        count += 1
    if count < at_least:
        raise ConfigError(
            f"the {whose} has {count} stage(s) that end in a map (channels, height, width), needs "
            f"{at_least}; its taps are {sorted(taps)}: take a network with convolutions, or a "
            "preset that reads logits alone"
        )
    return [f"s{number}" for number in range(1, count + 1)]


def require(taps: Mapping[str, Tap], name: str, whose: str) -> str:
    """Return the name of a tap.

    Raises:
        ConfigError: if there is no such tap.
    """
    if name not in taps:
        raise ConfigError(f"the {whose} has no tap {name!r}; it has {sorted(taps)}")
    return name
