"""Candidates on real accelerators."""

import contextlib
from pathlib import Path

import pytest
import torch
from support.executor_jobs import evaluate, job

from evonas import devices
from evonas.executors.executor import Job, Reported
from evonas.executors.processes import Processes
from evonas.history import Evaluation, Failure, Outcome

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def ignore(_: Reported) -> None:
    pass


def outcomes(executor: Processes, *jobs: Job) -> list[Outcome]:
    """Return the outcomes in the order of the jobs."""
    with contextlib.closing(executor.start(evaluate, ignore)) as pool:
        for one in jobs:
            pool.submit(one)
        found = {one.number: one.outcome for one in (pool.next_finished() for _ in jobs)}
    return [found[one.number] for one in jobs]


def metrics(outcome: Outcome) -> dict[str, float]:
    assert isinstance(outcome, Evaluation), outcome
    return dict(outcome.metrics)


def side_by_side(folder: Path, num_jobs: int) -> list[Job]:
    """Return jobs of which none ends before all compute on their devices."""
    notes = [str(folder / str(number)) for number in range(num_jobs)]
    return [job(n, "announced", note=note, until=notes) for n, note in enumerate(notes)]


def test_two_candidates_share_an_accelerator(tmp_path: Path) -> None:
    executor = Processes(devices=1, per_device=2)
    first, second = map(metrics, outcomes(executor, *side_by_side(tmp_path, 2)))
    assert first == second
    assert first["seen"] == 1
    assert first["total"] == 1000


@pytest.mark.skipif(torch.accelerator.device_count() < 2, reason="needs two accelerators")
def test_each_of_two_accelerators_has_a_candidate(tmp_path: Path) -> None:
    found = [metrics(one) for one in outcomes(Processes(devices=2), *side_by_side(tmp_path, 2))]
    assert [one["seen"] for one in found] == [1, 1]
    assert found[0]["identity"] != found[1]["identity"]


def test_a_candidate_past_its_share_of_an_accelerator_is_out_of_memory() -> None:
    executor = Processes(workers=1, device_memory=500)
    hungry = job(0, "hungry_on_its_device", megabytes=1000)
    modest = job(1, "hungry_on_its_device", megabytes=100)
    failed, done = outcomes(executor, hungry, modest)
    assert isinstance(failed, Failure)
    assert failed.kind == "memory"
    assert metrics(done)["eaten"] == 100 * 2**18


def test_a_candidate_past_all_of_an_accelerator_is_out_of_memory() -> None:
    _, total = torch.accelerator.get_memory_info()
    hungry = job(0, "hungry_on_its_device", megabytes=total // 2**20 + 1000)
    (failed,) = outcomes(Processes(workers=1), hungry)
    assert isinstance(failed, Failure)
    assert failed.kind == "memory"


def test_a_worker_told_to_use_the_cpu_leaves_the_accelerators_alone() -> None:
    executor = Processes(workers=1, devices=(devices.CPU,))
    (found,) = outcomes(executor, job(0, "naming_its_device"))
    assert metrics(found) == {"accelerators": 0.0, "is_cpu": 1.0}
