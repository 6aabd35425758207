"""The process of a command: signals, one line for what a user can mend, the exit status."""

import os
import sys
from contextlib import suppress
from signal import Signals
from typing import NoReturn

from evonas.cli import app
from evonas.errors import EvonasError
from evonas.interrupts import Watch, kill_children, status_of


def main() -> NoReturn:
    """Run the command line; what a user can mend is one line, not a traceback."""
    watch = Watch()
    try:
        watch.start()
        app()
    except BaseException as error:
        watch.close()
        is_done = isinstance(error, SystemExit) and not error.code
        if watch.heard and not is_done:  # whatever a library has made of the signal
            _end_stopped(watch.heard, error)
        if isinstance(error, EvonasError):
            from evonas.report.printable import printable

            print(f"evonas: {printable(str(error))}", file=sys.stderr)
            sys.exit(2)
        raise
    sys.exit(0)


def _end_stopped(by: Signals, error: BaseException) -> NoReturn:
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    with suppress(OSError):
        line = f"evonas: stopped by {by.name}{notes}; the same command goes on from here"
        print(line, file=sys.stderr)
    kill_children()
    _forget_lost_terminal()
    sys.exit(status_of(by))


def _forget_lost_terminal() -> None:
    """Drop what nobody reads any more: the last flush would fail, and change the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    main()
