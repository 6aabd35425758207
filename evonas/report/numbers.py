"""Numbers as people read them."""

import math

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def short(value: float, unit: str = "") -> str:
    """Return a number in few characters: three to four digits, a prefix and the unit.

    >>> short(0.02134), short(1234), short(2_345_678, "MAC"), short(12.0)
    ('0.02134', '1,234', '2.35 MMAC', '12')
    """
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 10_000:
        return f"{int(value):,} {unit}".rstrip()
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.4g} {unit}".rstrip()


def duration(seconds: float) -> str:
    """Return a span of time with its two largest units.

    >>> duration(8.2), duration(200), duration(7260)
    ('8 s', '3 min 20 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
