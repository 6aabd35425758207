"""Series are split in time, and standardised by the training part."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evonas.errors import ConfigError
from evonas_trainers.generative.sde.series import SHIPPED, Cut, ornstein_uhlenbeck, split_series

SPLITS = ("train", "valid", "test")


def test_no_window_reaches_into_another_part(tmp_path: Path) -> None:
    path = tmp_path / "clock.npz"
    np.savez(path, x=np.arange(100.0))
    found = split_series(str(path), Cut(observations=5, stride=2), 0)
    times = {
        split: set((found[split] * found["deviation"] + found["mean"]).round().flatten().tolist())
        for split in SPLITS
    }
    assert max(times["train"]) < 60 <= min(times["valid"])
    assert max(times["valid"]) < 80 <= min(times["test"])


@pytest.mark.parametrize("data", ["ornstein-uhlenbeck", *SHIPPED])
def test_training_series_are_standard(data: str) -> None:
    found = split_series(data, Cut(paths=256), 0)
    assert all(found[split].shape[1] == 16 for split in SPLITS)
    assert all(found[split].isfinite().all() for split in SPLITS)
    torch.testing.assert_close(found["train"].mean((0, 1)), 0 * found["mean"], rtol=0, atol=1e-5)
    torch.testing.assert_close(found["train"].std((0, 1)), found["mean"] * 0 + 1)


def test_ornstein_uhlenbeck_paths_have_the_moments_of_the_equation() -> None:
    paths = ornstein_uhlenbeck(20_000, 32, 0)[:, :, 0]
    end, time = paths[:, -1], 31.0
    pull, push, spread = 0.1, 0.02, 0.4
    kept = np.exp(-pull * time)
    mean = push * (time / pull - (1 - kept) / pull**2)
    variance = kept**2 / 3 + spread**2 * (1 - kept**2) / (2 * pull)
    assert float(end.mean()) == pytest.approx(mean, abs=0.03)
    assert float(end.var()) == pytest.approx(variance, rel=0.03)


def test_a_table_with_a_line_of_names_is_a_series(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{time},{time**2}" for time in range(60))
    path.write_text(f"a,b\n{rows}\n", encoding="utf-8")
    assert split_series(str(path), Cut(observations=4), 0)["train"].shape == (33, 4, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no file"),
        ("words.csv", "a\none\ntwo\n", "cannot read a series"),
        ("short.csv", "a\n" + "1\n" * 20, "too few for two windows"),
        ("hole.csv", "a\n" + "1\nnan\n" * 80, "finite numbers"),
        ("google.txt", "", "unknown data"),
    ],
)
def test_what_is_no_series_is_refused(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        split_series(str(path), Cut(), 0)


def test_an_array_of_another_name_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", y=np.zeros(100))
    with pytest.raises(ConfigError, match="cannot read a series"):
        split_series(str(tmp_path / "x.npz"), Cut(), 0)


@pytest.mark.parametrize(
    "fields", [{"observations": 1}, {"stride": 0}, {"test_ratio": 0.0}, {"valid_ratio": 0.9}]
)
def test_a_cut_that_leaves_nothing_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Cut(**fields)  # pyright: ignore[reportArgumentType] - wrong on purpose
