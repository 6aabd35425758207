"""The tracker contract: a mirror that takes everything in, and harms nothing when it is broken."""

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, Failure, Individual, Objective
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.edits import rng, stepped
from evonas.testing.sandbox import smallest_space
from evonas.tracking.tracker import SearchInfo, Tracker

_NOBODY = "http://127.0.0.1:9"
"""The discard port: nothing answers there."""
_PATIENCE = 60.0


@final
@dataclass(frozen=True)
class _Bench:
    tracker: Tracker

    @cached_property
    def individuals(self) -> Sequence[Individual]:
        """A seed, two children and a failure."""
        space, signatures = smallest_space()
        seed = space.seed(signatures)
        made = [Individual(0, Birth(seed, "seed", (), 0), _evaluation(0.5))]
        for number in (1, 2):
            genome = stepped(seed, space.mutations(), rng("tracked", number))
            birth = Birth(genome, genome.edits[-1].operator, (0,), number)
            made.append(Individual(number, birth, _evaluation(0.5 - number / 10)))
        failed = Failure("diverged", "the loss is not finite", "a traceback", Cost(10, 1e3, 0.1))
        return [*made, Individual(3, Birth(Genome(seed.architecture), "control", (0,), 3), failed)]

    def mirrored(
        self,
        folder: Path,
        *,
        tracker: Tracker | None = None,
        times: int = 1,
        timeout: float = _PATIENCE,
    ) -> str:
        """Mirror a finished search, handing every individual in `times`; return what is missing."""
        objectives = (Objective("error", "min"), Objective("macs", "min"))
        info = SearchInfo("checked", folder, {"seed": 0, "births": 4}, objectives)
        mirror = (tracker or self.tracker).start(info)
        for individual in list(self.individuals) * times:
            mirror.finished(individual)
        return mirror.close([1, 2], timeout)


def tracker_checks(tracker: Tracker) -> list[Check]:
    """Return the checks of a tracker."""
    functions = [
        _it_misses_nothing,
        _what_is_repeated_is_no_trouble,
        _a_continued_search_continues_its_mirror,
        _a_destination_that_does_not_answer_harms_nothing,
        _a_destination_that_cannot_be_written_harms_nothing,
    ]
    return [*class_checks(tracker), *checks_of(_Bench(tracker), functions)]


def _evaluation(error: float) -> Evaluation:
    metrics = {"error": error, "macs": 1e4}
    curve = ((1, {"error": error + 0.1}), (2, {"error": error}))
    return Evaluation(metrics, Cost(100, 3e6, 0.5), weights="a" * 64, curve=curve)


@contextlib.contextmanager
def _workplace() -> Generator[Path]:
    """Work in a folder that is gone afterwards: trackers log below the current one by default."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, contextlib.chdir(name):
        folder = Path(name) / "runs" / "checked"
        folder.mkdir(parents=True)
        yield folder


def _it_misses_nothing(bench: _Bench) -> None:
    with _workplace() as folder:
        missing = bench.mirrored(folder)
    assert not missing, f"with a good destination `close` said {missing!r}"


def _what_is_repeated_is_no_trouble(bench: _Bench) -> None:
    with _workplace() as folder:
        missing = bench.mirrored(folder, times=2)
    assert not missing, f"handed everything twice, `close` said {missing!r}"


def _a_continued_search_continues_its_mirror(bench: _Bench) -> None:
    with _workplace() as folder:
        for _ in range(2):
            missing = bench.mirrored(folder)
            assert not missing, f"`close` said {missing!r}"


def _a_destination_that_does_not_answer_harms_nothing(bench: _Bench) -> None:
    fields = {field.name for field in dataclasses.fields(bench.tracker)}  # pyright: ignore[reportArgumentType]
    if "uri" not in fields:
        return
    nowhere = dataclasses.replace(bench.tracker, uri=_NOBODY)  # pyright: ignore[reportArgumentType]
    with _workplace() as folder:
        start = time.monotonic()
        missing = bench.mirrored(folder, tracker=nowhere, timeout=2.0)
        waited = time.monotonic() - start
    assert missing, f"nothing is at {_NOBODY}, and `close` does not say that anything is missing"
    assert waited < 20, f"with a timeout of 2 s the search waited {waited:.0f} s"


def _a_destination_that_cannot_be_written_harms_nothing(bench: _Bench) -> None:
    with _workplace() as folder:
        folder.rmdir()
        folder.parent.rmdir()
        folder.parent.write_text("a file where a folder should be", encoding="utf-8")
        _ = bench.mirrored(folder, timeout=5.0)
