"""The driver's end of the executor `ray`: jobs to slots, reports and outcomes back."""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, final

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError

from evonas import store
from evonas.errors import ConfigError, EvonasError, StoreError
from evonas.executors.executor import Evaluate, Finished, Job, Listener, Pool, Portable, Reported
from evonas.executors.ray_cluster import Ray
from evonas.executors.ray_files import Dispatch
from evonas.executors.ray_place import Landed, Place
from evonas.executors.ray_session import Session
from evonas.executors.ray_slot import Slot
from evonas.history import Evaluation, Failure, Outcome

_LOOK_SECONDS = 0.5
"""How long to wait for a word from the nodes before the head is looked at."""

_LEAVE_SECONDS = 5.0
"""How long the slots may take to tidy up."""

_NO_SLOT_SECONDS = 600.0
"""How long to wait for any slot while the cluster has room for none."""

_STILLBORN = 5
"""How many actors in a row may die before they can work."""


def started(executor: Ray, pickled: bytes, evaluate: Evaluate, listener: Listener) -> Pool:
    """Return a pool whose first slot can work; see `Ray.start`."""
    asked = 0 if executor.workers == "auto" else executor.workers
    session = Session(executor.address, asked * executor.cpus_per_candidate)
    try:
        slots = _slots(executor, pickled, session)
        pool = _RayPool(session, slots, evaluate, listener)
        pool.await_slot()
    except BaseException:
        session.close()
        raise
    return pool


@final
class _RayPool(Pool):
    """Slots on the nodes of a cluster.

    Args:
        session: The connection, which the pool closes.
        slots: Where candidates are evaluated.
        evaluate: What they do, with the run's folder.
        listener: Hears their reports.
    """

    def __init__(
        self, session: Session, slots: list[Slot], evaluate: Evaluate, listener: Listener
    ) -> None:
        self._session = session
        self._slots = deque(slots)
        self._evaluate = evaluate
        self._listener = listener
        self._dispatch = Dispatch()
        self._jobs: deque[Job] = deque()
        self._finished: deque[Finished] = deque()
        self._num_stillborn = 0
        self._had_slot = time.monotonic()

    def await_slot(self) -> None:
        """Wait until a slot can work.

        Raises:
            ConfigError: if the first actor cannot.
        """
        self._num_stillborn = _STILLBORN
        try:
            while not any(slot.has_begun for slot in self._slots):
                self._listen()
        except EvonasError as error:
            raise ConfigError(str(error)) from error

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        self._fill()

    def next_finished(self) -> Finished:
        """Wait for the next submitted job to finish.

        Raises:
            EvonasError: if the cluster is gone.
        """
        while not self._finished:
            assert self._jobs or any(slot.job for slot in self._slots), "nothing is unfinished"
            self._listen()
            self._fill()
        return self._finished.popleft()

    def close(self) -> None:
        self._jobs.clear()
        self._finished.clear()
        slots = [slot for slot in self._slots if slot.has_begun and not self._session.is_lost]
        if slots:
            ray.wait(
                [slot.leave() for slot in slots], num_returns=len(slots), timeout=_LEAVE_SECONDS
            )
        while self._slots:
            self._slots.pop().kill()
        self._session.close()

    def _listen(self) -> None:
        """Wait for a word of a slot, though not for long, and act on it."""
        self._session.check()
        speaking = {slot.awaited: slot for slot in self._slots if slot.awaited is not None}
        ready, _ = ray.wait(list(speaking), timeout=_LOOK_SECONDS, fetch_local=False)
        for source in ready:
            slot = speaking[source]
            self._slots.remove(slot)
            self._slots.append(slot)  # the last to be heard, lest a talkative one drown the others
            self._hear(slot)
        self._look_for_slots()

    def _hear(self, slot: Slot) -> None:
        job = slot.job
        try:
            word = slot.next_word()
        except RayError as error:
            self._lose(slot, error)
            return
        match word:
            case Reported():
                self._listener(word)
            case Landed():
                assert job is not None
                self._finished.append(Finished(job.number, self._kept(word)))
            case None:
                self._num_stillborn = 0

    def _lose(self, slot: Slot, error: RayError) -> None:
        """Take another actor for one that is gone; its job is lost."""
        self._session.check_for_certain()
        if slot.job is not None:
            failure = Failure("lost", f"the slot is gone: {_said(error)}", curve=slot.curve)
            self._finished.append(Finished(slot.job.number, failure))
        elif not slot.has_begun:
            self._num_stillborn += 1
            if self._num_stillborn > _STILLBORN:
                raise EvonasError(f"no node can evaluate candidates: {_said(error)}")
        slot.replace()

    def _look_for_slots(self) -> None:
        now = time.monotonic()
        if any(slot.has_begun for slot in self._slots):
            self._had_slot = now
        elif now > self._had_slot + _NO_SLOT_SECONDS:
            raise EvonasError(
                f"for {_NO_SLOT_SECONDS:.0f} s no node of the Ray cluster has had room for a"
                " candidate; the record is kept, and the same command goes on"
            )

    def _fill(self) -> None:
        for slot in self._slots:
            if self._jobs and slot.has_begun and slot.job is None:
                self._begin(slot, self._jobs.popleft())

    def _begin(self, slot: Slot, job: Job) -> None:
        files = self._evaluate.files(job) if isinstance(self._evaluate, Portable) else {}
        try:
            parcels = self._dispatch.parcels(files)
        except (OSError, ObjectStoreFullError, OutOfDiskError) as error:
            self._finished.append(Finished(job.number, Failure("storage", str(error))))
            return
        slot.begin(job, parcels)

    def _kept(self, landed: Landed) -> Outcome:
        """Return the outcome when the weights that it names are in the run's folder."""
        outcome = landed.outcome
        if not landed.weights or not isinstance(self._evaluate, Portable):
            return outcome
        assert isinstance(outcome, Evaluation)
        try:
            digest = store.store_bytes(self._evaluate.folder, landed.weights)
        except StoreError as error:
            return Failure("storage", str(error), cost=outcome.cost, curve=outcome.curve)
        if digest != outcome.weights:
            message = f"weights of hash {outcome.weights[:12]} arrived with {digest[:12]}"
            return Failure("lost", message, cost=outcome.cost, curve=outcome.curve)
        return outcome


