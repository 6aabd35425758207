"""This process as the driver of a Ray cluster: its own, which it ends, or one that it joins.

Ray ends the process of a driver whose head is unreachable for a minute. So Ray is told to be more
patient, and the head is looked at here: a search that has lost it ends with an error.
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
from typing import Any, final

import ray

from evonas.errors import ConfigError, EvonasError
from evonas.executors.cores import usable_cores

LOCAL = "local"
_LOCALHOST = "127.0.0.1"

_LOOK_SECONDS = 1.0
"""How often the head is looked at."""

_HEAD_SECONDS = 10.0
"""How long the head may be unreachable before a search ends."""

_NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
_PATIENCE = {"RAY_gcs_rpc_server_reconnect_timeout_s": str(24 * 3600)}


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
        with contextlib.ExitStack() as leaving:
            leaving.enter_context(_silence())
            if address == LOCAL:
                _begin(cores, leaving)
            else:
                leaving.callback(_disconnect)
                _join(address)
            self._leaving = leaving.pop_all()
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
        self._leaving.close()


def _begin(cores: float, leaving: contextlib.ExitStack) -> None:
    """Start a cluster of this machine alone, which no other machine can reach."""
    folder = tempfile.mkdtemp(prefix="evonas-ray-")
    leaving.callback(shutil.rmtree, folder, ignore_errors=True)
    leaving.callback(_disconnect)
    with _environment(_NO_STATISTICS), _loopback():
        _connect(
            address=LOCAL,
            num_cpus=max(usable_cores(), math.ceil(cores)),
            include_dashboard=False,
            _temp_dir=folder,
        )
    hosts = {node["NodeManagerAddress"] for node in ray.nodes()}
    if hosts != {_LOCALHOST}:
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
        with _environment(_PATIENCE):
            _connect(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ConfigError(f"cannot join the Ray cluster at {address!r}: {said}") from error


def _connect(**options: Any) -> None:
    with _signals_kept():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)


def _disconnect() -> None:
    with _signals_kept():
        ray.shutdown()


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
    """Set variables for Ray, which reads them when it connects, and for what it starts."""
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
def _setting(module: str, name: str, value: object) -> Generator[None]:
    """Change a setting of Ray for which it has neither an option nor a variable that is read late.

    What depends on it is checked, or does no harm, where a version of Ray does not know it.
    """
    owner = import_module(module)
    before = getattr(owner, name, None)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _loopback() -> contextlib.AbstractContextManager[None]:
    """Let Ray bind to the loopback interface.

    It does so by itself on macOS and Windows, where it calls this "no cluster"; elsewhere it binds
    to all interfaces, and takes 127.0.0.1 for a slip of whoever asks for it.
    """
    return _setting("ray._private.ray_constants", "ENABLE_RAY_CLUSTER", value=False)


def _silence() -> contextlib.AbstractContextManager[None]:
    """Keep Ray from printing what the nodes say of dead workers, which is ours to tell."""
    return _setting("ray._private.worker", "_worker_logs_enabled", value=False)
