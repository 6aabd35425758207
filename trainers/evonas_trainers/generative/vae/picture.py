"""Generated pictures as one: a row a class, and a gap before each task."""

import io

from PIL import Image
from torch import Tensor

_TILE, _GAP, _TASK_GAP = 28, 2, 8
_PAPER = (255, 255, 255)


def grid(pictures: Tensor, tasks: Tensor) -> bytes:
    """Return a PNG.

    Args:
        pictures: (classes, pictures of a class, channels, height, width), from 0 to 1.
        tasks: The task of each class, ascending.
    """
    classes, each, _, height, width = pictures.shape
    times = max(1, _TILE // max(height, width))
    tall, wide = times * height + _GAP, times * width + _GAP
    tops = [
        _GAP + row * tall + (task - int(tasks[0])) * _TASK_GAP
        for row, task in enumerate(tasks.tolist())
    ]
    image = Image.new("RGB", (_GAP + each * wide, tops[-1] + tall), _PAPER)
    bytes_ = (pictures.clamp(0, 1) * 255).round().byte().cpu().numpy()
    for row in range(classes):
        for column in range(each):
            planes = bytes_[row, column].transpose(1, 2, 0)
            tile = Image.fromarray(planes[:, :, 0] if planes.shape[2] == 1 else planes)
            size = (times * width, times * height)
            image.paste(
                tile.resize(size, Image.Resampling.NEAREST), (_GAP + column * wide, tops[row])
            )
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
