"""Genomes that have failed, which have no third try."""

from collections.abc import Sequence

import pytest

from evonas.controllers.failed import failures_of
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Failure, History, Individual, Outcome

ONE, OTHER = (Genome(chromosomes={"bits": [bit]}) for bit in range(2))
GOOD = Evaluation({"error": 0.1})
DIVERGED, LOST = Failure("diverged", "loss is nan"), Failure("lost", "worker died")
TOO_LARGE = Failure("infeasible", "too large")


def history(outcomes: Sequence[tuple[Genome, Outcome]]) -> History:
    return History(
        [
            Individual(number, Birth(genome, "none", (), 0), outcome)
            for number, (genome, outcome) in enumerate(outcomes)
        ]
    )


@pytest.mark.parametrize(
    ("outcomes", "failed"),
    [
        ([], []),
        ([(ONE, DIVERGED)], []),
        ([(ONE, DIVERGED), (OTHER, LOST)], []),
        ([(ONE, TOO_LARGE), (ONE, TOO_LARGE), (ONE, LOST)], []),
        ([(ONE, DIVERGED), (OTHER, GOOD), (ONE, LOST)], [0, 2]),
        ([(ONE, GOOD), (ONE, DIVERGED), (ONE, GOOD), (ONE, LOST), (ONE, LOST)], [1, 3, 4]),
    ],
)
def test_a_genome_is_known_to_fail_from_its_second_failed_training_on(
    outcomes: list[tuple[Genome, Outcome]], failed: list[int]
) -> None:
    assert [one.number for one, _ in failures_of(history(outcomes), ONE)] == failed


def test_a_history_that_was_cut_knows_of_no_later_failure() -> None:
    whole = history([(ONE, DIVERGED), (ONE, LOST)])
    assert len(failures_of(whole, ONE)) == 2
    assert not failures_of(whole.until(1), ONE)
