from pathlib import Path

import pytest
import torch
from support.executor_jobs import evaluate, job

from evonas.executors.executor import Pool, Reported
from evonas.executors.serial import Serial
from evonas.history import Evaluation, Failure


def ignore(_: Reported) -> None:
    pass


@pytest.fixture
def pool() -> Pool:
    return Serial().start(evaluate, ignore)


def test_jobs_finish_in_the_order_they_came(pool: Pool) -> None:
    for number in (4, 2, 7):
        pool.submit(job(number, "good"))
    assert [pool.next_finished().number for _ in range(3)] == [4, 2, 7]


def test_reports_are_heard_while_the_candidate_trains(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    heard: list[Reported] = []

    def listener(reported: Reported) -> None:
        heard.append(reported)
        answer.touch()

    pool = Serial().start(evaluate, listener)
    pool.submit(job(3, "report_until_answered", answer=str(answer)))
    assert isinstance(pool.next_finished().outcome, Evaluation)
    assert heard == [Reported(3, 1, {"error": 0.5}), Reported(3, 2, {"error": 0.25})]


def test_a_candidate_that_reports_past_its_deadline_is_stopped(pool: Pool) -> None:
    pool.submit(job(0, "report_for_ever", deadline=0.05))
    outcome = pool.next_finished().outcome
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"


def test_no_handler_of_a_plug_in_swallows_the_deadline() -> None:
    def stubborn(_: object, listener: object) -> Evaluation:
        assert callable(listener)
        for step in range(10**9):
            try:
                listener(Reported(0, step, {}))
            except Exception:  # noqa: BLE001 - what a careless trainer may do
                continue
        raise AssertionError

    pool = Serial().start(stubborn, ignore)
    pool.submit(job(0, "good", deadline=0.05))
    outcome = pool.next_finished().outcome
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        ("exiting", "lost", "sys.exit(3)"),
        ("raising", "error", "KeyError: 'a bug in a plug-in'"),
        ("raising_the_unspeakable", "error", "UnspeakableError"),
    ],
)
def test_what_escapes_a_candidate_is_its_own_failure(
    pool: Pool, behaviour: str, kind: str, message: str
) -> None:
    pool.submit(job(0, behaviour))
    pool.submit(job(1, "good"))
    outcome = pool.next_finished().outcome
    assert isinstance(outcome, Failure)
    assert (outcome.kind, message in outcome.message) == (kind, True)
    assert isinstance(pool.next_finished().outcome, Evaluation)


def test_an_interrupt_is_for_the_search_not_for_the_candidate(pool: Pool) -> None:
    pool.submit(job(0, "interrupted"))
    with pytest.raises(KeyboardInterrupt):
        pool.next_finished()


def test_a_candidate_computes_in_one_thread_and_the_caller_in_as_many_as_before(pool: Pool) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    pool.submit(job(0, "counting_threads"))
    outcome = pool.next_finished().outcome
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert (outcome, after) == (Evaluation({"threads": 1.0}), 2)
