"""The executor contract: every job comes back once, and no candidate takes the others with it."""

import os
import signal
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

from evonas.executors.executor import Executor, Job, Listener, Pool, Reported
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Failure, Outcome
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks

_LONG = 120.0
"""Seconds that a hanging candidate would take; a check that waits for it has failed."""

_MANY = 12
"""Pairs of jobs: more than any small machine has workers."""


@final
@dataclass(frozen=True)
class _Bench:
    executor: Executor
    reports: list[Reported] = field(default_factory=list)

    @cached_property
    def isolates(self) -> bool:
        """Whether candidates run in processes of their own, which can be killed."""
        outcome = self.outcomes(["answer"])[0]
        assert isinstance(outcome, Evaluation), outcome
        return outcome.metrics["process"] != os.getpid()

    @contextmanager
    def pool(self) -> Generator[Pool]:
        """Start the executor; close it whatever happens."""
        pool = self.executor.start(_act, self.reports.append)
        try:
            yield pool
        finally:
            pool.close()

    def outcomes(self, acts: Sequence[str], deadline: float | None = None) -> Mapping[int, Outcome]:
        """Return what comes of candidates that behave like `acts`, by number."""
        self.reports.clear()
        found: dict[int, Outcome] = {}
        with self.pool() as pool:
            for number, act in enumerate(acts):
                pool.submit(_job(number, act, deadline))
            for _ in acts:
                event = pool.next_finished()
                assert event.number not in found, f"candidate {event.number} came back twice"
                found[event.number] = event.outcome
        return found


def executor_checks(executor: Executor) -> list[Check]:
    """Return the checks of an executor."""
    functions = [
        _every_job_comes_back_with_its_own_outcome,
        _reports_arrive_in_order,
        _an_exception_is_the_failure_of_its_candidate_alone,
        _a_failure_keeps_what_was_reported_before_it,
        _a_candidate_past_its_deadline_times_out,
        _many_more_jobs_than_workers_all_come_back,
        _jobs_may_be_submitted_as_others_finish,
        _where_workers_are_processes_a_killed_one_is_lost_alone_with_what_it_reported,
        _where_workers_are_processes_one_that_hangs_in_silence_is_killed,
        _closing_does_not_wait_for_what_is_running_and_it_can_be_started_again,
    ]
    return [*class_checks(executor), *checks_of(_Bench(executor), functions)]


def _job(number: int, act: str, deadline: float | None = None) -> Job:
    genome = Genome(settings={"act": act, "number": number})
    return Job(number, Birth(genome, "check", (), number), deadline=deadline)


def _act(job: Job, listener: Listener) -> Outcome:
    """Behave as the job's genome says."""
    number = job.number
    match job.birth.genome.settings["act"]:
        case "raise":
            raise RuntimeError(f"candidate {number} is broken")
        case "report":
            _report(number, listener)
        case "report and raise":
            _report(number, listener)
            raise RuntimeError(f"candidate {number} is broken")
        case "report and die":
            _report(number, listener)
            os.kill(os.getpid(), signal.SIGKILL)
        case "dawdle":
            for step in range(1, 100):
                time.sleep(0.05)
                listener(Reported(number, step, {"error": 1.0}))
        case "hang":
            time.sleep(_LONG)
        case _:
            pass
    return Evaluation({"number": float(number), "process": float(os.getpid())})


def _report(number: int, listener: Listener) -> None:
    for step in (1, 2, 3):
        listener(Reported(number, step, {"error": number + 1 / step}))


def _every_job_comes_back_with_its_own_outcome(bench: _Bench) -> None:
    for number, outcome in bench.outcomes(["answer"] * 4).items():
        assert isinstance(outcome, Evaluation), f"candidate {number}: {outcome}"
        assert outcome.metrics["number"] == number, f"candidate {number} got another's outcome"


def _reports_arrive_in_order(bench: _Bench) -> None:
    bench.outcomes(["report", "report"])
    for number in range(2):
        steps = [report.step for report in bench.reports if report.number == number]
        assert steps == [1, 2, 3], (
            f"candidate {number} reported 1, 2, 3; the listener heard {steps}"
        )


