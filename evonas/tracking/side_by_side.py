"""A few calls at once, each of which mostly waits for a server."""

from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Make all calls, more than one in threads of their own; return results or exceptions in order.

    The threads are daemons, unlike those of `concurrent.futures`: a server that never answers must
    not keep the interpreter from ending.
    """
    results: list[T | Exception] = [AssertionError("not called")] * len(calls)

    def make(place: int) -> None:
        try:
            results[place] = calls[place]()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            results[place] = error

    if len(calls) == 1:
        make(0)
        return results
    threads = [Thread(target=make, args=(place,), daemon=True) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
