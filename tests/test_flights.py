"""Second tries: what is recorded does not depend on machines that die."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from support.scripted_pool import ScriptedPool, scripted_job

from evonas.errors import StoreError
from evonas.flights import Flights
from evonas.history import Cost, Evaluation, Failure, Outcome

GOOD = Evaluation({"error": 0.5}, Cost(samples=8, macs=24.0, seconds=1.0))
LARGE = Failure("memory", "took 600 MB of memory where 500 MB are allowed", cost=Cost(seconds=4.0))
LOST = Failure("lost", "the worker was killed by SIGKILL", cost=Cost(seconds=2.0))


def flown(
    outcomes: Mapping[int, Sequence[Outcome]],
    seeds: Sequence[int] = (0,),
    indivisible: str = "",
) -> tuple[dict[int, Outcome], ScriptedPool, list[str]]:
    """Return what becomes of a candidate of each seed, the pool, and what was told."""
    told: list[str] = []
    pool = ScriptedPool(outcomes)
    flights = Flights(pool, {}, indivisible=indivisible, told=told.append)
    for number, seed in enumerate(seeds):
        flights.start(scripted_job(number, seed=seed))
    found: dict[int, Outcome] = {}
    while flights:
        number, outcome = flights.next_finished()
        assert number not in found
        found[number] = outcome
    return found, pool, told


def test_a_lost_candidate_is_evaluated_once_more_and_the_seconds_of_both_tries_count() -> None:
    found, pool, told = flown({0: [LOST, GOOD]})
    assert found == {0: Evaluation(GOOD.metrics, Cost(samples=8, macs=24.0, seconds=3.0))}
    assert [job.number for job in pool.jobs] == [0, 0]
    assert len(told) == 1
    assert "SIGKILL" in told[0]


def test_a_candidate_lost_twice_is_recorded_as_lost() -> None:
    found, pool, _ = flown({0: [LOST, LOST]})
    assert found == {0: Failure("lost", f"{LOST.message} (twice)", cost=Cost(seconds=4.0))}
    assert len(pool.jobs) == 2


def test_a_candidate_out_of_memory_is_trained_once_more_in_two_parts() -> None:
    halved = replace(GOOD, parts=2)
    found, pool, told = flown({0: [LARGE, halved]})
    assert found == {0: replace(halved, cost=Cost(samples=8, macs=24.0, seconds=5.0))}
    assert [job.parts for job in pool.jobs] == [1, 2]
    assert told == [f"candidate 0 (memory): {LARGE.message}; it is trained once more in 2 parts"]


def test_what_two_parts_cannot_mend_says_that_they_were_tried() -> None:
    found, pool, _ = flown({0: [LARGE, LARGE]})
    message = f"{LARGE.message} (in 2 parts)"
    assert found == {0: Failure("memory", message, cost=Cost(seconds=8.0))}
    assert [job.parts for job in pool.jobs] == [1, 2]


def test_where_batches_stay_whole_a_failure_says_why() -> None:
    found, pool, told = flown({0: [LARGE]}, indivisible="trainer T takes whole ones")
    assert found == {0: replace(LARGE, message=f"{LARGE.message} (trainer T takes whole ones)")}
    assert len(pool.jobs) == 1
    assert not told


def test_a_lost_worker_does_not_use_up_the_try_in_parts() -> None:
    halved = replace(GOOD, parts=2)
    for ends in ([LOST, LARGE, halved], [LARGE, LOST, halved]):
        found, pool, _ = flown({0: ends})
        assert found == {0: replace(halved, cost=Cost(samples=8, macs=24.0, seconds=7.0))}
        assert len(pool.jobs) == 3


@pytest.mark.parametrize("kind", ["diverged", "timeout", "hung", "error", "infeasible"])
def test_what_would_happen_again_is_not_tried_again(kind: str) -> None:
    failure = Failure(kind, "as ever")  # pyright: ignore[reportArgumentType]
    found, pool, told = flown({0: [failure]})
    assert found == {0: failure}
    assert len(pool.jobs) == 1
    assert not told


def test_whoever_repeats_a_lost_evaluation_waits_for_its_second_try() -> None:
    found, pool, _ = flown({0: [LOST, GOOD], 1: [LOST]}, seeds=(7, 7))
    assert {job.number for job in pool.jobs} == {0}
    assert found[1] == Evaluation(GOOD.metrics, Cost(), same_as=0)


def test_a_folder_that_cannot_be_used_ends_the_search_and_is_no_outcome() -> None:
    full = Failure("storage", "cannot write weights: no space left on device")
    with pytest.raises(StoreError, match="candidate 0 has no outcome: cannot write weights"):
        flown({0: [full]})
