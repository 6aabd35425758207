"""The process of a command: signals, one line for what a user can mend, the exit status."""

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
    with suppress(OSError):  # the terminal may be what has gone
        line = f"evonas: stopped by {by.name}{notes}; the same command goes on from here"
        print(line, file=sys.stderr)
    kill_children()
    sys.exit(status_of(by))


if __name__ == "__main__":
    main()
