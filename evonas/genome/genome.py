"""The genome: named chromosomes and the edits that led to them; a birth: one genome's origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from evonas import rows
from evonas.errors import StoreError
from evonas.genome import canonical
from evonas.genome.layers import LayerGraph
from evonas.genome.params import check_name
from evonas.genome.shared import Shared

CONTROL = "control"
"""The operator of an unedited clone that trains as long as its siblings."""

FINAL = "final"
"""The operator of a clone of the front in its last training."""


@final
@dataclass(frozen=True)
class Edit:
    """One step from a parent's genome to its child's, replayable and without random parts.

    Attributes:
        operator: The entry-point name of the mutation that made it.
        targets: What it edits: `net/conv1` is a layer of the graph `net` (`net/*.conv1` that
            layer in every mirrored block), `settings/optimizer.lr` a gene.
        args: Everything else the mutation needs to do the same again; JSON-native.
        previous: Id of the last earlier edit with a common target, or the empty string. The chain
            tells repeats apart and still gives one id to one innovation in two lineages.
    """

    operator: str
    targets: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""

    @cached_property
    def id(self) -> str:
        """The innovation number: a content hash, so that no counter is shared."""
        return canonical.digest([self.operator, self.targets, self.args, self.previous])

    def to_json(self) -> list[Any]:
        """Return the edit as a JSON list."""
        return [self.operator, list(self.targets), dict(self.args), self.previous]

    @classmethod
    def from_json(cls, row: list[Any]) -> "Edit":
        """Read what `to_json` wrote.

        Raises:
            StoreError: if it cannot have written this.
        """
        if len(rows.rows(row, "an edit")) != 4:
            raise StoreError("an edit is a list of operator, targets, arguments and previous edit")
        operator, previous = rows.name(row[0], "operator"), rows.name(row[3], "previous")
        args = rows.plain(rows.mapping(row[2], "args"), "args")
        return cls(operator, rows.names(row[1], "targets"), args, previous)


@final
@dataclass(frozen=True)
class Genome:
    """A candidate as plain, immutable data.

    Attributes:
        architecture: The layer graphs by name: `net` for a classifier, `actor` and `critic` for a
            policy, and so on. Empty for a candidate that is no network.
        settings: Values of the trainer's fields that are genes, by dotted path.
        chromosomes: Any further chromosome (pruning, cohort, a plug-in's own) as JSON.
        edits: The steps from the seed genome to this one, oldest first.
    """

    architecture: Mapping[str, LayerGraph] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    chromosomes: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()

    @cached_property
    def key(self) -> str:
        """The content key: equal for genomes that differ only in names and history."""
        graphs = {name: graph.key for name, graph in self.architecture.items()}
        return canonical.digest([graphs, self.settings, self.chromosomes], size=16)

    def edit(self, operator: str, *targets: str, **args: Any) -> Edit:
        """Return a new edit of this genome, chained to the last one with a common target."""
        touched = set(targets)
        chain = (past.id for past in reversed(self.edits) if touched.intersection(past.targets))
        return Edit(operator, targets, args, next(chain, ""))

    def with_graph(self, name: str, graph: LayerGraph) -> "Genome":
        """Return the genome with one layer graph replaced."""
        return replace(self, architecture={**self.architecture, name: graph})

    def with_settings(self, values: Mapping[str, Any]) -> "Genome":
        """Return the genome with some settings replaced."""
        return replace(self, settings={**self.settings, **values})

    def with_edit(self, edit: Edit) -> "Genome":
        """Return the genome with one more edit on its record."""
        return replace(self, edits=(*self.edits, edit))

    def forget(self) -> None:
        """Let go of what follows from the graphs, but for the key."""
        for graph in self.architecture.values():
            graph.forget()

    def to_json(self) -> dict[str, Any]:
        """Return the genome as a JSON object."""
        return {
            "architecture": {name: g.to_json() for name, g in sorted(self.architecture.items())},
            "settings": dict(self.settings),
            **self.chromosomes,
            "edits": [edit.to_json() for edit in self.edits],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], shared: Shared | None = None) -> "Genome":
        """Read what `to_json` wrote; `shared` takes part in the reading of several genomes.

        Raises:
            EvonasError: if it cannot have written this.
        """
        shared = shared or Shared()
        known = {"architecture", "settings", "edits"}
        graphs = rows.field(data, "architecture", rows.mapping)
        for name in graphs:
            check_name(name)
        others = {name: value for name, value in data.items() if name not in known}
        return cls(
            {
                name: LayerGraph.from_json(rows.mapping(g, name), shared)
                for name, g in graphs.items()
            },
            rows.plain(rows.field(data, "settings", rows.mapping), "settings"),
            rows.plain(others, "genome"),
            tuple([shared.read(Edit, row) for row in rows.field(data, "edits", rows.rows)]),
        )


@final
@dataclass(frozen=True)
class Birth:
    """Where a candidate comes from, and everything its evaluation depends on.

    Attributes:
        genome: What it is.
        operator: What made it: a mutation's name, `seed`, `crossover`, `control` (an unedited
            clone, trained as long as its siblings), `random`, `final`.
        parents: Numbers of its parents. The first is the one whose weights it inherits; its
            edits are a prefix of the child's.
        seed: Seed of its training and of its new weights. Siblings and their control child share
            it, so that they see the same data in the same order.
        notes: What the controller wants to find again in the history; JSON-native.
    """

    genome: Genome
    operator: str
    parents: tuple[int, ...]
    seed: int
    notes: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the birth as a JSON object; the genome's key is written for readers."""
        return {
            "operator": self.operator,
            "parents": list(self.parents),
            "seed": self.seed,
            **({"notes": dict(self.notes)} if self.notes else {}),
            "key": self.genome.key,
            "genome": self.genome.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], shared: Shared | None = None) -> "Birth":
        """Read what `to_json` wrote; `shared` takes part in the reading of several births.

        Raises:
            EvonasError: if it cannot have written this.
        """
        parents = rows.field(data, "parents", rows.rows)
        return cls(
            Genome.from_json(rows.field(data, "genome", rows.mapping), shared),
            rows.field(data, "operator", rows.name),
            tuple(rows.whole(parent, "parents") for parent in parents),
            rows.field(data, "seed", rows.whole),
            rows.plain(rows.mapping(data.get("notes", {}), "notes"), "notes"),
        )
