"""The executor `ray` on real clusters: of this machine alone, and of several nodes that may die."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import tomli_w
from ray.cluster_utils import Cluster
from ray.experimental import get_object_locations
from support.executor_jobs import Unloadable, evaluate, job
from support.tiny_search import TINY
from support.waiting import is_gone, wait_until

from evonas import api
from evonas.errors import ConfigError
from evonas.executors.executor import Reported
from evonas.executors.ray_cluster import Ray
from evonas.executors.ray_files import Copy, Dispatch
from evonas.executors.ray_session import Session
from evonas.genome import Birth
from evonas.history import Evaluation, Failure, Individual
from evonas.store import JOURNAL, decisions

pytestmark = pytest.mark.slow

LOOPBACK = {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


class Deaf:
    """Watches a search and does not mind."""

    def told(self, message: str) -> None: ...
    def resumed(self, individuals: Sequence[Individual]) -> None: ...
    def born(self, number: int, birth: Birth) -> None: ...
    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None: ...
    def finished(self, individual: Individual) -> None: ...


class Striking(Deaf):
    """Does something when so many candidates have finished."""

    def __init__(self, after: int, strike: Callable[[], object]) -> None:
        self._left = after
        self._strike = strike

    def finished(self, individual: Individual) -> None:
        self._left -= 1
        if not self._left:
            self._strike()


@pytest.fixture(scope="module", autouse=True)
def temporary() -> Iterator[Path]:
    """A folder for temporary files that is ours; its name is short, as those of sockets must be."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without CPUs and two nodes of one CPU each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def serial(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """What a search decides that nothing disturbs."""

    def decided(**changes: Any) -> list[dict[str, Any]]:
        api.search({**TINY, **changes}, out=tmp_path / "serial")
        return decisions(tmp_path / "serial")

    return decided


def ignore(_: Reported) -> None:
    pass


def at(cluster: Cluster) -> str:
    assert cluster.address is not None
    return cluster.address


def joined(cluster: Cluster) -> dict[str, Any]:
    return {"name": "ray", "address": at(cluster)}


def left(temporary: Path) -> list[Path]:
    return list(temporary.glob("evonas-*"))


def test_a_search_on_two_nodes_decides_as_a_serial_one(
    cluster: Cluster, temporary: Path, tmp_path: Path, serial: Callable[..., Any]
) -> None:
    api.search({**TINY, "executor": joined(cluster)}, out=tmp_path / "ray")
    assert decisions(tmp_path / "ray") == serial()
    assert not left(temporary)


def test_a_search_that_loses_a_node_decides_as_a_serial_one(
    cluster: Cluster, tmp_path: Path, serial: Callable[..., Any]
) -> None:
    trainer = {"name": TINY["trainer"], "seconds": 0.3}
    (victim, *_) = cluster.worker_nodes

    def strike() -> None:
        cluster.remove_node(victim, allow_graceful=False)

    table = {**TINY, "trainer": trainer, "executor": joined(cluster)}
    try:
        api.search(table, out=tmp_path / "ray", view=Striking(3, strike))
    finally:
        cluster.add_node(num_cpus=1)
    assert victim not in cluster.worker_nodes
    assert decisions(tmp_path / "ray") == serial()


def test_a_slot_that_is_killed_costs_its_candidate_alone_and_is_replaced(
    cluster: Cluster, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with closing(Ray(address=at(cluster), workers=1).start(evaluate, ignore)) as pool:
        pool.submit(job(0, "with_a_child", note=str(first)))
        wait_until(first.exists)
        before = pids(first)
        fork_server = psutil.Process(before[0]).ppid()
        os.kill(psutil.Process(fork_server).ppid(), signal.SIGKILL)
        lost = pool.next_finished()
        assert isinstance(lost.outcome, Failure)
        assert (lost.number, lost.outcome.kind) == (0, "lost")
        pool.submit(job(1, "good"))
        assert isinstance(pool.next_finished().outcome, Evaluation)
        wait_until(lambda: all(map(is_gone, before)))
        pool.submit(job(2, "with_a_child", note=str(second)))
        wait_until(second.exists)
    wait_until(lambda: all(map(is_gone, pids(second))))


def pids(note: Path) -> list[int]:
    return [int(pid) for pid in note.read_text(encoding="ascii").split()]


def test_a_file_is_put_once_and_stands_once_on_a_node(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "weights" / "a.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"w" * 2**20)
    files = {"weights/a.safetensors": file}
    with closing(Session(at(cluster), 0)):
        dispatch = Dispatch()
        first, again = dispatch.parcels(files), dispatch.parcels(files)
        assert first == again
        folders = [tmp_path / str(number) for number in range(4)]
        for folder in folders:
            folder.mkdir()
        copier: Any = ray.remote(Copy)
        copies = [copier.options(num_cpus=0.1).remote(folder) for folder in folders]
        ray.get([copy.take.remote(first) for copy in copies])
        assert all((folder / name).stat().st_size == 2**20 for folder in folders for name in files)
        (reference,) = first["weights/a.safetensors"].content
        (place,) = get_object_locations([reference]).values()
        assert len(place["node_ids"]) == len(set(place["node_ids"])) <= 3


def test_a_copy_of_the_folder_keeps_few_weights_and_takes_what_has_changed(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "run" / "weights").mkdir(parents=True)
    (tmp_path / "node").mkdir()
    names = [f"weights/{letter}.safetensors" for letter in "abc"]
    for name in (*names, "prepared"):
        (tmp_path / "run" / name).write_text(name, encoding="ascii")
    with closing(Session(at(cluster), 0)):
        dispatch, copy = Dispatch(), Copy(tmp_path / "node", kept=1)
        for name in names:
            wanted = ("prepared", name)
            copy.take(dispatch.parcels({one: tmp_path / "run" / one for one in wanted}))
        (tmp_path / "run" / "prepared").write_text("anew", encoding="ascii")
        copy.take(dispatch.parcels({"prepared": tmp_path / "run" / "prepared"}))
    assert (tmp_path / "node" / "prepared").read_text(encoding="ascii") == "anew"
    assert [path.name for path in (tmp_path / "node" / "weights").iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("claim", [{"cpus_per_candidate": 99}, {"gpus_per_candidate": 1}])
def test_a_claim_that_no_node_can_meet_is_refused_at_once(
    cluster: Cluster, claim: Mapping[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"no node of the Ray cluster has that much \(they have"):
        Ray(address=at(cluster), **claim).start(evaluate, ignore)


def test_what_cannot_be_loaded_on_a_node_is_refused_with_the_reason(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match=r"no node can evaluate candidates: .*'elsewhere'"):
        Ray(address=at(cluster)).start(Unloadable(), ignore)


def test_a_process_that_is_connected_to_ray_already_is_refused(cluster: Cluster) -> None:
    executor = Ray(address=at(cluster))
    with (
        closing(executor.start(evaluate, ignore)),
        pytest.raises(ConfigError, match="connected to a Ray cluster already"),
    ):
        executor.start(evaluate, ignore)


HEAD = """
import sys
from ray.cluster_utils import Cluster
from ray.experimental import get_object_locations
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
print(cluster.address, flush=True)
sys.stdin.read()
"""


def test_a_search_whose_head_goes_away_ends_in_words_and_goes_on_elsewhere(
    tmp_path: Path, serial: Callable[..., Any]
) -> None:
    trainer = {"name": TINY["trainer"], "seconds": 0.5}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    file, run = tmp_path / "tiny.toml", tmp_path / "run"
    command = [sys.executable, "-m", "evonas", "run", str(file), "--out", str(run), "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as head:
        assert head.stdout is not None
        executor = {"name": "ray", "address": head.stdout.readline().strip()}
        table = {**TINY, "trainer": trainer, "executor": executor}
        file.write_text(tomli_w.dumps(table), encoding="utf-8")
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True
        ) as search:
            while not (run / JOURNAL).exists() or len(decisions(run)) < 8:
                assert search.poll() is None
                time.sleep(0.05)
            for process in psutil.Process(head.pid).children(recursive=True):
                process.kill()
            _, errors = search.communicate(timeout=60)
        head.kill()
    assert search.returncode == 2
    assert "the head of the Ray cluster at" in errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    api.search({**TINY, "trainer": trainer}, out=run)
    assert decisions(run) == serial()


def test_ray_on_this_machine_can_be_reached_from_this_machine_alone(temporary: Path) -> None:
    me, handler = psutil.Process(), signal.getsignal(signal.SIGTERM)
    others = set(me.children(recursive=True))
    deaf = listening(me)
    with closing(Ray(workers=1).start(evaluate, ignore)) as pool:
        processes = set(me.children(recursive=True)) - others
        heard = set.union(*map(listening, processes)) | (listening(me) - deaf)
        assert heard
        assert {address for address, _ in heard} <= LOOPBACK
        pool.submit(job(0, "good"))
        pool.next_finished()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    assert not left(temporary)
    assert signal.getsignal(signal.SIGTERM) == handler


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    connections = process.net_connections(kind="tcp")
    return {(one.laddr.ip, one.laddr.port) for one in connections if one.status == "LISTEN"}
