"""The mutation of settings: a field of the trainer takes another value; the weights stay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from optuna.distributions import BaseDistribution

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.settings import draw, jitter
from evonas.morph.mutation import Mutation
from evonas.morph.naming import split_target
from evonas.seeds import Rng
from evonas.state import State

SETTINGS = "settings"
RESAMPLED = 0.1
"""Share of mutations that draw a value anew instead of moving it a little."""


@final
@dataclass(frozen=True)
class Settings(Mutation):
    """Give one gene another value, mostly a near one.

    Replaying edits needs no genes, so `Settings()` applies the edits of any search.

    Attributes:
        genes: What may change, by the dotted path of the trainer's field.
    """

    operator: ClassVar[str] = SETTINGS
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "the explore step of Population Based Training of Neural Networks, Jaderberg et al., 2017, "
        "https://arxiv.org/abs/1711.09846, on the scale of the gene"
    )

    genes: Mapping[str, BaseDistribution] = field(default_factory=dict)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a gene and its new value."""
        paths = sorted(path for path, gene in self.genes.items() if not gene.single())
        if not paths:
            return None
        path = paths[int(rng.integers(len(paths)))]
        gene = self.genes[path]
        if path not in genome.settings or rng.random() < RESAMPLED:
            return settings_edit(genome, path, draw(gene, rng))
        return settings_edit(genome, path, jitter(gene, genome.settings[path], rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the value in."""
        chromosome, path = split_target(edit.targets[0])
        if chromosome != SETTINGS or not path or "value" not in edit.args:
            raise EditError(f"{edit.targets[0]!r} is no setting with a value")
        return genome.with_settings({path: edit.args["value"]}).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is."""
        del before, after, edit, rng
        return state


def settings_edit(genome: Genome, path: str, value: object) -> Edit:
    """Return the edit of `genome` that gives the gene at `path` this value."""
    return genome.edit(SETTINGS, f"{SETTINGS}/{path}", value=value)
