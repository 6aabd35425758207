"""What has been tried."""

import pytest
from hypothesis import given, strategies as st

from evonas.controllers.tried import Keys, tried
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Failure, History, Individual, Outcome

GENOME = Genome(chromosomes={"bits": [1]})


@given(st.lists(st.integers(0, 40).map(str)))
def test_keys_are_a_set(words: list[str]) -> None:
    keys = Keys()
    for word in words:
        keys = keys if word in keys else keys.plus(word)
    assert {word for word in map(str, range(41)) if word in keys} == set(words)


def test_a_set_of_many_keys_has_few_blocks_and_growing_it_leaves_it_as_it_was() -> None:
    keys = Keys()
    for number in range(1000):
        keys = keys.plus(str(number))
    assert len(keys.blocks) <= 10
    _ = keys.plus("more")
    assert "more" not in keys


@pytest.mark.parametrize(
    ("outcomes", "is_done"),
    [
        ([Evaluation({"error": 0.1})], True),
        ([Failure("lost", "worker died")], False),
        ([Failure("lost", "worker died"), Failure("diverged", "loss is nan")], True),
        ([Failure("infeasible", "too large")], True),
    ],
)
def test_a_genome_is_done_once_evaluated_or_after_two_failures(
    outcomes: list[Outcome], is_done: bool
) -> None:
    history = History(
        [
            Individual(number, Birth(GENOME, "raise", (), 0), outcome)
            for number, outcome in enumerate(outcomes)
        ]
    )
    assert (GENOME.key in tried(history)) == is_done
