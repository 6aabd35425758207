"""How a person would write a layer graph down: short names, one line a conv-bn-act chain.

Layers are numbered by kind in the order of reading. A variable is used again as soon as its value
is dead, so a plain chain reads `x = ...` throughout and a shortcut needs only `x` and `y`.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from typing import final

from evonas.genome import LayerGraph, Node

_CLOSING = frozenset({"bn", "act", "dropout"})
"""Operations that share the line of the layer they read, if nothing else reads it."""
_WITH_MODULE = frozenset({"conv", "depthwise", "linear", "bn", "scale", "lerp", "se"})


@final
@dataclass(frozen=True)
class Line:
    """One line of a forward pass.

    Attributes:
        target: The variable that is assigned.
        reads: The variables its first layer takes, in port order.
        chain: The layers it applies, one after the other.
    """

    target: str
    reads: tuple[str, ...]
    chain: tuple[Node, ...]


@final
@dataclass(frozen=True)
class Listing:
    """A layer graph as a program.

    Attributes:
        names: The attribute that holds each layer with parameters, by node id, in reading order.
        inputs: The variables of the input nodes.
        lines: What computes the output; the last one does.
    """

    names: Mapping[str, str]
    inputs: tuple[str, ...]
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, graph: LayerGraph) -> "Listing":
        """Write `graph` down."""
        chains = _chains(graph)
        inputs = [node.id for node in graph.nodes if node.op == "input"]
        result = graph.output.inputs[0]
        variables = _variables(chains, inputs, result)
        lines = tuple(
            Line(
                variables[chain[-1].id],
                tuple(variables[source] for source in chain[0].inputs),
                chain,
            )
            for chain in chains
        )
        names = _names(node for chain in chains for node in chain)
        return cls(names, tuple(variables[node] for node in inputs), lines)


def _chains(graph: LayerGraph) -> list[tuple[Node, ...]]:
    """Return the layers in lines, each branch from its start to its end before the next."""
    done: set[str] = set()
    found: list[tuple[Node, ...]] = []
    pending = [graph.output.inputs[0]]
    while pending:
        chain = _chain_to(graph, pending[-1])
        waiting = [source for source in chain[0].inputs if source not in done]
        if pending[-1] in done or not waiting:
            last = pending.pop()
            if last not in done and chain[0].op != "input":
                found.append(chain)
            done.add(last)
        else:
            pending.append(waiting[0])
    return found


def _chain_to(graph: LayerGraph, last: str) -> tuple[Node, ...]:
    """Return the layers of the line that ends with `last`."""
    chain = [graph[last]]
    while chain[0].op in _CLOSING:
        before = graph[chain[0].inputs[0]]
        if before.op == "input" or graph.consumers[before.id] != (chain[0].id,):
            break
        chain.insert(0, before)
    return tuple(chain)


def _variables(
    chains: Sequence[Sequence[Node]], inputs: Sequence[str], result: str
) -> Mapping[str, str]:
    """Return the variable of every value that is read beyond its own line, by node id."""
    last_read = {source: at for at, chain in enumerate(chains) for source in chain[0].inputs}
    last_read[result] = len(chains)
    held: dict[str, str] = {}
    found: dict[str, str] = {}
    for node in inputs:
        found[node] = held[node] = _free(held.values())
    for at, chain in enumerate(chains):
        sources = dict.fromkeys(chain[0].inputs)
        dying = [held.pop(source) for source in sources if last_read[source] == at]
        name = min(dying, key=_rank) if dying else _free(held.values())
        found[chain[-1].id] = held[chain[-1].id] = name
    return found


def _candidates() -> Iterable[str]:
    yield from "xyzuvw"
    yield from (f"x{number}" for number in itertools.count(1))


def _free(taken: Iterable[str]) -> str:
    used: AbstractSet[str] = set(taken)
    return next(name for name in _candidates() if name not in used)


def _rank(name: str) -> tuple[int, int]:
    return (0, "xyzuvw".index(name)) if len(name) == 1 else (1, int(name[1:]))


def _names(nodes: Iterable[Node]) -> Mapping[str, str]:
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for node in nodes:
        if node.op in _WITH_MODULE:
            counts[node.op] += 1
            names[node.id] = f"{node.op}{counts[node.op]}"
    return names
