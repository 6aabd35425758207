"""Who is alive: the population as a fold against a plain simulation."""

import math

import pytest
from controllers.onemax import ERROR, SIZE, fresh, question, search

from evonas import seeds
from evonas.controllers.eena import Eena
from evonas.controllers.population import Population
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Failure, History, Individual, Objective, Outcome
from evonas.selection import fittest_first

SIZE_OF_POPULATION = 6


def history_of(*outcomes: Outcome, operator: str = "raise") -> History:
    return History(
        [
            Individual(number, Birth(Genome(), operator, (), 0), outcome)
            for number, outcome in enumerate(outcomes)
        ]
    )


def random_history(num_births: int) -> History:
    rng = seeds.stream(0, "outcomes")
    return history_of(
        *(Evaluation({"error": error, "size": -error}) for error in rng.random(num_births).tolist())
    )


def numbers(population: Population, history: History) -> list[int]:
    return [member.number for member in population.members(history)]


def slow_members(history: History, objectives: tuple[Objective, ...], worst: float) -> list[int]:
    """Return who is alive by following every birth from the first."""
    alive: list[tuple[int, list[float]]] = []
    for one in history:
        if isinstance(one.outcome, Evaluation):
            outcome = one.outcome
            alive.append((one.number, [objective.loss(outcome) for objective in objectives]))
        if len(alive) > SIZE_OF_POPULATION:
            is_worst = seeds.integer(3, "leave", one.number) / 2**63 < worst
            alive.pop(fittest_first([losses for _, losses in alive])[-1] if is_worst else 0)
    return [number for number, _ in alive]


@pytest.mark.parametrize("objectives", [(ERROR,), (ERROR, SIZE)])
@pytest.mark.parametrize("worst_leaves", [0.0, 0.5, 1.0])
def test_the_fold_is_the_simulation_at_any_prefix_in_any_order(
    objectives: tuple[Objective, ...], worst_leaves: float
) -> None:
    history = search(
        Eena(population=SIZE_OF_POPULATION), 60, question(), fails=lambda number: number % 5 == 4
    )
    population = Population(SIZE_OF_POPULATION, worst_leaves, objectives, 3)
    for length in (60, 1, 31, 30, 7, 59):
        expected = slow_members(fresh(history).until(length), objectives, worst_leaves)
        assert numbers(population, history.until(length)) == expected


def test_with_lambda_one_the_best_stay() -> None:
    history = random_history(100)
    errors = {one.number: evaluation.metrics["error"] for one, evaluation in history.evaluated()}
    survivors = sorted(sorted(errors, key=errors.__getitem__)[:SIZE_OF_POPULATION])
    assert numbers(Population(SIZE_OF_POPULATION, 1.0, (ERROR,), 0), history) == survivors


def test_with_lambda_zero_the_youngest_stay() -> None:
    population = Population(SIZE_OF_POPULATION, 0.0, (ERROR,), 0)
    assert numbers(population, random_history(100)) == list(range(94, 100))


def test_with_lambda_a_half_the_worst_leaves_half_the_time() -> None:
    history = random_history(2000)
    population = Population(SIZE_OF_POPULATION, 0.5, (ERROR,), 0)
    num_oldest = num_worst = 0
    for number in range(SIZE_OF_POPULATION, len(history)):
        before = population.members(history.until(number))
        after = numbers(population, history.until(number + 1))
        newborn = history[number].outcome
        assert isinstance(newborn, Evaluation)
        candidates = [*((one.losses[0], one.number) for one in before)]
        worst = max([*candidates, (newborn.metrics["error"], number)])[1]
        if worst != before[0].number:
            num_oldest += before[0].number not in after
            num_worst += worst not in after
    assert num_worst / (num_worst + num_oldest) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "outsider",
    [
        Failure("diverged", "loss is nan"),
        Evaluation({"error": math.nan}),
        Evaluation({"error": 0.1}, same_as=0),
    ],
)
def test_outsiders_do_not_join(outsider: Outcome) -> None:
    history = history_of(Evaluation({"error": 0.5}), outsider)
    assert numbers(Population(5, 0.5, (ERROR,), 0), history) == [0]


def test_last_trainings_do_not_join() -> None:
    history = history_of(Evaluation({"error": 0.5}), operator="final")
    assert numbers(Population(5, 0.5, (ERROR,), 0), history) == []


def test_the_fittest_come_first() -> None:
    history = history_of(*(Evaluation({"error": error}) for error in (0.3, 0.1, 0.2)))
    ranked = Population(5, 0.5, (ERROR,), 0).ranked(history)
    assert [one.number for one in ranked] == [1, 2, 0]
