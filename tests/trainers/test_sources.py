"""Every kind of source is read as published; what cannot be read is refused in one line."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers.sources import Source, read


def load(name: str, root: Path = Path()) -> Source:
    return read(name, root, 8)


def test_pickled_objects_are_not_read(tmp_path: Path) -> None:
    objects = np.array([{}, []], dtype=object)
    np.savez(tmp_path / "data.npz", allow_pickle=True, x=objects)
    with pytest.raises(ConfigError, match=r"no readable \.npz"):
        load(str(tmp_path / "data.npz"))


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04 torn"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"no readable \.npz"):
        load(str(tmp_path / "data.npz"))


@pytest.mark.parametrize("name", ["nowhere.npz", "folder:nowhere", "packed:nowhere"])
def test_a_missing_place_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no data at .*nowhere"):
        load(name)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
        load("cifar-10")


def test_a_download_without_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"cannot be downloaded .*connect to the network once"):
        load("cifar10", tmp_path)


def picture(path: Path, shade: int, size: tuple[int, int] = (6, 5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 0, 255)).save(path)


def test_a_folder_of_classes_is_read_and_resized(tmp_path: Path) -> None:
    for number in range(10):
        picture(tmp_path / "cat" / f"{number}.png", 10)
        picture(tmp_path / "dog" / f"{number}.png", 20, (9, 9))
    found = load(f"folder:{tmp_path}").train
    assert found.inputs.shape == (20, 8, 8, 3)
    assert found.labels.tolist() == [0] * 10 + [1] * 10
    assert np.array_equal(found.inputs[:, 0, 0, 0], 10 * found.labels + 10)


def test_a_folder_may_bring_its_test_data(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for number in range(10):
            picture(tmp_path / "train" / label / f"{number}.png", 10)
        picture(tmp_path / "test" / label / "0.png", 10)
    found = load(f"folder:{tmp_path}")
    assert found.test is not None
    assert (len(found.train.labels), len(found.test.labels)) == (20, 2)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no folder for any class"):
        load(f"folder:{tmp_path}")


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"0\.png' is no readable picture"):
        load(f"folder:{tmp_path}")


def pack(path: Path, pictures: NDArray[np.uint8], labels: NDArray[Any], columns: int) -> None:
    """Write grey pictures as contact sheets of six, lossless."""
    number, height, width = pictures.shape
    meta = {"n": number, "h": height, "w": width, "cols": columns, "per_sheet": 6, "channels": 1}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.json", json.dumps(meta))
        buffer = io.BytesIO()
        np.savez(buffer, y=labels)
        archive.writestr("arrays.npz", buffer.getvalue())
        for sheet in range(-(-number // 6)):
            tiles = np.zeros((-(-6 // columns) * columns, height, width), np.uint8)
            part = pictures[6 * sheet : 6 * sheet + 6]
            tiles[: len(part)] = part
            rows = [np.concatenate([*row], 1) for row in tiles.reshape(-1, columns, height, width)]
            buffer = io.BytesIO()
            Image.fromarray(np.concatenate(rows)).save(buffer, "WEBP", lossless=True)
            archive.writestr(f"{sheet:03d}.webp", buffer.getvalue())


@pytest.mark.parametrize("columns", [3, 4])
def test_a_packed_data_set_is_unpacked_exactly(tmp_path: Path, columns: int) -> None:
    pictures = seeds.stream(0).integers(0, 256, (40, 5, 7)).astype(np.uint8)
    labels = np.arange(40) % 2
    pack(tmp_path / "train40.zip", pictures, labels, columns)
    pack(tmp_path / "test.zip", pictures[:9], labels[:9], columns)
    found = load(f"packed:{tmp_path}")
    assert np.array_equal(found.train.inputs[..., 0], pictures)
    assert np.array_equal(found.train.labels, labels)
    assert found.test is not None
    assert len(found.test.inputs) == 9


def test_a_folder_without_archives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 0 files train\*\.zip, not one"):
        load(f"packed:{tmp_path}")


def test_an_archive_of_other_things_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(ConfigError, match="is no packed data set"):
        load(f"packed:{tmp_path}")


def test_a_packed_data_set_of_the_name_is_read_and_not_downloaded(tmp_path: Path) -> None:
    pictures = seeds.stream(1).integers(0, 256, (20, 5, 7)).astype(np.uint8)
    (folder := tmp_path / "fashion_mnist").mkdir()
    for part in ("train", "test"):
        pack(folder / f"{part}.zip", pictures, np.arange(20) % 2, 5)
    source = read("fashion-mnist", tmp_path / "downloads", 8, tmp_path)
    assert np.array_equal(source.train.inputs[..., 0], pictures)
    assert not (tmp_path / "downloads").exists()
