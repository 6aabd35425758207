"""Pruning genes by hand: a mutation that halves every group, and searches that use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from evonas import seeds
from evonas.genome import Edit, Genome
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.genome.schedule import Granularity, Residual, Schedule
from evonas.morph.keep import Prunable
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class Halve(Mutation):
    """Keep half of every group of channels."""

    operator: ClassVar[str] = "halve"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "none"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        schedule = Schedule(interval=1 + int(rng.integers(4)))
        sizes = Prunable.of(genome, schedule.residual).sizes
        kept = {name: Kept(max(1, size // 2), size) for name, size in sizes.items()}
        return edit_of(genome, PruningGenes(schedule=schedule, kept=kept), "halve")

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        return PruningGenes.from_json(edit.args["genes"]).put_into(genome).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        return state


def edit_of(genome: Genome, genes: PruningGenes, operator: str = "halve") -> Edit:
    """Return the edit that puts genes in."""
    return genome.edit(operator, GENES, genes=genes.to_json())


def with_genes(genome: Genome, genes: PruningGenes) -> Genome:
    """Return the genome after an edit that puts genes in."""
    return Halve().apply(genome, edit_of(genome, genes))


def drawn_genes(genome: Genome, residual: Residual, rng: Rng) -> PruningGenes:
    """Return genes that keep a drawn number of channels of every group."""
    sizes = Prunable.of(genome, residual).sizes
    kept = {name: Kept(int(rng.integers(1, size + 1)), size) for name, size in sizes.items()}
    return PruningGenes(schedule=Schedule(residual=residual), kept=kept)


def genes_for(granularity: Granularity, **kept: tuple[int, int]) -> PruningGenes:
    """Return genes with these counts."""
    counts = {name: Kept(*pair) for name, pair in kept.items()}
    return PruningGenes(schedule=Schedule(granularity=granularity), kept=counts)


def pictures(folder: Path) -> str:
    """Write a file of 150 noisy pictures of three classes, and return its name."""
    rng = seeds.stream(0, "pictures")
    y = np.arange(150) % 3
    x = rng.normal(0, 0.5, (150, 8, 8))
    for sample, label in zip(x, y, strict=True):
        sample[2 * label : 2 * label + 2] += 2
    np.savez(folder / "pictures.npz", x=x, y=y)
    return str(folder / "pictures.npz")


def table(data: str) -> Mapping[str, Any]:
    """Return the run file of a small search that halves and widens."""
    return {
        "name": "halving",
        "births": 8,
        "lookahead": 3,
        "durability": "flush",
        "objectives": {"error": "min", "macs": "min"},
        "space": {
            "name": "eena",
            "stem": 4,
            "width": 6,
            "last": 8,
            "blocks": 2,
            "operators": ["support.gene_edits:Halve", "widen"],
        },
        "trainer": {"name": "supervised", "data": data, "epochs": 2, "batch_size": 32},
        "controller": {"name": "aging", "population": 4},
        "executor": "serial",
        "tracker": "none",
    }
