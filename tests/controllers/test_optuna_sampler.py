"""Optuna's samplers on knobs and genes."""

from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from controllers.onemax import ERROR, OneMax, bits, question, search
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from evonas import seeds
from evonas.controllers.controller import Question
from evonas.controllers.optuna_sampler import SAMPLERS, OptunaSampler
from evonas.errors import ConfigError
from evonas.genome import Birth, Genome
from evonas.genome.settings import holds
from evonas.history import Evaluation, History, Individual
from evonas.morph.settings import Settings

GENES: Mapping[str, BaseDistribution] = {
    "optimizer.lr": FloatDistribution(1e-3, 0.3, log=True),
    "epochs": IntDistribution(2, 2),
    "optimizer.name": CategoricalDistribution(["sgd", "adam"]),
}
SEED = Genome(chromosomes={"bits": [0] * 4}, settings={"optimizer.lr": 0.1, "epochs": 2})


def with_genes(*, has_knobs: bool) -> Question:
    space = OneMax(width=4, has_knobs=has_knobs)
    return Question(space, {**space.mutations(), "settings": Settings(GENES)}, [ERROR], 0)


def start() -> History:
    birth = Birth(SEED, "seed", (), 0)
    return History([Individual(0, birth, Evaluation({"error": 1.0}))])


def propose(controller: OptunaSampler, history: History, asked: Question) -> Birth:
    rng = seeds.stream(0, "propose", len(history))
    return controller.propose(history, asked, len(history), rng)


@pytest.mark.parametrize("sampler", ["BruteForceSampler", "NSGAIIISampler", "RandomSampler"])
def test_samplers_propose_bits_that_the_genome_has(sampler: str) -> None:
    history = search(OptunaSampler(sampler=sampler), 30, question(space=OneMax(width=5)))
    for one in list(history)[1:]:
        values = one.birth.notes["optuna"]["values"]
        assert list(bits(one.birth.genome)) == [int(values[f"bit{n}"]) for n in range(5)]
        assert one.birth.parents == (0,)


@pytest.mark.slow
def test_a_gaussian_process_proposes_too() -> None:
    history = search(OptunaSampler(sampler="GPSampler"), 14, question(space=OneMax(width=3)))
    assert history[13].birth.operator == "optuna"


@pytest.mark.parametrize("has_knobs", [True, False])
def test_genes_are_sampled_and_recorded_as_edits(has_knobs: bool) -> None:
    asked = with_genes(has_knobs=has_knobs)
    birth = propose(OptunaSampler(), start(), asked)
    settings = birth.genome.settings
    assert all(holds(gene, settings[path]) for path, gene in GENES.items())
    replayed = SEED
    for edit in birth.genome.edits:
        replayed = asked.mutations[edit.operator].apply(replayed, edit)
    assert replayed == birth.genome
    edited = {target for edit in birth.genome.edits for target in edit.targets}
    assert "settings/epochs" not in edited


def test_the_sampler_sees_the_values_and_losses_of_the_history() -> None:
    """TPE, shown that small learning rates lose, asks for large ones."""
    asked = with_genes(has_knobs=False)
    history, controller = start(), OptunaSampler(options={"n_startup_trials": 20})
    proposed: list[float] = []
    for number in range(1, 60):
        birth = propose(controller, history, asked)
        proposed.append(birth.genome.settings["optimizer.lr"])
        error = abs(0.25 - proposed[-1])
        history.append(Individual(number, birth, Evaluation({"error": error})))
    assert sum(lr > 0.1 for lr in proposed[:20]) < 10
    assert sum(lr > 0.1 for lr in proposed[-20:]) > 15


def test_nsga2_goes_through_generations_as_in_a_study_of_optuna() -> None:
    controller = OptunaSampler(sampler="NSGAIISampler", options={"population_size": 6})
    history = search(controller, 31, question(space=OneMax(width=6)))
    key = "NSGAIISampler:generation"
    found = [one.birth.notes["optuna"]["attrs"][key] for one in list(history)[1:]]
    assert found == [number // 6 for number in range(30)]
    selections = [bool(one.birth.notes["optuna"]["study"]) for one in list(history)[1:]]
    assert selections == [number >= 6 and number % 6 == 0 for number in range(30)]


def test_the_same_history_and_generator_give_the_same_vector_as_optuna_itself() -> None:
    """A study told the same trials and asked by an equal sampler answers the same."""
    knobs = OneMax(width=6).knobs(Genome(chromosomes={"bits": [0] * 6}))
    asked = question(space=OneMax(width=6))
    history = search(OptunaSampler(), 30, asked)
    rng = seeds.stream(1, "propose")
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**32)))
    study = optuna.create_study(sampler=sampler)
    for one in list(history)[1:]:
        outcome, values = one.outcome, one.birth.notes["optuna"]["values"]
        assert isinstance(outcome, Evaluation)
        params: dict[str, Any] = {name: int(value) for name, value in values.items()}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=dict(knobs), value=outcome.metrics["error"]
            )
        )
    expected = study.ask(dict(knobs)).params
    birth = OptunaSampler().propose(history, asked, 30, seeds.stream(1, "propose"))
    found = birth.notes["optuna"]["values"]
    assert {name: int(value) for name, value in found.items()} == expected


def test_only_the_latest_trials_are_shown() -> None:
    asked = question(space=OneMax(width=6))
    history = search(OptunaSampler(), 40, asked)
    short = History(
        [history[0]]
        + [
            Individual(number, one.birth, one.outcome)
            for number, one in enumerate(list(history)[25:], start=25)
        ]
    )
    controller = OptunaSampler(memory=15)
    rngs = [seeds.stream(2, "propose") for _ in range(2)]
    found = [
        controller.propose(known, asked, 40, rng).genome
        for known, rng in zip([history, short], rngs, strict=True)
    ]
    assert found[0] == found[1]


def test_a_space_without_knobs_or_genes_is_refused() -> None:
    asked = question(space=OneMax(has_knobs=False))
    with pytest.raises(ConfigError, match="no knobs"):
        propose(OptunaSampler(), start(), asked)


@pytest.mark.parametrize("name", ["TPE", "CmaEsSampler", "QMCSampler", "optuna"])
def test_other_samplers_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown sampler") as caught:
        OptunaSampler(sampler=name)
    assert all(known in str(caught.value) for known in SAMPLERS)


@pytest.mark.parametrize("options", [{"population": 3}, {"population_size": 0}])
def test_options_that_the_sampler_refuses_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="options of NSGAIISampler"):
        OptunaSampler(sampler="NSGAIISampler", options=options)
