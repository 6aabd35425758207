"""Pictures of what a candidate does, inside the page: nothing is loaded from anywhere."""

from base64 import b64encode
from collections.abc import Mapping

from evonas.report.markup import Markup, tag

MAX_BYTES = 2 * 2**20
"""Of one picture; a page of more is slow to open."""
MAX_PICTURES = 8

Shown = Mapping[str, bytes | str]
"""Pictures by caption; in the place of one that there is not, why."""


def pictures(shown: Shown) -> Markup | None:
    """Return the pictures, each with its caption, if there are any."""
    if not shown:
        return None
    figures = [_figure(caption, one) for caption, one in list(shown.items())[:MAX_PICTURES]]
    left_out = len(shown) - len(figures)
    note = [tag("p", f"{left_out} more are left out.", class_="note")] if left_out > 0 else []
    return tag("div", *figures, *note, class_="pictures")


def media_type(file: bytes) -> str | None:
    """Return what a picture is by its first bytes, or None if it is none that we embed."""
    match file[:12]:
        case start if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return "image/png"
        case start if start.startswith((b"GIF87a", b"GIF89a")):
            return "image/gif"
        case start if start.startswith(b"RIFF") and start.endswith(b"WEBP"):
            return "image/webp"
        case _:
            return None


def _figure(caption: str, one: object) -> Markup:
    kind = media_type(one) if isinstance(one, bytes) else None
    if not isinstance(one, bytes):
        return _missing(caption, str(one))
    if kind is None:
        return _missing(caption, "this is no PNG, WebP or GIF file")
    if len(one) > MAX_BYTES:
        return _missing(caption, f"{len(one):,} bytes are more than {MAX_BYTES:,}")
    source = f"data:{kind};base64,{b64encode(one).decode()}"
    return tag("figure", tag("img", src=source, alt=caption), tag("figcaption", caption))


def _missing(caption: str, why: str) -> Markup:
    return tag("p", f"{caption}: {why}", class_="note")