def _slots(executor: Ray, pickled: bytes, session: Session) -> list[Slot]:
    """Return the slots, whose actors Ray is about to place.

    Raises:
        ConfigError: if no node has what one claims.
    """
    room = session.room(executor.claim)
    if not room:
        raise ConfigError(
            f"a candidate claims {_amounts(executor.claim)}, and no node of the Ray cluster has"
            f" that much (they have {'; '.join(map(_amounts, session.nodes()))})"
        )
    make = _maker(executor, pickled)
    return [Slot(make) for _ in range(room if executor.workers == "auto" else executor.workers)]


def _maker(executor: Ray, pickled: bytes) -> Callable[[], Any]:
    """Return what makes the actor of a slot; the evaluation travels once a node."""
    claim = executor.claim
    actor = ray.remote(Place).options(
        num_cpus=claim.get("CPU", 0),
        num_gpus=claim.get("GPU", 0),
        memory=claim.get("memory"),
        max_restarts=0,
        max_concurrency=2,  # `leave` while `run`
    )
    evaluate = ray.put(pickled)
    return lambda: actor.remote(evaluate, executor.isolation, sys.path)


def _amounts(resources: Mapping[str, float]) -> str:
    """Return what matters of some resources, in words."""
    words = [f"{resources.get('CPU', 0.0):g} CPUs", f"{resources.get('GPU', 0.0):g} GPUs"]
    return ", ".join([*words, f"{resources.get('memory', 0.0) / 2**20:.0f} MB"])


def _said(error: RayError) -> str:
    """Return the line of Ray's paragraphs that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "creation task" in lines[0] or "Traceback" in str(error):
        return lines[-1]  # of the exception in the actor
    reasons = (line for line in lines if line.startswith("The actor is dead because"))
    return next(reasons, lines[0])
