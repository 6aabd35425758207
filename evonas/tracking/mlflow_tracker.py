"""Every ancestor in MLflow: a parent run a search, a nested run a candidate.

The mirror has a thread of its own and an inbox without a bound, so that the search spends
microseconds a candidate on it, whatever MLflow does. MLflow itself, which takes seconds to import,
is first imported on that thread.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Literal, final

from evonas.errors import unknown
from evonas.history import Individual
from evonas.tracking.tally import Tally
from evonas.tracking.tracker import LoadModel, Mirror, SearchInfo, Told, Tracker

_MODES = ("all", "front", "none")
_TELL_EVERY = 0.2


@final
@dataclass(frozen=True, kw_only=True)
class MlflowTracker(Tracker):
    """MLflow 3: any tracking URI; a SQLite file is made where there is none.

    Attributes:
        uri: Of the tracking store.
        experiment: Name of the experiment, made if it is new.
        runs: Which candidates get a run of their own: every one, the final front's members, none.
            From `front` or `none` a lineage cannot be rebuilt.
        models: Whether the front's members are logged as MLflow models at the end.
    """

    uri: str = "sqlite:///runs/mlflow.db"
    experiment: str = "evonas"
    runs: Literal["all", "front", "none"] = "all"
    models: bool = True

    def __post_init__(self) -> None:
        if self.runs not in _MODES:
            raise unknown("choice of runs", self.runs, _MODES)

    def start(self, search: SearchInfo) -> Mirror:
        """Start the mirror's thread."""
        return _MlflowMirror(self, search)


@final
class _MlflowMirror(Mirror):
    def __init__(self, tracker: MlflowTracker, search: SearchInfo) -> None:
        self._tracker = tracker
        self._search = search
        self._given: set[int] = set()
        self._inbox: SimpleQueue[Individual | tuple[int, ...]] = SimpleQueue()
        self._leave = Event()
        self._tally = Tally()
        self._thread = Thread(target=self._work, name="evonas-mlflow", daemon=True)
        self._thread.start()

    def finished(self, individual: Individual) -> None:
        if individual.number not in self._given:
            self._given.add(individual.number)
            self._inbox.put(individual)

    def close(self, front: Sequence[int], timeout: float, told: Told | None = None) -> str:
        wanted = {"all": sorted(self._given), "front": front, "none": ()}[self._tracker.runs]
        self._inbox.put(tuple(front))
        end = time.monotonic() + timeout
        try:
            while self._thread.is_alive() and (left := end - time.monotonic()) > 0:
                self._thread.join(min(left, _TELL_EVERY))
                if told is not None:
                    told(len(self._tally.candidates), len(wanted))
        finally:
            self._leave.set()
        models = front if self._load and self._tracker.runs != "none" else ()
        return self._tally.missing(wanted, models, "MLflow", self._search.folder)

    @property
    def _load(self) -> LoadModel | None:
        return self._search.load if self._tracker.models else None

    def _work(self) -> None:
        """Empty the inbox until the front comes, which is the last thing in it."""
        try:
            from evonas.tracking.mlflow_writer import Writer  # noqa: PLC0415 - see the module
        except ImportError as error:
            self._tally.trouble = str(error)
            return
        of = self._tracker
        writer = Writer(of.uri, of.experiment, of.runs, self._search, self._leave, self._tally)
        while not self._leave.is_set():
            try:
                item = self._inbox.get(timeout=writer.pause)
            except Empty:
                writer.push()
                continue
            if not isinstance(item, Individual):
                writer.close(item, self._load)
                return
            writer.take(item)
            if self._inbox.empty():
                writer.push()