def _an_exception_is_the_failure_of_its_candidate_alone(bench: _Bench) -> None:
    outcomes = bench.outcomes(["answer", "raise", "answer"])
    _check_failure(outcomes[1], "error")
    _check_evaluated(outcomes, 0, 2)


def _a_failure_keeps_what_was_reported_before_it(bench: _Bench) -> None:
    outcomes = bench.outcomes(["answer", "report and raise"])
    _check_failure(outcomes[1], "error")
    _check_curve(outcomes[1], 1)


def _a_candidate_past_its_deadline_times_out(bench: _Bench) -> None:
    start = time.monotonic()
    outcome = bench.outcomes(["dawdle"], deadline=0.3)[0]
    _check_failure(outcome, "timeout")
    assert isinstance(outcome, Failure)
    assert "0.3" in outcome.message, f"a timeout must say the deadline, not {outcome.message!r}"
    assert time.monotonic() - start < _LONG / 2


def _many_more_jobs_than_workers_all_come_back(bench: _Bench) -> None:
    outcomes = bench.outcomes(["answer", "raise"] * _MANY)
    _check_evaluated(outcomes, *range(0, 2 * _MANY, 2))
    for number in range(1, 2 * _MANY, 2):
        _check_failure(outcomes[number], "error")


def _jobs_may_be_submitted_as_others_finish(bench: _Bench) -> None:
    found: list[int] = []
    with bench.pool() as pool:
        pool.submit(_job(0, "answer"))
        for number in (1, 2):
            found.append(pool.next_finished().number)
            pool.submit(_job(number, "answer"))
        found.append(pool.next_finished().number)
    assert found == [0, 1, 2], f"submitted one after the other, they came back as {found}"


def _where_workers_are_processes_a_killed_one_is_lost_alone_with_what_it_reported(
    bench: _Bench,
) -> None:
    if bench.isolates:
        outcomes = bench.outcomes(["report and die", "answer"])
        _check_failure(outcomes[0], "lost")
        _check_curve(outcomes[0], 0)
        _check_evaluated(outcomes, 1)


def _where_workers_are_processes_one_that_hangs_in_silence_is_killed(bench: _Bench) -> None:
    if bench.isolates:
        start = time.monotonic()
        outcomes = bench.outcomes(["hang", "answer"], deadline=2.0)
        _check_failure(outcomes[0], "timeout")
        _check_evaluated(outcomes, 1)
        assert time.monotonic() - start < _LONG / 2


def _closing_does_not_wait_for_what_is_running_and_it_can_be_started_again(bench: _Bench) -> None:
    start = time.monotonic()
    with bench.pool() as pool:
        pool.submit(_job(0, "hang"))
    waited = time.monotonic() - start
    assert waited < _LONG / 2, f"`close` took {waited:.0f} s"
    _check_evaluated(bench.outcomes(["answer"]), 0)


def _check_failure(outcome: Outcome, kind: str) -> None:
    assert isinstance(outcome, Failure), f"expected a failure ({kind}), got {outcome}"
    assert outcome.kind == kind, f"expected {kind}, got {outcome.kind}: {outcome.message}"
    assert outcome.message, f"a failure ({kind}) must say what went wrong"
    assert "\n" not in outcome.message, f"a failure's message is one line, not {outcome.message!r}"


def _check_curve(outcome: Outcome, number: int) -> None:
    """Check that what `_report` says is kept."""
    assert isinstance(outcome, Failure)
    curve = [(step, dict(metrics)) for step, metrics in outcome.curve]
    told = [(step, {"error": number + 1 / step}) for step in (1, 2, 3)]
    assert curve == told, f"it reported {told}; its failure has {curve}"


def _check_evaluated(outcomes: Mapping[int, Outcome], *numbers: int) -> None:
    for number in numbers:
        outcome = outcomes[number]
        assert isinstance(outcome, Evaluation), f"candidate {number}: {outcome}"
