"""Candidates in processes of their own: order, reports, deadlines, devices, faulty set-ups."""

import math
from pathlib import Path

import pytest
from support.executor_jobs import Deadly, Unloadable, job
from support.pools import Start, failure, finish, ignore

from evonas.errors import ConfigError
from evonas.executors.executor import Job, Listener, Reported
from evonas.executors.processes import Processes
from evonas.history import Evaluation, Outcome


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_job_finishes_once_with_its_own_outcome(start: Start, workers: int) -> None:
    finished = finish(start(Processes(workers=workers)), *(job(n, "good") for n in range(8)))
    outcomes = {one.number: one.outcome for one in finished}
    assert outcomes == {n: Evaluation({"number": float(n)}) for n in range(8)}


def test_one_worker_takes_the_jobs_in_order(start: Start) -> None:
    numbers = [5, 3, 9, 1]
    finished = finish(start(Processes(workers=1)), *(job(n, "good") for n in numbers))
    assert [one.number for one in finished] == numbers


def test_a_long_job_does_not_hold_up_the_others(start: Start, tmp_path: Path) -> None:
    pool = start(Processes(workers=2))
    pool.submit(job(0, "report_until_answered", answer=str(tmp_path / "answer")))
    finished = finish(pool, job(1, "good"), job(2, "good"))
    assert [one.number for one in finished] == [1, 2]
    (tmp_path / "answer").touch()
    assert pool.next_finished().number == 0


def test_reports_are_heard_while_the_candidate_trains(start: Start, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    heard: list[Reported] = []

    def listener(reported: Reported) -> None:
        heard.append(reported)
        answer.touch()

    pool = start(Processes(workers=1), listener=listener)
    (finished,) = finish(pool, job(3, "report_until_answered", answer=str(answer)))
    assert isinstance(finished.outcome, Evaluation)
    assert heard == [Reported(3, 1, {"error": 0.5}), Reported(3, 2, {"error": 0.25})]


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        ("killed", "lost", "killed by SIGKILL"),
        ("segmentation_fault", "lost", "killed by SIGSEGV"),
        ("exiting", "lost", "sys.exit(3)"),
        ("exiting_at_once", "lost", "exited with status 3"),
        ("raising", "error", "KeyError: 'a bug in a plug-in'"),
        ("raising_the_unspeakable", "error", "UnspeakableError"),
        ("returning_garbage", "error", "'int' object has no attribute"),
        ("returning_metrics_that_are_no_numbers", "error", "object is not JSON serializable"),
    ],
)
def test_trouble_is_the_failure_of_one_candidate_alone(
    start: Start, behaviour: str, kind: str, message: str
) -> None:
    pool = start(Processes(workers=2))
    finished = finish(pool, job(0, "short"), job(1, behaviour), job(2, "good"))
    outcomes = {one.number: one.outcome for one in finished}
    assert failure(outcomes[1]).kind == kind
    assert message in failure(outcomes[1]).message
    assert isinstance(outcomes[0], Evaluation)
    assert isinstance(outcomes[2], Evaluation)


@pytest.mark.parametrize(
    "behaviour", ["asleep", "asleep_in_c", "asleep_with_the_interpreter_locked", "busy"]
)
def test_a_candidate_is_killed_at_its_deadline(start: Start, behaviour: str) -> None:
    (finished,) = finish(start(Processes(workers=1)), job(0, behaviour, deadline=0.3))
    assert failure(finished.outcome).kind == "timeout"


def test_the_deadline_counts_from_the_start_of_the_candidate(start: Start) -> None:
    jobs = [job(n, "short", deadline=1.1) for n in range(6)]
    finished = finish(start(Processes(workers=1)), *jobs)
    assert all(isinstance(one.outcome, Evaluation) for one in finished)


def test_a_failure_costs_the_cpu_time_that_was_spent(start: Start) -> None:
    pool = start(Processes(workers=2))
    jobs = job(0, "busy", deadline=1), job(1, "asleep", deadline=1)
    cost = {one.number: failure(one.outcome).cost.seconds for one in finish(pool, *jobs)}
    assert 0.1 < cost[0] < 1.5
    assert cost[1] < cost[0]


def test_an_interrupt_from_the_terminal_leaves_workers_alone(start: Start) -> None:
    (finished,) = finish(start(Processes(workers=1)), job(0, "interrupted"))
    assert isinstance(finished.outcome, Evaluation)


def test_a_worker_computes_in_one_thread(start: Start) -> None:
    (finished,) = finish(start(Processes(devices=("cpu",))), job(0, "counting_threads"))
    assert finished.outcome == Evaluation({"threads": 1.0})


def test_a_worker_computes_in_as_many_threads_as_it_is_told(start: Start) -> None:
    executor = Processes(workers=1, devices=("cpu",), threads=2)
    (finished,) = finish(start(executor), job(0, "counting_threads"))
    assert finished.outcome == Evaluation({"threads": 2.0})


def test_a_worker_told_to_use_the_cpu_sees_no_accelerator(start: Start) -> None:
    (finished,) = finish(start(Processes(workers=1, devices=("cpu",))), job(0, "naming_its_device"))
    assert finished.outcome == Evaluation({"accelerators": 0.0, "is_cpu": 1.0})


def test_parts_that_cannot_be_imported_in_a_worker_fail_with_their_traceback(start: Start) -> None:
    (finished,) = finish(start(Processes(workers=1), Unloadable()), job(0, "good"))
    assert failure(finished.outcome).kind == "error"
    assert "no module named 'elsewhere'" in failure(finished.outcome).message
    assert "__setstate__" in failure(finished.outcome).traceback


def test_a_worker_that_ends_before_it_begins_is_a_faulty_set_up(start: Start) -> None:
    (finished,) = finish(start(Processes(workers=1), Deadly()), job(0, "good"))
    assert failure(finished.outcome).kind == "error"
    assert "status 5 before it began" in failure(finished.outcome).message


def test_parts_that_cannot_travel_are_refused_at_once() -> None:
    def local(_: Job, __: Listener) -> Outcome:
        return Evaluation({})

    with pytest.raises(ConfigError, match="executor = 'serial'"):
        Processes(workers=1).start(local, ignore)


@pytest.mark.parametrize(
    "fields",
    [
        {"workers": 0},
        {"memory": 0},
        {"device_memory": 0},
        {"silence": 2.0},
        {"silence": math.nan},
        {"start_method": "fork it"},
    ],
)
def test_impossible_fields_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        Processes(**fields)  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_spawned_workers_keep_the_contract_too(start: Start) -> None:
    pool = start(Processes(workers=2, start_method="spawn"))
    jobs = job(0, "good"), job(1, "killed"), job(2, "asleep", deadline=0.3)
    outcomes = {one.number: one.outcome for one in finish(pool, *jobs)}
    assert outcomes[0] == Evaluation({"number": 0.0})
    assert failure(outcomes[1]).kind == "lost"
    assert failure(outcomes[2]).kind == "timeout"
