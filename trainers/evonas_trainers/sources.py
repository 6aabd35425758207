"""Where labelled data come from: a name, a folder or a file -> arrays as they were published."""

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from evonas.errors import ConfigError, unknown

Array = NDArray[Any]
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
_FORMS = ("folder:PATH", "packed:PATH", "FILE.npz")


@final
@dataclass(frozen=True)
class Labelled:
    """Inputs with labels, unchecked.

    Attributes:
        inputs: (samples, features), (samples, height, width), (samples, channels, height, width)
            or, with 1 or 3 channels, (samples, height, width, channels).
        labels: (samples,).
        classes: Number of classes, if the source says so.
    """

    inputs: Array
    labels: Array
    classes: int | None = None


@final
@dataclass(frozen=True)
class Source:
    """A data set: its training data, and its test data where it has some of its own."""

    train: Labelled
    test: Labelled | None = None


def read(name: str, root: Path, size: int, packed: Path | None = None) -> Source:
    """Read the data set `name`.

    Args:
        name: `digits`, `mnist`, `fashion-mnist`, `cifar10`, `cifar100`, `svhn`; `folder:PATH`;
            `packed:PATH`; or the path of a file ending in `.npz`.
        root: Folder in which downloads are kept.
        size: Height and width to which the pictures of a folder are resized.
        packed: Folder that may hold packed data sets by name, each in a folder of its own; a data
            set that is there is not downloaded.

    Raises:
        ConfigError: if it is not there or cannot be read.
    """
    kind, _, path = name.partition(":")
    if path and kind == "folder":
        return _folder(_existing(path), size)
    if path and kind == "packed":
        return _packed(_existing(path))
    if name.endswith(".npz"):
        return _npz(_existing(name))
    if name == "digits":
        return _digits()
    if name in _DOWNLOADS:
        if packed is not None and (folder := packed / name.replace("-", "_")).is_dir():
            return _packed(folder)
        return _download(name, root)
    raise unknown("data set", name, ["digits", *_DOWNLOADS, *_FORMS])


def _existing(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.exists():
        raise ConfigError(f"no data at {text!r} (looked for {str(path.absolute())!r})")
    return path


def _digits() -> Source:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - slow, and of use once a search

    inputs, labels = map(np.asarray, load_digits(return_X_y=True))
    return Source(Labelled(inputs.astype(np.uint8).reshape(-1, 8, 8), labels, 10))


def _mnist(datasets: Any, root: str, train: bool) -> Labelled:
    found = datasets.MNIST(root, train, download=True)
    return Labelled(found.data.numpy(), found.targets.numpy(), 10)


def _fashion_mnist(datasets: Any, root: str, train: bool) -> Labelled:
    found = datasets.FashionMNIST(root, train, download=True)
    return Labelled(found.data.numpy(), found.targets.numpy(), 10)


def _cifar10(datasets: Any, root: str, train: bool) -> Labelled:
    found = datasets.CIFAR10(root, train, download=True)
    return Labelled(found.data, np.asarray(found.targets), 10)


def _cifar100(datasets: Any, root: str, train: bool) -> Labelled:
    found = datasets.CIFAR100(root, train, download=True)
    return Labelled(found.data, np.asarray(found.targets), 100)


def _svhn(datasets: Any, root: str, train: bool) -> Labelled:
    found = datasets.SVHN(root, "train" if train else "test", download=True)
    return Labelled(found.data, found.labels, 10)


_DOWNLOADS: Mapping[str, Callable[[Any, str, bool], Labelled]] = {
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "svhn": _svhn,
}


def _download(name: str, root: Path) -> Source:
    from torchvision import datasets  # noqa: PLC0415 - takes 1.5 s, and workers never need it

    try:
        root.mkdir(parents=True, exist_ok=True)
        load = _DOWNLOADS[name]
        return Source(load(datasets, str(root), True), load(datasets, str(root), False))
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"data set {name!r} is not in {str(root)!r} and cannot be downloaded ({reason}); "
            "connect to the network once, or give the folder that has it as root"
        ) from error


def _npz(path: Path) -> Source:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"{str(path)!r} is no readable .npz file ({error})") from error
    if missing := {"x", "y"} - set(arrays):
        raise ConfigError(
            f"{str(path)!r} has no array {min(missing)!r} (it has: {', '.join(arrays) or 'none'}); "
            "save it with numpy.savez(path, x=inputs, y=labels)"
        )
    classes = int(arrays["classes"]) if "classes" in arrays else None
    test = None
    if "x_test" in arrays and "y_test" in arrays:
        test = Labelled(arrays["x_test"], arrays["y_test"], classes)
    return Source(Labelled(arrays["x"], arrays["y"], classes), test)


def _folder(path: Path, size: int) -> Source:
    """Read `path/CLASS/*.png`, or `path/train/CLASS/*` and `path/test/CLASS/*`."""
    if (path / "train").is_dir() and (path / "test").is_dir():
        names = _class_names(path / "train")
        return Source(_pictures(path / "train", names, size), _pictures(path / "test", names, size))
    return Source(_pictures(path, _class_names(path), size))


def _class_names(path: Path) -> list[str]:
    names = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
    if not names:
        raise ConfigError(f"{str(path)!r} has no folder for any class; put pictures in CLASS/*.png")
    return names


def _pictures(path: Path, names: list[str], size: int) -> Labelled:
    inputs: list[Array] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        for file in sorted((path / name).glob("*")):
            if file.suffix.lower() in _PICTURES:
                inputs.append(_picture(file, size))
                labels.append(label)
    if not inputs:
        raise ConfigError(f"no pictures in {str(path / names[0])!r} and the folders beside it")
    return Labelled(np.stack(inputs), np.asarray(labels), len(names))


def _picture(file: Path, size: int) -> Array:
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB").resize((size, size)))
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigError(f"{str(file)!r} is no readable picture ({error})") from error


def _packed(path: Path) -> Source:
    """Read a folder with one `train*.zip` and one `test*.zip` of contact sheets."""
    parts: list[Labelled] = []
    for part in ("train", "test"):
        found = sorted(path.glob(f"{part}*.zip"))
        if len(found) != 1:
            raise ConfigError(f"{str(path)!r} has {len(found)} files {part}*.zip, not one")
        parts.append(_sheets(found[0]))
    return Source(*parts)


def _sheets(path: Path) -> Labelled:
    """Unpack pictures that stand in rows on sheets `000.webp`, ...; see `meta.json` for sizes."""
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
            with np.load(io.BytesIO(archive.read("arrays.npz")), allow_pickle=False) as arrays:
                labels = arrays["y"]
            sheets = [
                _tiles(Image.open(io.BytesIO(archive.read(f"{number:03d}.webp"))), meta)
                for number in range(-(-meta["n"] // meta["per_sheet"]))
            ]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{str(path)!r} is no packed data set ({error})") from error
    return Labelled(np.concatenate(sheets)[: meta["n"]], labels)


def _tiles(sheet: Image.Image, meta: Mapping[str, int]) -> Array:
    """Cut a sheet into (tiles, height, width, channels), row by row."""
    height, width, columns = meta["h"], meta["w"], meta["cols"]
    pixels = np.asarray(sheet.convert("L" if meta["channels"] == 1 else "RGB"))
    rows = pixels.shape[0] // height
    grid = pixels.reshape(rows, height, columns, width, -1)
    tiles = grid.transpose(0, 2, 1, 3, 4).reshape(rows * columns, height, width, -1)
    return tiles[: meta["per_sheet"]]
