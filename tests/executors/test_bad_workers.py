"""What becomes of workers that come to a bad end, and what is left of them: nothing."""

from pathlib import Path

import psutil
import pytest
from support.executor_jobs import job
from support.pools import Start, failure, finish
from support.waiting import is_gone, wait_until

from evonas.executors.guard import LONGEST
from evonas.executors.processes import Processes
from evonas.history import Evaluation


@pytest.mark.parametrize("behaviour", ["hungry", "hungry_child"])
def test_a_candidate_with_too_much_memory_is_killed(start: Start, behaviour: str) -> None:
    pool = start(Processes(workers=2, memory=600))
    outcomes = {one.number: one.outcome for one in finish(pool, job(0, behaviour), job(1, "short"))}
    assert failure(outcomes[0]).kind == "memory"
    assert "600 MB are allowed" in failure(outcomes[0]).message
    assert isinstance(outcomes[1], Evaluation)


def test_a_failure_keeps_what_was_reported_before(start: Start) -> None:
    pool = start(Processes(workers=2, memory=600))
    fates = {"killed": "lost", "raising": "error", "hungry": "memory", "asleep": "timeout"}
    jobs = [
        job(n, "reporting_and_then", then=then, deadline=1.5 if then == "asleep" else None)
        for n, then in enumerate(fates)
    ]
    outcomes = {one.number: failure(one.outcome) for one in finish(pool, *jobs)}
    assert [outcomes[n].kind for n in range(4)] == list(fates.values())
    curve = ((1, {"error": 1.0}), (2, {"error": 0.5}))
    assert all(one.curve == curve for one in outcomes.values())


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["asleep_with_the_interpreter_locked", "stopped"])
def test_a_worker_whose_interpreter_is_silent_is_killed(start: Start, behaviour: str) -> None:
    pool = start(Processes(workers=2, silence=3))
    jobs = job(0, "reporting_and_then", then=behaviour), job(1, "short")
    outcomes = {one.number: one.outcome for one in finish(pool, *jobs)}
    assert failure(outcomes[0]).kind == "hung"
    assert "has not run for 3 s" in failure(outcomes[0]).message
    assert [step for step, _ in failure(outcomes[0]).curve] == [1, 2]
    assert isinstance(outcomes[1], Evaluation)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["asleep_in_c", "busy"])
def test_one_that_is_silent_while_its_interpreter_runs_is_left_alone(
    start: Start, behaviour: str
) -> None:
    (finished,) = finish(start(Processes(workers=1, silence=3)), job(0, behaviour, deadline=4.5))
    assert failure(finished.outcome).kind == "timeout"


def test_one_that_never_stops_reporting_does_not_hold_up_the_others(start: Start) -> None:
    pool = start(Processes(workers=2))
    pool.submit(job(0, "chattering", deadline=0.5))
    finished = finish(pool, job(1, "good"))
    assert [one.number for one in finished] == [1]
    assert failure(pool.next_finished().outcome).kind == "timeout"


@pytest.mark.slow
def test_the_memory_of_a_curve_is_bounded(start: Start) -> None:
    (finished,) = finish(start(Processes(workers=1)), job(0, "chattering", deadline=2))
    curve = failure(finished.outcome).curve
    assert len(curve) == LONGEST
    assert [step for step, _ in curve] == list(range(curve[0][0], curve[-1][0] + 1))


def forkserver() -> psutil.Process:
    """Return the server that forks the workers of this process."""
    return next(
        child
        for child in psutil.Process().children()
        if any("multiprocessing.forkserver" in word for word in child.cmdline())
    )


@pytest.mark.slow
def test_workers_in_flight_are_lost_with_their_server_and_the_next_have_another(
    start: Start, tmp_path: Path
) -> None:
    pool = start(Processes(workers=2))
    pool.submit(job(0, "with_a_child", note=str(tmp_path / "note")))
    wait_until((tmp_path / "note").exists)
    server = forkserver()
    server.kill()
    pids = (tmp_path / "note").read_text(encoding="ascii").split()
    (finished,) = finish(pool, job(1, "good"))
    lost = finished
    others = [pool.next_finished()]
    if lost.number != 0:
        lost, others = others[0], [lost]
    assert failure(lost.outcome).kind == "lost"
    assert "server that forks the workers was killed" in failure(lost.outcome).message
    assert [one.outcome for one in others] == [Evaluation({"number": 1.0})]
    assert forkserver() != server
    wait_until(lambda: all(is_gone(int(pid)) for pid in pids))


@pytest.mark.parametrize("behaviour", ["littering", "littering_and_killed"])
def test_temporary_files_go_with_their_worker(start: Start, tmp_path: Path, behaviour: str) -> None:
    pool = start(Processes(workers=1))
    finish(pool, job(0, behaviour, note=str(tmp_path / "note")))
    folder = Path((tmp_path / "note").read_text(encoding="utf-8"))
    assert not folder.exists()
    assert folder.parent.exists()
    pool.close()
    assert not folder.parent.exists()


def test_close_kills_workers_and_their_children(start: Start, tmp_path: Path) -> None:
    pool = start(Processes(workers=2))
    pool.submit(job(0, "with_a_child", note=str(tmp_path / "note")))
    pool.submit(job(1, "asleep"))
    pool.submit(job(2, "never started"))
    wait_until((tmp_path / "note").exists)
    pool.close()
    pool.close()
    pids = (tmp_path / "note").read_text(encoding="ascii").split()
    wait_until(lambda: all(is_gone(int(pid)) for pid in pids))


@pytest.mark.parametrize("behaviour", ["leaving_a_child", "leaving_a_session"])
def test_a_finished_candidate_leaves_no_process_behind(
    start: Start, tmp_path: Path, behaviour: str
) -> None:
    pool = start(Processes(workers=1))
    finish(pool, job(0, behaviour, note=str(tmp_path / "note")))
    child = int((tmp_path / "note").read_text(encoding="ascii"))
    wait_until(lambda: is_gone(child))


def test_no_zombies_stay(start: Start) -> None:
    pool = start(Processes(workers=2))
    finish(pool, *(job(n, behaviour) for n, behaviour in enumerate(["good", "killed"] * 3)))
    pool.close()
    family = psutil.Process().children(recursive=True)
    wait_until(
        lambda: not any(one.status() == psutil.STATUS_ZOMBIE for one in family if one.is_running())
    )
