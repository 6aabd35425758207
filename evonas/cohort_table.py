"""The run file's table `[cohort]`: with whom candidates learn, and how that may vary."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from evonas import plugins
from evonas.aggregation import Aggregation
from evonas.cohort_plan import PARTS_OF_NO_NODE
from evonas.cohort_preset import CohortPreset
from evonas.errors import ConfigError, unknown
from evonas.genome.cohort import CANDIDATE, Cohort, Spec
from evonas.morph.cohort.learning import TASK
from evonas.morph.cohort.operators import mutations_for
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.sampling import Sampler
from evonas.transfer import Transfer

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@final
@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A frozen network: one that is there already, or a wider copy of the seed network.

    Attributes:
        network: What returns it, as `module:callable`.
        arguments: What to call that with.
        weights: A safetensors file with its tensors, if it does not come with its weights.
        width: So many times wider than the seed network; it is trained once, before the search.
        settings: The trainer's fields that differ in that training, by dotted path; by default
            those of `[retrain]`.
    """

    network: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""
    width: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.network) == bool(self.width):
            raise ConfigError('give network = "module:callable", or width = 2.0, and not both')
        if self.width < 0:
            raise ConfigError(f"width is {self.width!r}, should be greater than 0")
        if self.network and self.settings:
            raise ConfigError("settings are of a training; leave them out where network is given")
        if self.width and (self.arguments or self.weights):
            raise ConfigError("arguments and weights are those of a network; give network")


@final
@dataclass(frozen=True, kw_only=True)
class CohortTable:
    """What a run asks of its cohorts. The attributes are the table's keys.

    Attributes:
        preset: The method that the seed starts with, as a name or a table of `name` and fields.
        operators: Which mutations of cohorts there are; all by default, and with an empty list the
            cohort stays as it is.
        max_nodes: See `evonas.morph.cohort.options.CohortOptions`, as for the next.
        max_edges: See there; a preset with more has room for those it starts with.
        samplers: What stages may draw samples by; all that are installed, by default.
        teachers: By the name of the node; by default as many as the preset needs, each twice as
            wide as the seed network.
    """

    preset: CohortPreset
    operators: tuple[str, ...] | None = None
    max_nodes: int = CohortOptions.max_nodes
    max_edges: int = CohortOptions.max_edges
    samplers: tuple[str | Spec, ...] = ()
    teachers: Mapping[str, Teacher] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.teachers:
            if not _NAME.fullmatch(name) or name in {CANDIDATE, *PARTS_OF_NO_NODE}:
                raise ConfigError(
                    f"a teacher is called {name!r}; take a name of letters, digits and _, other"
                    f" than {', '.join(sorted({CANDIDATE, *PARTS_OF_NO_NODE}))}"
                )
        if len(self.needed_teachers) < self.preset.teachers:
            raise ConfigError(
                f"the preset needs {self.preset.teachers} teachers, given"
                f" {', '.join(sorted(self.teachers))}; name more in [cohort.teachers.NAME]"
            )
        _ = self.mutations(self.options(CohortOptions(), Cohort()))

    @property
    def is_fixed(self) -> bool:
        """Whether cohorts stay as the preset makes them."""
        return self.operators == ()

    @property
    def needed_teachers(self) -> Mapping[str, Teacher]:
        """The teachers by name, those that are there by default included."""
        if self.teachers:
            return self.teachers
        count = self.preset.teachers
        names = ["teacher"] if count == 1 else [f"teacher{one}" for one in range(1, count + 1)]
        return {name: Teacher(width=2.0) for name in names}

    def options(self, known: CohortOptions, start: Cohort) -> CohortOptions:
        """Return what cohorts may become.

        Args:
            known: What the search's networks and data say of it.
            start: The seed's cohort; what it names as `module:Class` may be used, too.

        Raises:
            ConfigError: if a plug-in is not known.
        """
        installed = self._installed
        losses = {edge.loss["name"] for edge in start.edges} - {TASK} - installed.losses.keys()
        rules = {one.rule["name"] for one in start.aggregators.values()}
        rules -= installed.aggregators.keys()
        samplers = {stage.sampler["name"] for stage in start.stages}
        return replace(
            known,
            losses={**installed.losses, **_kinds(Transfer, losses)},
            aggregators={**installed.aggregators, **_kinds(Aggregation, rules)},
            samplers=installed.samplers,
            scorers=installed.scorers | _scorers(name for name in samplers if ":" in name),
            max_nodes=self.max_nodes,
            max_edges=max(self.max_edges, len(start.edges)),
        )

    def mutations(self, options: CohortOptions) -> Mapping[str, Mutation]:
        """Return the mutations of cohorts that there are.

        Raises:
            ConfigError: if `operators` names one that there is not.
        """
        known = mutations_for(options)
        chosen = tuple(known) if self.operators is None else self.operators
        for name in chosen:
            if name not in known:
                raise unknown("cohort operator", name, known)
        return {name: known[name] for name in chosen}

    @cached_property
    def _installed(self) -> CohortOptions:
        """What is installed and may be used; found once, and sent to workers with the table."""
        every = sorted(plugins.names(Sampler))
        drawn = [{"name": one} if isinstance(one, str) else one for one in self.samplers or every]
        named = {str(spec.get("name", "")) for spec in drawn}
        return CohortOptions(
            losses=_kinds(Transfer, plugins.names(Transfer)),
            aggregators=_kinds(Aggregation, plugins.names(Aggregation)),
            samplers=tuple(drawn),
            scorers=_scorers({*every, *named}),
        )


def _kinds(contract: type[Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what plug-ins need, by name.

    Raises:
        ConfigError: if there is none of a name.
    """
    return {name: plugins.load(contract, name).kind for name in sorted(names)}


def _scorers(names: Iterable[str]) -> frozenset[str]:
    """Return those samplers that want a scorer.

    Raises:
        ConfigError: if there is none of a name.
    """
    return frozenset(name for name in names if plugins.load(Sampler, name).scores)
