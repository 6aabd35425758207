"""The pruning chromosome: how much each part keeps, and the schedule by which the rest goes.

A gene is a pair of whole numbers, `keep` of `width`, never a ratio. It is named after the layer
that makes the channels (`net/block1.conv:0`, the first group of that layer's channels;
`net/*.conv:0` in mirrored blocks) or, for single weights, after the layer alone
(`net/block1.conv`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, final

from evonas.genome.genome import Genome
from evonas.genome.schedule import Schedule

PRUNING = "pruning"
"""The name of the chromosome, and the first part of its edits' targets."""

GENES = f"{PRUNING}/genes"
"""The target of every edit of the genes, and of `compact`, which carries them out."""


class Kept(NamedTuple):
    """How many of `width` channels or weights are kept.

    `width` is what there was when the gene was made. After an edit of the layer the gene is read
    anew for the width there is: see `evonas.morph.keep`.
    """

    keep: int
    width: int


@final
@dataclass(frozen=True, kw_only=True)
class PruningGenes:
    """The chromosome.

    Attributes:
        schedule: How pruning goes on, or went on in the training this genome comes from.
        kept: What is still to be pruned, by group; empty once `compact` has removed it.
        target: The most that the rebuilt network may have, as (`macs` or `parameters`, number), to
            which variations of these genes are repaired; None for no such bound.
        affine: For every group (a, b) of the ranking a x norm + b (LeGR), if the counts were found
            by one.
    """

    schedule: Schedule = field(default_factory=Schedule)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    target: tuple[str, float] | None = None
    affine: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, genome: Genome) -> "PruningGenes | None":
        """Read the chromosome of a genome, if it has one."""
        data = genome.chromosomes.get(PRUNING)
        return None if data is None else cls.from_json(data)

    def put_into(self, genome: Genome) -> Genome:
        """Return the genome with this chromosome."""
        return replace(genome, chromosomes={**genome.chromosomes, PRUNING: self.to_json()})

    def to_json(self) -> dict[str, Any]:
        """Return the chromosome as a JSON object."""
        data: dict[str, Any] = {
            "schedule": self.schedule.to_json(),
            "kept": {name: list(kept) for name, kept in sorted(self.kept.items())},
        }
        if self.target is not None:
            data["target"] = list(self.target)
        if self.affine:
            data["affine"] = {name: list(pair) for name, pair in sorted(self.affine.items())}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PruningGenes":
        """Read what `to_json` wrote."""
        target = data.get("target")
        return cls(
            schedule=Schedule.from_json(data["schedule"]),
            kept={name: Kept(*pair) for name, pair in data["kept"].items()},
            target=None if target is None else (target[0], target[1]),
            affine={name: (a, b) for name, (a, b) in data.get("affine", {}).items()},
        )
