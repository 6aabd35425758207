"""The edges that presets have in common, and the places in networks that they join."""

import re
from collections.abc import Iterable, Mapping
from itertools import permutations

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Edge, Node
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.schedule import Curve

_MAP = 3
_STAGE = re.compile(r"s\d+", re.ASCII)


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


def live(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return the edges whose weight is not 0 throughout; the others would only cost time."""
    return tuple(edge for edge in edges if edge.weight.end or edge.weight.start)


def candidate(role: str = "student") -> Mapping[str, Node]:
    """Return the node that every cohort has."""
    return {CANDIDATE: Node(kind="candidate", role=role)}


def peers(number: int, *, at_least: int = 1, own_view: bool = False) -> Mapping[str, Node]:
    """Return `peer1`, `peer2`, ...: networks that are trained beside the candidate.

    Raises:
        ConfigError: if these are too few.
    """
    if number < at_least:
        raise ConfigError(f"members is {number!r}; learning together needs at least {at_least}")
    node = Node(kind="member", role="peer", own_view=own_view)
    return {f"peer{place}": node for place in range(1, number + 1)}


def teachers(
    preset: CohortPreset, available: Available, *, every: bool = False
) -> Mapping[str, Node]:
    """Return the first of the run's teachers, as many as the preset needs, or every one.

    More may be named, for the operators to take up.

    Raises:
        ConfigError: if there are too few.
    """
    given, wanted = list(available.teachers), preset.teachers
    if len(given) < wanted:
        raise ConfigError(
            f"{type(preset).__name__.lower()} learns from {wanted} teacher(s), given {given!r}; "
            f"name {wanted} under [cohort.teachers]"
        )
    node = Node(kind="teacher", role="teacher")
    return dict.fromkeys(given if every else given[:wanted], node)


def maps(taps: Mapping[str, Tap], whose: str, at_least: int = 1) -> list[str]:
    """Return the taps of the stages that end in a map, the first first.

    Raises:
        ConfigError: if these are too few.
    """
    numbers = sorted(int(name[1:]) for name in taps if _STAGE.fullmatch(name))
    found = [f"s{number}" for number in numbers if len(taps[f"s{number}"].shape) == _MAP]
    if len(found) < at_least:
        raise ConfigError(
            f"the {whose} has {len(found)} stage(s) that end in a map (channels, height, width), "
            f"needs {at_least}; its taps are {sorted(taps)}: take a network with convolutions, or "
            "a preset that reads logits alone"
        )
    return found


def same_size(available: Available, teacher: str) -> list[tuple[str, str]]:
    """Return the pairs of taps whose maps are as high and wide in the seed as in the teacher.

    Raises:
        ConfigError: if there is none.
    """
    theirs = available.teachers[teacher]
    sizes = {theirs[name].shape[1:]: name for name in maps(theirs, f"teacher {teacher!r}")}
    ours = {name: available.taps[name].shape[1:] for name in maps(available.taps, "seed network")}
    pairs = [(name, sizes[size]) for name, size in ours.items() if size in sizes]
    if not pairs:
        raise ConfigError(
            f"no map of the seed network, of sizes {list(ours.values())}, is as large as one of "
            f"teacher {teacher!r}, of sizes {list(sizes)}"
        )
    return pairs


def require(taps: Mapping[str, Tap], name: str) -> str:
    """Return the name of a tap of the seed network.

    Raises:
        ConfigError: if there is no such tap.
    """
    if name not in taps:
        raise ConfigError(f"the seed network has no tap {name!r}; it has {sorted(taps)}")
    return name
