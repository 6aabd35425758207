"""The genome: named chromosomes and the edits that led to them; a birth: one genome's origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from evonas.genome import canonical
from evonas.genome.layers import LayerGraph

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
        """Read what `to_json` wrote."""
        return cls(row[0], tuple(row[1]), row[2], row[3])


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

    def to_json(self) -> dict[str, Any]:
        """Return the genome as a JSON object."""
        return {
            "architecture": {name: g.to_json() for name, g in sorted(self.architecture.items())},
            "settings": dict(self.settings),
            **self.chromosomes,
            "edits": [edit.to_json() for edit in self.edits],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Genome":
        """Read what `to_json` wrote."""
        known = {"architecture", "settings", "edits"}
        return cls(
            {name: LayerGraph.from_json(graph) for name, graph in data["architecture"].items()},
            data["settings"],
            {name: value for name, value in data.items() if name not in known},
            tuple(Edit.from_json(row) for row in data["edits"]),
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
    def from_json(cls, data: Mapping[str, Any]) -> "Birth":
        """Read what `to_json` wrote."""
        return cls(
            Genome.from_json(data["genome"]),
            data["operator"],
            tuple(data["parents"]),
            data["seed"],
            data.get("notes", {}),
        )
