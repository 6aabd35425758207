"""What pruning did, read from a genome's edits: by which schedule, and how much of what.

A group of channels in mirrored blocks counts once for every block.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from evonas.genome.genome import Edit, Genome
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.genome.schedule import Schedule


@final
@dataclass(frozen=True, kw_only=True)
class PastPruning:
    """The last pruning on a genome's record.

    Attributes:
        schedule: By which it went on.
        kept: What it left of every group of channels, or of every layer's weights; widths are
            those for which the genes were made.
        removed: How many channels or weights it took.
        size: How many there were before, in all that could be pruned.
    """

    schedule: Schedule
    kept: Mapping[str, Kept]
    removed: int
    size: int

    @classmethod
    def of(cls, genome: Genome) -> "PastPruning | None":
        """Read the last pruning of a genome, if there was one."""
        edits = [edit for edit in genome.edits if GENES in edit.targets]
        made = [at for at, edit in enumerate(edits) if "genes" in edit.args]
        if not made:
            return None
        genes = PruningGenes.from_json(edits[made[-1]].args["genes"])
        gone = {name: kept.width - kept.keep for name, kept in genes.kept.items()}
        for compact in edits[made[-1] + 1 :]:
            gone = compact.args["removed"]
        return cls(
            schedule=genes.schedule,
            kept={
                name: Kept(kept.width - gone.get(name, 0), kept.width)
                for name, kept in genes.kept.items()
            },
            removed=_total(gone, genome),
            size=_total({name: kept.width for name, kept in genes.kept.items()}, genome),
        )

    @property
    def text(self) -> str:
        """The pruning in a few words: `ghfp (l2), 48 of 96 channels`."""
        how = f"{method(self.schedule)} ({self.schedule.criterion})"
        return f"{how}, {self.removed:,} of {self.size:,} {unit(self.schedule)}"


def method(schedule: Schedule) -> str:
    """Return the published method that a schedule is, or started as; `own` if there is none."""
    return schedule.preset or "own"


def unit(schedule: Schedule) -> str:
    """Return what a schedule prunes, as one counts it."""
    return "channels" if schedule.granularity == "filter" else "weights"


def told(edit: Edit, genome: Genome) -> str:
    """Return an edit of pruning as a reader understands it.

    Args:
        edit: With the target `GENES`.
        genome: One that has it on its record.
    """
    if "genes" not in edit.args:
        return f"{edit.operator}: -{_total(edit.args['removed'], genome):,} channels"
    genes = PruningGenes.from_json(edit.args["genes"])
    keep, size = (
        _total({name: kept[at] for name, kept in genes.kept.items()}, genome) for at in (0, 1)
    )
    what = f"keeps {keep:,} of {size:,} {unit(genes.schedule)}"
    return f"{edit.operator} ({method(genes.schedule)}): {what}"


def _total(counts: Mapping[str, int], genome: Genome) -> int:
    return sum(count * _copies(name, genome) for name, count in counts.items())


def _copies(name: str, genome: Genome) -> int:
    """Return in how many blocks a group is."""
    graph, _, layer = name.partition("/")
    return len(genome.architecture[graph].mirrors) if layer.startswith("*.") else 1
