"""Some pictures of a published data set, in a file that a trainer reads at once."""

from pathlib import Path

import numpy as np

from evonas.seeds import Rng
from evonas_trainers.sources import Labelled, Source


def write(file: Path, source: Source, num_train: int, num_test: int, rng: Rng) -> Path:
    """Write so many training and test pictures, drawn at random; return the file.

    Args:
        file: To be written, `*.npz`.
        source: The data set; it has test data of its own.
        num_train: Pictures to learn from, those for validation included.
        num_test: Pictures to be judged by.
        rng: Draws them.
    """
    assert source.test is not None, "what is judged on has not been learned from"
    train, test = _some(source.train, num_train, rng), _some(source.test, num_test, rng)
    classes = np.asarray(int(source.train.labels.max()) + 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        file,
        x=train.inputs,
        y=train.labels,
        x_test=test.inputs,
        y_test=test.labels,
        classes=classes,
    )
    return file


def _some(labelled: Labelled, number: int, rng: Rng) -> Labelled:
    """Return samples in random order: published files may be sorted by class."""
    chosen = rng.permutation(len(labelled.labels))[:number]
    return Labelled(labelled.inputs[chosen], labelled.labels[chosen])
