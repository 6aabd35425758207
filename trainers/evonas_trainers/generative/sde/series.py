"""Series to learn from: windows of what was measured, or an equation's own paths.

Measured series are split in time, before windows are cut: the last part is for the test, the one
before for validation, and no window reaches from one part into another. All is standardised by what
is known from the training part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from evonas import seeds
from evonas.errors import ConfigError, unknown
from evonas_trainers.generative.sde.distances import median_distance

SPLITS = ("train", "valid", "test")
_MEDIAN_SERIES = 1000
_SERIES = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, kw_only=True)
class Cut:
    """How series become windows.

    Attributes:
        observations: In a window.
        stride: Observations from the start of a window to that of the next.
        valid_ratio: Share of the time for validation.
        test_ratio: Share of the time, its last part, for the test.
        paths: How many paths are drawn of a known equation.
    """

    observations: int = 16
    stride: int = 1
    valid_ratio: float = 0.2
    test_ratio: float = 0.2
    paths: int = 4096

    def __post_init__(self) -> None:
        if self.observations < 2 or min(self.stride, self.paths) < 1:
            raise ConfigError(
                f"a cut needs observations >= 2, stride >= 1 and paths >= 1, given {self!r}"
            )
        if min(self.valid_ratio, self.test_ratio) <= 0 or self.valid_ratio + self.test_ratio >= 1:
            raise ConfigError(
                "valid_ratio and test_ratio are shares above 0 that leave some for training,"
                f" given {self!r}"
            )


def split_series(data: str, cut: Cut, seed: int) -> Mapping[str, Tensor]:
    """Return windows by split, (windows, observations, channels), and the unit of distances.

    Args:
        data: `ornstein-uhlenbeck`; a series of `SHIPPED`; or a file: `*.npz` with `x` (times,) or
            (times, channels), or `*.csv` of numbers below one line of names.
        cut: How to cut it.
        seed: Of what is drawn.

    Raises:
        ConfigError: if there are no such data, or too few.
    """
    if data == "ornstein-uhlenbeck":
        drawn = ornstein_uhlenbeck(cut.paths, cut.observations, seed)
        parts = dict(zip(SPLITS, drawn.split(_lengths(len(drawn), cut)), strict=True))
    else:
        series, is_relative = _read(data)
        lengths = _lengths(len(series), cut)
        pieces = torch.from_numpy(np.ascontiguousarray(series)).float().split(lengths)
        parts = {
            split: _windows(piece, cut, data, is_relative=is_relative)
            for split, piece in zip(SPLITS, pieces, strict=True)
        }
    if min(len(windows) for windows in parts.values()) < 2:
        raise ConfigError(f"{data!r} has too few series; make `paths` or the shares larger")
    mean, deviation = parts["train"].mean((0, 1)), parts["train"].std((0, 1)).clamp_min(1e-8)
    found = {split: ((one - mean) / deviation).contiguous() for split, one in parts.items()}
    few = found["train"][:: max(1, len(found["train"]) // _MEDIAN_SERIES)]
    return {**found, "mean": mean, "deviation": deviation, "unit": median_distance(few)}


def ornstein_uhlenbeck(paths: int, observations: int, seed: int) -> Tensor:
    """Return exact paths of dX = (0.02 t - 0.1 X) dt + 0.4 dW from X(0) uniform in [-1, 1].

    The benchmark of Kidger et al. 2021, (paths, observations, 1): drawn from its Gaussian
    transitions and not by a solver.
    """
    push, pull, spread = 0.02, 0.1, 0.4
    draws = seeds.stream(seed, "ornstein-uhlenbeck")
    kept = np.exp(-pull)
    deviation = spread * np.sqrt((1 - kept**2) / (2 * pull))
    values = np.empty((paths, observations))
    values[:, 0] = draws.uniform(-1.0, 1.0, paths)
    for time in range(observations - 1):
        pushed = push * (time * (1 - kept) / pull + 1 / pull - (1 - kept) / pull**2)
        noise = deviation * draws.standard_normal(paths)
        values[:, time + 1] = kept * values[:, time] + pushed + noise
    return torch.from_numpy(values[:, :, None]).float()


def _lengths(total: int, cut: Cut) -> list[int]:
    """Return how many of so many belong to each split."""
    valid, test = int(total * cut.valid_ratio), int(total * cut.test_ratio)
    return [total - valid - test, valid, test]


def _windows(piece: Tensor, cut: Cut, data: str, *, is_relative: bool) -> Tensor:
    """Return the windows of a piece of time; relative ones start at 0."""
    if len(piece) < cut.observations + cut.stride:
        raise ConfigError(
            f"a part of {data!r} has {len(piece)} times, too few for two windows of"
            f" {cut.observations}; make `observations`, `stride` or the other shares smaller"
        )
    windows = piece.unfold(0, cut.observations, cut.stride).transpose(1, 2)
    return windows - windows[:, :1] if is_relative else windows


def _read(data: str) -> tuple[_SERIES, bool]:
    """Return a series (times, channels), and whether only its changes in a window matter."""
    path = Path(data)
    if data in SHIPPED:
        series, is_relative = SHIPPED[data]()
    elif path.suffix in {".npz", ".csv"}:
        series, is_relative = _file(path), False
    else:
        raise unknown("data", data, ["ornstein-uhlenbeck", *SHIPPED, "*.npz", "*.csv"])
    if series.ndim == 1:
        series = series[:, None]
    if series.ndim != 2 or not np.isfinite(series).all():
        raise ConfigError(
            f"{data!r} has the shape {series.shape}; wanted are (times, channels) of finite numbers"
        )
    return series, is_relative


def _file(path: Path) -> _SERIES:
    if not path.exists():
        raise ConfigError(f"there is no file {str(path)!r}")
    try:
        if path.suffix == ".csv":
            return np.loadtxt(path, delimiter=",", skiprows=1)
        with np.load(path) as found:
            return np.asarray(found["x"], dtype=float)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"cannot read a series of numbers from {str(path)!r}: {error}") from error


def _google() -> tuple[_SERIES, bool]:
    """Return the logarithm of Google's share price, adjusted, 1047 days from August 2004 on."""
    with np.load(_shipped("goog.npz")) as found:
        return np.log(found["price_data"]["adj_close"]), True


def _eeg() -> tuple[_SERIES, bool]:
    """Return an electroencephalogram, 800 times of 4 channels."""
    return np.fromfile(_shipped("eeg.dat")).reshape(800, 4), False


def _shipped(name: str) -> Path:
    """Return a file of matplotlib's sample data."""
    from matplotlib import cbook  # noqa: PLC0415 - slow, and only here

    return Path(str(cbook.get_sample_data(name, asfileobj=False)))


SHIPPED: Mapping[str, Callable[[], tuple[_SERIES, bool]]] = {"google": _google, "eeg": _eeg}
"""Series that matplotlib ships as sample data."""
