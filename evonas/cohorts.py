"""The cohorts of one search: the seed's, what they may become, and what a training is lent."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from torch import nn

from evonas import plugins
from evonas.cohort_networks import Start, cohort_plan
from evonas.cohort_preset import Available
from evonas.cohort_table import CohortTable
from evonas.errors import ConfigError, EditError
from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import NETWORK, with_members
from evonas.genome.nested import depths
from evonas.morph.cohort.check import check
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.scaled import scaled
from evonas.networks import Signature, Signatures
from evonas.space import SearchSpace
from evonas.state import State
from evonas.teachers import Kept, kept_teachers
from evonas.trainer import Context, Trainer


@final
@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """The cohorts of one search.

    Attributes:
        table: What the run asks of them.
        space: Of the search.
        signature: Of its one network.
        teachers: By node, as the run's folder keeps them.
        folder: Of the run.
    """

    table: CohortTable
    space: SearchSpace
    signature: Signature
    teachers: Kept
    folder: Path

    @classmethod
    def of(
        cls, table: CohortTable, space: SearchSpace, signatures: Signatures, folder: Path
    ) -> "Cohorts":
        """Return the cohorts of a run, whose folder has its teachers.

        Raises:
            ConfigError: if its candidates are not of one network.
        """
        if set(signatures) != {NETWORK}:
            raise ConfigError(
                f"a cohort needs candidates of one network, named {NETWORK!r}; the trainer asks"
                f" for {', '.join(sorted(signatures)) or 'none'}; leave out [cohort]"
            )
        return cls(
            table=table,
            space=space,
            signature=signatures[NETWORK],
            teachers=kept_teachers(folder),
            folder=folder,
        )

    def seed(self, genome: Genome) -> Genome:
        """Return the seed genome with the preset's cohort and its members.

        Raises:
            ConfigError: if the preset does not do for this network, or these teachers.
        """
        graph = genome.architecture[NETWORK]
        taps = {name: one.taps(self.space, self.signature) for name, one in self.teachers.items()}
        available = Available(taps=self.space.taps(genome), depths=depths(graph), teachers=taps)
        cohort = self.table.preset.cohort(available)
        wide = {name: node.width for name, node in cohort.nodes.items() if node.kind == "member"}
        try:
            graphs = {name: scaled(graph, width) for name, width in wide.items()}
        except EditError as error:
            raise ConfigError(f"the members of preset {cohort.preset!r}: {error}") from None
        return with_members(cohort.put_into(genome), graphs)

    def options(self, cohort: Cohort, trainer: Trainer) -> CohortOptions:
        """Return what cohorts may become that start as this one.

        Raises:
            ConfigError: if it names a plug-in that is not known.
        """
        known = CohortOptions(
            teachers={
                name: one.taps(self.space, self.signature) for name, one in self.teachers.items()
            },
            sizes={name: one.parameters for name, one in self.teachers.items()},
            taps=self.space.taps,
            batch_size=plugins.setting(trainer, "batch_size"),
        )
        options = self.table.options(known, cohort)
        return options if trainer.has_labels else options.without_labels()

    def refusal(self, genome: Genome, trainer: Trainer) -> str:
        """Say why a candidate's cohort cannot be trained, or nothing."""
        cohort = Cohort.of(genome)
        assert cohort is not None, "all candidates of a search with cohorts have one"
        try:
            check(genome, self.options(cohort, trainer))
        except EditError as error:
            return str(error)
        return ""

    def lent(self, context: Context, genome: Genome, trainer: Trainer, model: nn.Module) -> Context:
        """Return the context of a training with the candidate's cohort, which is not refused.

        Args:
            context: Of the training; what is inherited is already loaded into the model.
            genome: What is trained.
            trainer: Trains it.
            model: It, on the device.
        """
        cohort = Cohort.of(genome)
        assert cohort is not None, "all candidates of a search with cohorts have one"
        start = Start(
            model=model,
            state=context.inherited or State({}),
            teachers={
                name: self.teachers[name].module(self.folder)
                for name, node in cohort.nodes.items()
                if node.kind == "teacher"
            },
            seed=context.seed,
        )
        options, signatures = self.options(cohort, trainer), {NETWORK: self.signature}
        return replace(context, cohort=cohort_plan(genome, cohort, options, signatures, start))
