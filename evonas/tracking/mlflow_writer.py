"""What must be in MLflow and is not yet: tried when it comes, later again, and at the end.

After trouble nothing is tried for a while, the longer the more tries have failed in a row, and what
failed goes to the end of the queue. The queue holds numbers; the individuals are the history's.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from threading import Event
from typing import Literal, final

from evonas.history import Evaluation, Individual
from evonas.tracking import mlflow_store
from evonas.tracking.best_so_far import best_so_far
from evonas.tracking.mlflow_models import log_model
from evonas.tracking.mlflow_runs import Runs
from evonas.tracking.pedigree import Pedigree
from evonas.tracking.plain_text import plain
from evonas.tracking.record import CREDIT, MODEL
from evonas.tracking.side_by_side import side_by_side
from evonas.tracking.tally import Tally
from evonas.tracking.tracker import LoadModel, SearchInfo

_LONGEST_PAUSE = 30.0
"""Seconds between two tries of a server that stays away."""

_SHOW_EVERY = 5.0
"""Seconds between two updates of the curve of the best so far: one call more for each."""

_PATIENCE = 3
"""Tries in a row without success after which the end of a search waits no longer."""


@final
@dataclass
class Writer:
    """Brings one search into MLflow; used by one thread, on which it may take all its time.

    Attributes:
        uri: Of the tracking store.
        experiment: Name of the experiment.
        runs: Which candidates get a run.
        search: What is mirrored.
        leave: Set when nobody waits any longer.
        tally: What has arrived.
    """

    uri: str
    experiment: str
    runs: Literal["all", "front", "none"]
    search: SearchInfo
    leave: Event
    tally: Tally
    _waiting: dict[int, None] = field(default_factory=dict)
    _shown: int = 0
    _best: dict[str, float] = field(default_factory=dict)
    _opened: Runs | None = None
    _failures: int = 0
    _next_try: float = 0.0
    _next_show: float = 0.0
    _pedigree: Pedigree = field(init=False)

    def __post_init__(self) -> None:
        self._pedigree = Pedigree(self.search.objectives[0])

    @property
    def pause(self) -> float | None:
        """Seconds until something is to be tried; None if nothing is to be."""
        if 0 not in self._pedigree.individuals or not (self._waiting or self._unshown):
            return None
        due = self._next_try if self._waiting else max(self._next_try, self._next_show)
        return max(0.0, due - time.monotonic())

    def take(self, one: Individual) -> None:
        """Take an individual in, which costs microseconds."""
        changed = self._pedigree.add(one)
        if self.runs == "all":
            self._waiting.update(dict.fromkeys(changed))
            self.tally.candidates.difference_update(changed)

    def push(self) -> None:
        """Write whatever waits, unless there was trouble just now."""
        while self.pause == 0 and not self.leave.is_set():
            if self._waiting:
                self._write_some()
            else:
                self._tries(self._write_progress)

    def close(self, front: Sequence[int], load: LoadModel | None) -> None:
        """Try all that waits, mark the front, then log its models, which is slow.

        A server that was away just now is asked once more; one that goes away, a few times.
        """
        if 0 not in self._pedigree.individuals:
            self.tally.is_closed = True
            return
        if self.runs == "front":
            self._waiting.update(dict.fromkeys(front))
        patience = 1 if self._failures else _PATIENCE
        self._failures, self._next_try = 0, 0.0
        while self._waiting and self._failures < patience and not self.leave.wait(self.pause):
            self._write_some()
        if not (self._tries(self._write_progress) and self._tries(partial(self._end, front))):
            return
        if load is not None and self.runs != "none":
            for number in front:
                self._tries(partial(self._write_model, number, load))

    @property
    def _unshown(self) -> int:
        return len(self._pedigree.individuals) - self._shown

    def _tries(self, write: Callable[[Runs], None]) -> bool:
        if self.leave.is_set():
            return False
        (result,) = side_by_side([lambda: write(self._search_runs())])
        self._note([result])
        return result is None

    def _write_some(self) -> None:
        """Write the first few of the queue at once; what fails goes to its end."""
        numbers = list(islice(self._waiting, mlflow_store.num_lanes(self.uri)))
        try:
            runs = self._search_runs()
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the search goes on
            self._note([error])
            return
        results = side_by_side([partial(self._write, runs, number) for number in numbers])
        for number, result in zip(numbers, results, strict=True):
            del self._waiting[number]
            if result is None:
                self.tally.candidates.add(number)
            else:
                self._waiting[number] = None
        self._note(results)

    def _note(self, results: Sequence[Exception | None]) -> None:
        """Remember what went wrong, and for how long not to try again."""
        errors = [result for result in results if result is not None]
        self._failures = self._failures + 1 if len(errors) == len(results) else 0
        if errors:
            first_line = (str(errors[0]).splitlines() or [""])[0]
            self.tally.trouble = plain(f"{type(errors[0]).__name__}: {first_line}", 200)
            self._next_try = time.monotonic() + pause_after(self._failures)

    def _search_runs(self) -> Runs:
        if self._opened is None:
            key = _search_key(self.search.name, self._pedigree.individuals[0])
            self._opened = Runs.open(self.uri, self.experiment, self.search, key)
        return self._opened

    def _write(self, runs: Runs, number: int) -> None:
        if not runs.holds(number):
            runs.write(number, self._pedigree.record(number))
        credit = self._pedigree.credit(number)
        runs.tag(number, {} if credit is None else {CREDIT: repr(credit)})

    def _write_progress(self, runs: Runs) -> None:
        new = list(islice(self._pedigree.individuals.values(), self._shown, None))
        points, best = best_so_far(new, self.search.objectives, self._best)
        runs.progress(points)
        self._best, self._shown = best, self._shown + len(new)
        self._next_show = time.monotonic() + _SHOW_EVERY

    def _write_model(self, number: int, load: LoadModel, runs: Runs) -> None:
        one, child = self._pedigree.individuals[number], runs.children[number]
        assert isinstance(one.outcome, Evaluation)
        if MODEL not in child.tags:
            run = runs.client.get_run(child.run_id)
            networks, metrics = load(number), one.outcome.metrics
            ids = [
                log_model(runs.client, run, name if len(networks) > 1 else "", trained, metrics)
                for name, trained in networks.items()
            ]
            runs.tag(number, {MODEL: " ".join(ids)})
        self.tally.models.add(number)

    def _end(self, front: Sequence[int], runs: Runs) -> None:
        runs.close(front)
        self.tally.is_closed = True


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many tries in a row without any success.

    >>> [pause_after(failures) for failures in (0, 1, 2, 9)]
    [0.5, 1.0, 2.0, 30.0]
    """
    return min(_LONGEST_PAUSE, 2.0 ** (min(failures, 10) - 1))


def _search_key(name: str, seed: Individual) -> str:
    """Return what tells this search from any other of its name.

    The seed's outcome holds its measured seconds, so a search started anew has another key, and a
    continued one, which reads them from its journal, has the same.
    """
    text = json.dumps([name, seed.birth.to_json(), seed.outcome.to_json()], sort_keys=True)
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()
