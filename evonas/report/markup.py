"""HTML and SVG elements as strings; text is escaped unless it is markup already."""

from html import escape
from typing import final


@final
class Markup(str):
    """Text that is safe to stand in a page as it is."""

    __slots__ = ()


_VOID = frozenset({"meta", "circle", "img", "line", "path", "rect"})


def tag(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """Return an element.

    In attribute names a trailing underscore is dropped and others become hyphens: `class_`,
    `stroke_width`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Return the children one after the other, escaped where they are plain text."""
    return Markup(
        "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
