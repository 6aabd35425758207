"""Series as a picture: what is real on the left, what was generated on the right."""

import io

from PIL import Image, ImageDraw
from torch import Tensor

_WIDTH, _HEIGHT, _MARGIN = 360, 240, 12
_PAPER, _FRAME = (255, 255, 255), (190, 190, 190)
_INKS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189))
"""One for each channel, again and again."""


def side_by_side(real: Tensor, generated: Tensor) -> bytes:
    """Return a PNG of two panels on one scale; series are (series, observations, channels)."""
    low, high = float(real.min()), float(real.max())
    room = 0.15 * (high - low) + 1e-6
    image = Image.new("RGB", (2 * _WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    for panel, series in enumerate((real, generated)):
        left, top = panel * _WIDTH + _MARGIN, _MARGIN
        right, bottom = left + _WIDTH - 2 * _MARGIN, _HEIGHT - _MARGIN
        span = max(1, series.shape[1] - 1)
        share = (series.clamp(low - room, high + room) - low + room) / (high - low + 2 * room)
        for one in share.transpose(1, 2).tolist():
            for channel, values in enumerate(one):
                points = [
                    (left + (right - left) * place / span, bottom - (bottom - top) * value)
                    for place, value in enumerate(values)
                ]
                draw.line(points, fill=_INKS[channel % len(_INKS)])
        draw.rectangle((left, top, right, bottom), outline=_FRAME)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
