"""Signals that end a command: an exception lets it close what it holds, a watch makes it certain.

The first signal raises `Interrupted` in the main thread, where Python runs its handlers: between
two instructions, thus not within one operation of torch. A thread sees to it: the system may hand a
signal to any thread, or just before the main one begins to wait for something, and some modules
drop every exception that comes while they are imported; so it is passed on until an exception is on
its way. Should that come to nothing, because code keeps the exception or does not return to Python,
the same thread ends the process `PATIENCE` seconds after the first signal, or at once with another.
Only code in C that holds the interpreter's lock delays that, too.
"""

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from threading import Lock, Thread, get_ident
from types import FrameType
from typing import final
from weakref import ref

import psutil

PATIENCE = 8.0
"""Seconds for closing, within the ten that the managers of clusters and containers grant."""

ECHO = 0.5
"""Seconds after the first signal in which others repeat it.

A closed terminal sends one and its shell another; a wrapper passes on what all have got already.
"""

_PASS_ON = 0.05
"""Seconds after which a signal is passed on to the main thread again, if it was to no avail."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SHOW_CURSOR = b"\x1b[?25h"


@final
class Interrupted(BaseException):
    """The process is told to end; no `Exception`, lest a plug-in handle it as its own."""


@final
class Watch:
    """Hears the signals that end a process; for the main thread of a command.

    Signals that were ignored before stay so: those that `nohup` and jobs in the background are
    spared.

    Attributes:
        heard: The first signal.
    """

    def __init__(self) -> None:
        self.heard: signal.Signals | None = None
        self._signals = [one for one in signal.Signals if one.name in _NAMES]
        self._is_closed = False
        self._raised: ref[Interrupted] | None = None
        self._main = get_ident()
        self._passing_on = Lock()
        self._inbox, self._outbox = socket.socketpair()

    def start(self) -> None:
        """Raise `Interrupted` at the first signal from now on."""
        self._outbox.setblocking(False)
        signal.set_wakeup_fd(self._outbox.fileno(), warn_on_full_buffer=False)
        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)
        Thread(target=self._watch, name="evonas-interrupts", daemon=True).start()

    def close(self) -> None:
        """Let a signal from now on end the process where it is; patience goes on to count."""
        with self._passing_on:  # what is passed on must not end the process
            self._is_closed = True
            for number in self._signals:
                if signal.getsignal(number) == self._raise:
                    signal.signal(number, signal.SIG_DFL)

    def _raise(self, number: int, _: FrameType | None) -> None:
        self.heard = self.heard or signal.Signals(number)
        if not self._is_on_its_way:
            error = Interrupted()
            self._raised = ref(error)
            try:
                raise error
            finally:
                del error  # or its traceback keeps it alive

    @property
    def _is_on_its_way(self) -> bool:
        """Whether the exception has been raised, and nothing has dropped it."""
        return self._raised is not None and self._raised() is not None

    def _watch(self) -> None:
        """Wait for a signal; end the process at another, or when patience is at its end."""
        self.heard = self._next(None)
        assert self.heard is not None, "without a limit, the wait ends with a signal"
        is_repeated = self._is_told_again(self.heard)
        why = "told again" if is_repeated else f"did not close within {PATIENCE:.0f} s"
        with suppress(OSError):  # the terminal may be what has gone
            os.write(2, f"evonas: {why}; ends as it is\n".encode())
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), _SHOW_CURSOR)
        kill_children()
        os._exit(status_of(self.heard))

    def _is_told_again(self, number: signal.Signals) -> bool:
        """Wait until patience is at its end, or for another signal than echoes and our own."""
        start, num_passed_on = time.monotonic(), 0
        while (waited := time.monotonic() - start) < PATIENCE:
            if self._next(min(_PASS_ON, PATIENCE - waited)) is not None:
                if num_passed_on == 0 and waited > ECHO:
                    return True
                num_passed_on = max(0, num_passed_on - 1)
            elif self._pass_on(number):
                num_passed_on += 1
        return False

    def _pass_on(self, number: signal.Signals) -> bool:
        """Interrupt what the main thread does or waits for, if it goes on; say whether it did."""
        with self._passing_on:
            is_due = not (self._is_closed or self._is_on_its_way)
            if is_due:
                signal.pthread_kill(self._main, number)
            return is_due

    def _next(self, seconds: float | None) -> signal.Signals | None:
        """Return the next of the signals that end a process, or None if none comes in time."""
        self._inbox.settimeout(seconds)
        try:
            while (number := self._inbox.recv(1)[0]) not in self._signals:
                pass
        except (TimeoutError, BlockingIOError):
            return None
        return signal.Signals(number)


def status_of(number: signal.Signals) -> int:
    """Return the exit status by which shells know what a signal has ended."""
    return 128 + number


def kill_children() -> None:
    """Kill all that this process has started, and what those have."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
