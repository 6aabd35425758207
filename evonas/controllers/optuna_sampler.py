"""Any sampler of Optuna whose memory is its trials, on the space's knobs and the settings genes.

The study is a view of the history. What a sampler says about a trial (the vector, its generation)
travels in the birth's notes, so that nothing but the history is needed to ask again.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseGASampler, BaseSampler

from evonas import seeds
from evonas.controllers.controller import Controller, Question
from evonas.controllers.optuna_view import Answer, Trials, finished_trial
from evonas.controllers.population import check_positive
from evonas.errors import ConfigError, unknown
from evonas.genome import Birth, Genome
from evonas.genome.settings import draw
from evonas.history import Evaluation, History, Individual, Objective
from evonas.morph.settings import SETTINGS, Settings, settings_edit
from evonas.seeds import Rng

SAMPLED = "optuna"
SAMPLERS = (
    "BruteForceSampler",
    "GPSampler",
    "NSGAIIISampler",
    "NSGAIISampler",
    "RandomSampler",
    "TPESampler",
)
"""The others need more than trials: a pickled optimizer, a counter, a grid."""


@final
@dataclass(frozen=True, kw_only=True)
class OptunaSampler(Controller):
    """Ask an Optuna sampler for a vector of knobs and genes; children inherit from the seed.

    Attributes:
        sampler: One of `SAMPLERS`.
        options: Its keyword arguments, all but the seed.
        memory: How many of the latest trials it sees, as TPE's time grows with them; a genetic
            sampler sees all, as it may need any as a parent.
    """

    source: ClassVar[str] = (
        "Optuna: A Next-generation Hyperparameter Optimization Framework, Akiba et al., 2019, "
        "https://arxiv.org/abs/1907.10902"
    )
    mutates: ClassVar[bool] = False

    sampler: str = "TPESampler"
    options: Mapping[str, Any] = field(default_factory=dict)
    memory: int = 2000

    def __post_init__(self) -> None:
        check_positive(memory=self.memory)
        if self.sampler not in SAMPLERS:
            raise unknown("sampler", self.sampler, SAMPLERS)
        _ = self._sampler(0)

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return the genome of the vector that the sampler proposes."""
        seed = history[0]
        genes = _genes(question)
        knobs = {**question.space.knobs(seed.birth.genome), **genes}
        if not knobs:
            raise ConfigError(
                f"space {type(question.space).__name__!r} has no knobs for a sampler and there are "
                "no [genes]; choose another controller"
            )
        sampler = self._sampler(int(rng.integers(2**32)))
        step = _Recall(tuple(knobs.items()), tuple(question.objectives))
        trials = history.fold(step, Trials(), step)
        if not isinstance(sampler, BaseGASampler):
            trials = Trials(trials.finished[-self.memory :], trials.study_attrs)
        open_knobs = {name: knob for name, knob in knobs.items() if not knob.single()}
        answer = trials.ask(sampler, open_knobs, number, len(question.objectives))
        fixed = {name: draw(knob, rng) for name, knob in knobs.items() if knob.single()}
        genome = _decoded(question, seed.birth.genome, {**answer.values, **fixed}, genes)
        return _birth(genome, seed, number, question, _notes(answer, open_knobs))

    def _sampler(self, seed: int) -> BaseSampler:
        sampler: type[BaseSampler] = getattr(optuna.samplers, self.sampler)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return sampler(**{**self.options, "seed": seed})
        except (TypeError, ValueError) as error:
            raise ConfigError(f"options of {self.sampler}: {error}".rstrip(".")) from None


@final
@dataclass(frozen=True)
class _Recall:
    """Reads an individual's notes back as a finished trial. It is its own fold step."""

    knobs: tuple[tuple[str, BaseDistribution], ...]
    objectives: tuple[Objective, ...]

    def __call__(self, trials: Trials, individual: Individual) -> Trials:
        notes: Mapping[str, Any] | None = individual.birth.notes.get(SAMPLED)
        if notes is None:
            return trials
        knobs = {name: knob for name, knob in self.knobs if name in notes["values"]}
        values = {
            name: knob.to_external_repr(notes["values"][name]) for name, knob in knobs.items()
        }
        outcome = individual.outcome
        losses = (
            [objective.loss(outcome) for objective in self.objectives]
            if isinstance(outcome, Evaluation)
            else None
        )
        trial = finished_trial(individual.number, knobs, values, losses, notes["attrs"])
        return trials.plus(trial, notes["study"])


def _genes(question: Question) -> dict[str, BaseDistribution]:
    """Return the settings genes, named as edits target them."""
    settings = question.mutations.get(SETTINGS)
    genes = settings.genes if isinstance(settings, Settings) else {}
    return {f"{SETTINGS}/{path}": gene for path, gene in genes.items()}


def _decoded(
    question: Question, seed: Genome, values: Mapping[str, Any], genes: Mapping[str, object]
) -> Genome:
    """Return the seed edited to have these values; what it has already needs no edit."""
    knobs = {name: value for name, value in values.items() if name not in genes}
    genome = question.space.decode(seed, knobs) if knobs else seed
    for name in genes:
        path = name.removeprefix(f"{SETTINGS}/")
        if path not in genome.settings or genome.settings[path] != values[name]:
            edit = settings_edit(genome, path, values[name])
            genome = question.mutations[SETTINGS].apply(genome, edit)
    return genome


def _notes(answer: Answer, knobs: Mapping[str, BaseDistribution]) -> Mapping[str, Any]:
    """Return what must be found again; values in Optuna's own numbers, which JSON keeps."""
    values = {
        name: float(knobs[name].to_internal_repr(value)) for name, value in answer.values.items()
    }
    attrs, study = dict(answer.attrs), dict(answer.study_attrs)
    return {SAMPLED: {"values": values, "attrs": attrs, "study": study}}


def _birth(
    genome: Genome, seed: Individual, number: int, question: Question, notes: Mapping[str, Any]
) -> Birth:
    """Return the seed's child, or one from scratch where the seed could not be trained."""
    inherits = isinstance(seed.outcome, Evaluation)
    address = seed.number if inherits else number
    training = seeds.integer(question.seed, "train", address)
    return Birth(genome, SAMPLED, (seed.number,) if inherits else (), training, notes)
