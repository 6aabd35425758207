"""Half of a batch takes less memory, really, and a cap lets it pass."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.hungry import SAMPLES, starving

from evonas import seeds
from evonas.executors.executor import Job
from evonas.executors.processes import Processes
from evonas.flights import Flights
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def flown(data: Path, memory: int | None, parts: int = 1) -> tuple[Outcome, list[str]]:
    """Return what becomes of a candidate in a worker that may take so many megabytes."""
    job = Job(0, Birth(Genome(settings={"data": str(data)}), "none", (), 0), parts=parts)
    told: list[str] = []
    executor = Processes(workers=1, memory=memory)
    with closing(executor.start(starving, lambda _: None)) as pool:
        flights = Flights(pool, {}, indivisible="", told=told.append)
        flights.start(job)
        return flights.next_finished()[1], told


def megabytes(outcome: Outcome) -> float:
    assert isinstance(outcome, Evaluation), outcome
    return outcome.metrics["megabytes"]


def test_a_cap_between_whole_batches_and_halves_is_met_by_halves(tmp_path: Path) -> None:
    data = tmp_path / "noise.npz"
    draws = seeds.stream(0, "noise")
    np.savez(data, x=draws.normal(size=(SAMPLES, 8, 8)), y=np.arange(SAMPLES) % 2)
    whole, halves = (megabytes(flown(data, None, parts)[0]) for parts in (1, 2))
    assert halves < whole - 100
    outcome, told = flown(data, int((whole + halves) / 2))
    assert isinstance(outcome, Evaluation), outcome
    assert outcome.parts == 2
    assert len(told) == 1
    assert told[0].startswith("candidate 0 (memory): took ")
