"""One slot of the executor `ray` as the driver sees it: an actor, and the next one when it dies."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, final

import ray
from ray.exceptions import RayError

from evonas.executors.executor import Job, Reported
from evonas.executors.ray_files import Parcels
from evonas.executors.ray_place import Landed
from evonas.history import Curve

_FETCH_SECONDS = 120.0
"""How long what is announced may take from its node."""


@final
class Slot:
    """A place for one candidate at a time.

    Args:
        make: Returns the handle of a new actor, which Ray places when a node has room for it.

    Attributes:
        awaited: What the next word comes from: a reference until the actor can work, then the
            stream of a job; None while the slot is idle.
        job: Being evaluated.
        has_begun: Whether its actor has been placed, and can work.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._curve: list[tuple[int, Mapping[str, float]]] = []
        self._renew()

    @property
    def curve(self) -> Curve:
        """What the job has reported."""
        return tuple(self._curve)

    def begin(self, job: Job, parcels: Parcels) -> None:
        """Evaluate a job."""
        self._curve.clear()
        self.job = job
        self.awaited = self._actor.run.options(num_returns="streaming").remote(job, parcels)

    def next_word(self) -> Reported | Landed | None:
        """Return what the actor has said; None if that it can work.

        Raises:
            RayError: if it is gone.
        """
        if self.job is None:
            ray.get(self.awaited, timeout=_FETCH_SECONDS)
            self.has_begun, self.awaited = True, None
            return None
        try:
            said: ray.ObjectRef[Reported | Landed] = next(self.awaited)
            word = ray.get(said, timeout=_FETCH_SECONDS)
        except StopIteration:
            raise RayError("the slot said no last word") from None
        if isinstance(word, Reported):
            self._curve.append((word.step, word.metrics))
        else:
            self.job, self.awaited = None, None
        return word

    def replace(self) -> None:
        """Give the actor up for another, on whatever node has room."""
        self.kill()
        self._renew()

    def leave(self) -> Any:
        """Tell the actor to end what it runs and to tidy up; return what says that it has."""
        return self._actor.leave.remote()

    def kill(self) -> None:
        """End the actor, wherever it is."""
        with suppress(RayError):
            ray.kill(self._actor)

    def _renew(self) -> None:
        self._actor = self._make()
        self.awaited: Any = self._actor.ready.remote()
        self.job: Job | None = None
        self.has_begun = False
