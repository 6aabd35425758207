"""This process as the driver of a Ray cluster: its own, which it ends, or one that it joins.

Ray ends a driver whose head is unreachable for a minute; so the head is looked at here, and a
search without one ends with an error well before.
"""

import contextlib
import logging
import math
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, final

import ray

from evonas.errors import ConfigError, EvonasError
from evonas.executors.cores import usable_cores

LOCAL = "local"
_LOCALHOST = "127.0.0.1"

_LOOK_SECONDS = 1.0
"""How often the head is looked at."""

_HEAD_SECONDS = 10.0
"""How long the head may be unreachable; well below the minute after which Ray ends the driver."""

_NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}


@final
class Session:
    """The connection of this process to a Ray cluster; a process has one at a time.

    Args:
        address: `local`, `auto`, or where the head is.
        cores: That a local cluster has at least.

    Raises:
        ConfigError: if there is no such cluster, or this process is connected already.
    """

    def __init__(self, address: str, cores: float) -> None:
        if ray.is_initialized():
            raise ConfigError(
                "this process is connected to a Ray cluster already; call ray.shutdown() before"
                " a search, which makes its own connection"
            )
        self._folder: Path | None = None
        with _signals_kept():
            if address == LOCAL:
                self._begin(cores)
            else:
                _join(address)
        self._head: str = ray.get_runtime_context().gcs_address
        self._seen = self._looked = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether the head did not answer when it was last looked at."""
        return self._seen < self._looked

    def room(self, claim: Mapping[str, float]) -> int:
        """Return how many slots with this claim the cluster's nodes have room for."""
        return sum(_room(node, claim) for node in self.nodes())

    def nodes(self) -> Sequence[Mapping[str, float]]:
        """Return what each living node has, by Ray's names of resources."""
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def check(self) -> None:
        """Look at the head if it was not looked at just now.

        Raises:
            EvonasError: if it has been unreachable for too long.
        """
        now = time.monotonic()
        if now < self._looked + _LOOK_SECONDS:
            return
        self._looked = now
        if _answers(self._head):
            self._seen = now
        elif now > self._seen + _HEAD_SECONDS:
            raise EvonasError(
                f"the head of the Ray cluster at {self._head} has not answered for"
                f" {now - self._seen:.0f} s; the record is kept, and the same command goes on"
                " when there is a cluster again"
            )

    def check_for_certain(self) -> None:
        """Return when the head answers, asked after a moment in which it may be falling too.

        Raises:
            EvonasError: if it has been unreachable for too long.
        """
        while True:
            time.sleep(_LOOK_SECONDS)
            self.check()
            if not self.is_lost:
                return

    def close(self) -> None:
        """Leave the cluster; end it if it was started here. May be called twice."""
        with _signals_kept():
            ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, cores: float) -> None:
        """Start a cluster of this machine alone, which no other machine can reach."""
        self._folder = Path(tempfile.mkdtemp(prefix="evonas-ray-"))
        try:
            with _environment(_NO_STATISTICS), _loopback():
                _connect(
                    address=LOCAL,
                    num_cpus=max(usable_cores(), math.ceil(cores)),
                    include_dashboard=False,
                    _temp_dir=str(self._folder),
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        hosts = {node["NodeManagerAddress"] for node in ray.nodes()}
        if hosts != {_LOCALHOST}:
            self.close()
            raise ConfigError(
                f"this version of Ray ({ray.__version__}) listens at {sorted(hosts)}, reachable"
                " from outside; start a cluster with `ray start` and give its address"
            )


def _join(address: str) -> None:
    """Connect to a cluster that is there."""
    if address != "auto" and not _answers(address):
        raise ConfigError(
            f"there is no Ray cluster at {address!r}; start one with `ray start --head`,"
            " or use address = 'local'"
        )
    try:
        _connect(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ConfigError(f"cannot join the Ray cluster at {address!r}: {said}") from error


def _connect(**options: Any) -> None:
    ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)


def _answers(address: str) -> bool:
    """Return whether somebody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"address is {address!r}; give 'local', 'auto' or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True


def _room(has: Mapping[str, float], claim: Mapping[str, float]) -> int:
    return min(int(has.get(name, 0.0) / amount + 1e-9) for name, amount in claim.items())


@contextlib.contextmanager
def _signals_kept() -> Generator[None]:
    """Put back what this process does on signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set variables for the processes that Ray starts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _loopback() -> Generator[None]:
    """Let Ray bind to the loopback interface.

    It does so by itself on macOS and Windows, where it calls this "no cluster"; elsewhere it binds
    to all interfaces, and takes 127.0.0.1 for a slip of whoever asks for it.
    """
    constants: Any = import_module("ray._private.ray_constants")
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
