"""How far the mirroring of a search has come is shown on a terminal, and nowhere else."""

from io import StringIO

from rich.console import Console

from evonas.report.arrivals import arrivals


def test_a_terminal_shows_how_many_candidates_have_arrived() -> None:
    screen = StringIO()
    with arrivals(Console(file=screen, force_terminal=True, width=100)) as told:
        told(0, 5000)
        told(1234, 5000)
    assert "1234/5000" in screen.getvalue()


def test_what_is_no_terminal_stays_clean() -> None:
    file = StringIO()
    with arrivals(Console(file=file, force_terminal=False)) as told:
        told(1234, 5000)
    assert file.getvalue() == ""
