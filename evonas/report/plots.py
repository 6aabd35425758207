"""Scatter and line charts as inline SVG, coloured by the page's style sheet."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from evonas.report.markup import Markup, join, tag
from evonas.report.numbers import short

_LARGE, _SMALL = (860, 420), (520, 300)
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 46
_LOG_FROM = 20
"""Ratio of largest to smallest value from which an axis is logarithmic."""


@final
@dataclass(frozen=True)
class Dot:
    """One candidate in a scatter plot.

    Attributes:
        number: Of the candidate.
        x: Value on the horizontal axis.
        y: Value on the vertical axis.
        tip: Lines shown when the pointer is on it.
        is_front: Whether it stands out.
    """

    number: int
    x: float
    y: float
    tip: str
    is_front: bool


@final
@dataclass(frozen=True)
class Axis:
    """Maps values to pixels, on a logarithmic scale where the values span much."""

    label: str
    low: float
    high: float
    start: float
    end: float
    is_log: bool
    whole: bool

    @classmethod
    def over(
        cls, values: Sequence[float], label: str, pixels: tuple[float, float], *, whole: bool
    ) -> "Axis":
        """Return an axis that shows all `values`, which are counts if they are `whole`."""
        low, high = min(values), max(values)
        is_log = not whole and low > 0 and high / low > _LOG_FROM
        low, high = (math.log10(low), math.log10(high)) if is_log else (low, high)
        margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        return cls(label, low if whole else low - margin, high + margin, *pixels, is_log, whole)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        place = math.log10(value) if self.is_log else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values along the axis."""
        if self.is_log:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            steps = (1, 2, 5) if self.high - self.low < 3 else (1,)
            marks = [step * 10.0**decade for decade in decades for step in steps]
            return [mark for mark in marks if self.low <= math.log10(mark) <= self.high]
        step = _round_step((self.high - self.low) / 6)
        step = max(1.0, step) if self.whole else step
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [index * step for index in range(first, last + 1)]


def scatter(dots: Sequence[Dot], x_label: str, y_label: str, line: Sequence[Dot] = ()) -> Markup:
    """Draw candidates, the front on top, with a staircase through `line` where it is given."""
    xs, ys = [dot.x for dot in dots], [dot.y for dot in dots]
    x = Axis.over(xs, x_label, (_LEFT, _LARGE[0] - _RIGHT), whole=False)
    y = Axis.over(ys, y_label, (_LARGE[1] - _BOTTOM, _TOP), whole=False)
    corners = [(x.at(dot.x), y.at(dot.y)) for dot in line]
    stairs = [tag("path", class_="stairs", d=_stairs(corners))] if len(corners) > 1 else []
    return _chart(x, y, f"{y_label} against {x_label}", *stairs, *_marks(dots, x, y))


def paired(dots: Sequence[Dot], x_label: str, y_label: str) -> Markup:
    """Draw two measurements of the same kind against each other, with the line of equal ones."""
    values = [value for dot in dots for value in (dot.x, dot.y)]
    x = Axis.over(values, x_label, (_LEFT, _SMALL[0] - _RIGHT), whole=False)
    y = Axis.over(values, y_label, (_SMALL[1] - _BOTTOM, _TOP), whole=False)
    equal = tag("line", class_="equal", x1=x.start, y1=y.start, x2=x.end, y2=y.end)
    return _chart(x, y, f"{y_label} against {x_label}", equal, *_marks(dots, x, y))


def steps(points: Sequence[tuple[int, float]], y_label: str) -> Markup:
    """Draw a value that changes from birth to birth."""
    return _curve(points, ("birth", y_label), _stairs)


def trace(points: Sequence[tuple[int, float]], x_label: str, y_label: str) -> Markup:
    """Draw a value that is measured again and again."""
    return _curve(points, (x_label, y_label), _polyline)


def _curve(
    points: Sequence[tuple[int, float]],
    labels: tuple[str, str],
    path: Callable[[Sequence[tuple[float, float]]], str],
) -> Markup:
    numbers, values = [number for number, _ in points], [value for _, value in points]
    x = Axis.over(numbers, labels[0], (_LEFT, _SMALL[0] - _RIGHT), whole=True)
    y = Axis.over(values, labels[1], (_SMALL[1] - _BOTTOM, _TOP), whole=False)
    places = [(x.at(number), y.at(value)) for number, value in points]
    last = tag("circle", class_="end", cx=places[-1][0], cy=places[-1][1], r=4)
    note = tag(
        "text", short(points[-1][1]), class_="value", x=places[-1][0] - 8, y=places[-1][1] - 10
    )
    line = tag("path", class_="curve", d=path(places))
    return _chart(x, y, f"{labels[1]} over {labels[0]}s", line, last, note)


def _marks(dots: Sequence[Dot], x: Axis, y: Axis) -> list[Markup]:
    """Return the candidates' circles, the front's on top."""
    return [
        tag(
            "circle",
            class_="dot front" if dot.is_front else "dot",
            cx=x.at(dot.x),
            cy=y.at(dot.y),
            r=6 if dot.is_front else 4,
            data_number=dot.number,
            data_tip=dot.tip,
            **_focusable(dot),
        )
        for dot in sorted(dots, key=lambda dot: dot.is_front)
    ]


def _chart(x: Axis, y: Axis, title: str, *marks: Markup) -> Markup:
    bottom, right = y.start, x.end
    grid = [
        join(
            tag("line", class_="grid", x1=_LEFT, x2=right, y1=y.at(value), y2=y.at(value)),
            tag("text", short(value), class_="tick y", x=_LEFT - 8, y=y.at(value) + 4),
        )
        for value in y.ticks()
    ]
    below = [
        join(
            tag("line", class_="mark", x1=x.at(value), x2=x.at(value), y1=bottom, y2=bottom + 5),
            tag("text", short(value), class_="tick x", x=x.at(value), y=bottom + 19),
        )
        for value in x.ticks()
    ]
    names = [
        tag("text", _named(x), class_="axis x", x=(_LEFT + right) / 2, y=bottom + _BOTTOM - 6),
        tag(
            "text", _named(y), class_="axis y", transform=f"translate(14 {bottom / 2}) rotate(-90)"
        ),
    ]
    base = tag("line", class_="base", x1=_LEFT, x2=right, y1=bottom, y2=bottom)
    return tag(
        "svg",
        *(*grid, *below, base, *names, *marks),
        class_="chart",
        viewBox=f"0 0 {right + _RIGHT} {bottom + _BOTTOM}",
        role="img",
        aria_label=title,
    )


def _named(axis: Axis) -> str:
    return f"{axis.label} (log scale)" if axis.is_log else axis.label


def _stairs(places: Sequence[tuple[float, float]]) -> str:
    """Return a path that goes sideways to the next point and then up or down to it."""
    first, *rest = places
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)


def _polyline(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _focusable(dot: Dot) -> Mapping[str, str]:
    if not dot.is_front:
        return {}
    return {"tabindex": "0", "role": "img", "aria_label": dot.tip.replace("\n", ", ")}


def _round_step(size: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least `size`."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size)
