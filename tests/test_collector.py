"""The garbage collector is as it was after a journal has been read."""

import gc

import pytest

from evonas.store import collector


def broken_reading() -> None:
    """Raise while the collector is paused."""
    with collector.paused():
        assert not gc.isenabled()
        raise KeyError("a line")


def test_the_collector_is_back_where_reading_raises() -> None:
    with pytest.raises(KeyError):
        broken_reading()
    assert gc.isenabled()


def test_the_collector_stays_off_for_those_who_had_turned_it_off() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
