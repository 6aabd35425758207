"""What this machine and this installation can do; every line says ok, warn or fail in words."""

import multiprocessing
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, final

import psutil
import torch
from packaging.requirements import Requirement
from packaging.version import Version

from evonas import devices
from evonas.catalogue import entries

RUNS = Path("runs")
_GIGABYTE = 1e9
_LITTLE_DISK, _LITTLE_MEMORY = 2.0, 2.0


@final
@dataclass(frozen=True)
class Finding:
    """One line of the report; only `fail` makes an installation unhealthy."""

    verdict: Literal["ok", "warn", "fail"]
    text: str

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.verdict:<5} {self.text}"


def examine() -> tuple[list[str], bool]:
    """Return a line for everything looked at, and whether a search can run here."""
    looks = (_python, _packages, _extras, _device, _processor, _storage, _plugins)
    findings = [finding for look in looks for finding in look()]
    return [str(one) for one in findings], all(one.verdict != "fail" for one in findings)


def _python() -> Iterator[Finding]:
    wanted = metadata.metadata("evonas")["Requires-Python"]
    found = platform.python_version()
    verdict = "ok" if Version(found) in Requirement(f"python{wanted}").specifier else "fail"
    yield Finding(verdict, f"Python {found} at {sys.executable} (wanted {wanted})")


def _packages() -> Iterator[Finding]:
    for requirement in _requirements():
        if "extra" not in str(requirement.marker or ""):
            yield _package(requirement, "fail", "pip install evonas")


def _extras() -> Iterator[Finding]:
    wanted: dict[str, list[Requirement]] = {}
    for requirement in _requirements():
        for extra in re.findall(r'extra == "([\w-]+)"', str(requirement.marker or "")):
            wanted.setdefault(extra, []).append(requirement)
    for extra, requirements in wanted.items():
        if extra == "dev":
            continue
        missing = [one.name for one in requirements if not _version(one.name)]
        names = ", ".join(one.name for one in requirements)
        if missing:
            command = f"pip install 'evonas[{extra}]'"
            yield Finding("warn", f"extra {extra}: {', '.join(missing)} missing; {command}")
        else:
            yield Finding("ok", f"extra {extra}: {names}")


def _device() -> Iterator[Finding]:
    device = devices.best()
    precision = str(devices.precision("auto", device)).removeprefix("torch.")
    if device.type == "cpu":
        yield Finding("ok", "no accelerator; candidates train on the CPU")
    else:
        number = torch.accelerator.device_count()
        yield Finding("ok", f"accelerator {device.type}, {number} of it")
    text = "bfloat16 in hardware" if precision == "bfloat16" else "no bfloat16 in hardware"
    yield Finding("ok", f'{text}; precision = "auto" means {precision}')


def _processor() -> Iterator[Finding]:
    cores = len(psutil.Process().cpu_affinity()) if psutil.LINUX else os.cpu_count() or 1
    yield Finding("ok", f"{cores} CPU cores")
    memory = psutil.virtual_memory().available / _GIGABYTE
    verdict = "ok" if memory >= _LITTLE_MEMORY else "warn"
    yield Finding(verdict, f"{memory:.1f} GB of memory free; a worker takes about 0.3")
    if "forkserver" in multiprocessing.get_all_start_methods():
        yield Finding("ok", "forkserver: workers start in tens of milliseconds")
    else:
        yield Finding("warn", "no forkserver: every worker imports torch anew, in seconds")


def _storage() -> Iterator[Finding]:
    folder = RUNS if RUNS.is_dir() else RUNS.absolute().parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"evonas")
    except OSError as error:
        yield Finding("fail", f"cannot write to {str(folder)!r} ({error.strerror}); use --out DIR")
        return
    free = shutil.disk_usage(folder).free / _GIGABYTE
    verdict = "ok" if free >= _LITTLE_DISK else "warn"
    yield Finding(verdict, f"{str(folder)!r} can be written; {free:.1f} GB free")


def _plugins() -> Iterator[Finding]:
    found = entries()
    for entry in found:
        if entry.trouble:
            yield Finding("warn", f"{entry.kind}/{entry.name}: {entry.trouble}")
    usable = sum(not entry.trouble for entry in found)
    yield Finding("ok" if usable else "fail", f"{usable} of {len(found)} plug-ins can be used")


def _package(requirement: Requirement, otherwise: Literal["warn", "fail"], remedy: str) -> Finding:
    found = _version(requirement.name)
    wanted = str(requirement.specifier) or "any version"
    if not found:
        return Finding(otherwise, f"{requirement.name} is missing (wanted {wanted}); {remedy}")
    if not requirement.specifier.contains(found, prereleases=True):
        return Finding(otherwise, f"{requirement.name} {found}, wanted {wanted}; {remedy}")
    return Finding("ok", f"{requirement.name} {found}")


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in metadata.requires("evonas") or []]


def _version(name: str) -> str:
    """Return the installed version of a distribution, or the empty string."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
