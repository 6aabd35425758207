"""What no journal could hold is the failure of its candidate, wherever it is evaluated."""

from collections.abc import Callable, Mapping

import pytest
from support.pools import failure, ignore

from evonas.executors.executor import Job, Listener, Reported
from evonas.executors.guard import outcome_of
from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, Failure, Outcome

JOB = Job(3, Birth(Genome(), "none", (), 0))
UNFIT: Mapping[str, Evaluation] = {
    "a step between two": Evaluation({"error": 1.0}, curve=((1, {}), (2.5, {}))),  # pyright: ignore[reportArgumentType]
    "a step before the first": Evaluation({"error": 1.0}, curve=((-1, {}),)),
    "half a sample": Evaluation({"error": 1.0}, Cost(samples=0.5)),  # pyright: ignore[reportArgumentType]
    "a metric that is none": Evaluation({"error": float("nan")}),
    "a metric that moves the cursor": Evaluation({"\x1b[2J": 1.0}),
    "weights somewhere": Evaluation({"error": 1.0}, weights="../../x"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_outcome_that_could_not_be_read_back_is_an_error(case: str) -> None:
    failed = failure(outcome_of(lambda _, __: UNFIT[case], JOB, ignore))
    assert failed.kind == "error"
    assert "its outcome cannot be recorded" in failed.message


def test_a_report_that_could_not_be_read_back_is_an_error_at_once() -> None:
    def reporting(job: Job, listener: Listener) -> Outcome:
        listener(Reported(job.number, 1, {"error": 0.5}))
        listener(Reported(job.number, -2, {"error": 0.5}))
        raise AssertionError("it goes on")

    failed = failure(outcome_of(reporting, JOB, ignore))
    assert "report is -2, should be a whole number" in failed.message
    assert failed.curve == ((1, {"error": 0.5}),)


def raising() -> Outcome:
    raise FileNotFoundError(2, "No such file", "/data/\udcff.png")


def returning() -> Outcome:
    return Failure("storage", "/data/\udcff.png", "\udcff")


@pytest.mark.parametrize("fail", [raising, returning])
def test_the_words_of_a_failure_are_text_whatever_a_file_is_called(
    fail: Callable[[], Outcome],
) -> None:
    failed = failure(outcome_of(lambda _, __: fail(), JOB, ignore))
    assert r"\udcff" in failed.message
    assert "\udcff" not in failed.message + failed.traceback
