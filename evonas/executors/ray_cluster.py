"""Candidates on the machines of a Ray cluster, or on this one as if it were one.

Ray places, processes isolate: every slot is a Ray actor, which evaluates in a process of its own as
the executor `processes` does (`evonas.executors.ray_place`). Deadlines, the cap on memory and kills
are that one implementation.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, final

from evonas.errors import ConfigError
from evonas.executors.executor import Evaluate, Executor, Listener, Pool
from evonas.executors.processes import Processes
from evonas.executors.travel import pickled

_MEGABYTE = 2**20


@final
@dataclass(frozen=True, kw_only=True)
class Ray(Executor):
    """Evaluate on the nodes of a Ray cluster.

    A node that goes away costs the candidates that were in flight there; its slots wait for other
    nodes. The run's folder stays on this machine: what a candidate reads travels through Ray's
    object store, once a node, and its weights travel back.

    Attributes:
        address: `local` starts Ray here, for this search and reachable from this machine alone;
            `auto` joins the cluster that Ray finds, `HOST:PORT` the one whose head is there.
        workers: How many at once; `auto` is as many as the cluster has room for when it is joined.
        cpus_per_candidate: What a slot claims of a node's CPUs.
        gpus_per_candidate: What it claims of a GPU; whole GPUs above one.
        threads: Of torch in each worker; `auto` is 1 on a CPU, and with a GPU the CPUs claimed.
        memory: Resident megabytes at which a candidate is killed, and what a slot claims of a
            node's memory; None for no limit.
        device_memory: As in `Processes`.
        silence: As in `Processes`.
    """

    address: str = "local"
    workers: int | Literal["auto"] = "auto"
    cpus_per_candidate: float = 1.0
    gpus_per_candidate: float = 0.0
    threads: int | Literal["auto"] = "auto"
    memory: int | None = None
    device_memory: int | None = None
    silence: float = Processes.silence

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: if no cluster can do what they say.
        """
        if self.workers != "auto" and self.workers < 1:
            raise ConfigError(f"workers is {self.workers!r}; give 'auto' or at least 1")
        _ = self.isolation
        for name in ("cpus_per_candidate", "gpus_per_candidate"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; give 0 or more")
        if not self.cpus_per_candidate and not self.gpus_per_candidate:
            raise ConfigError("a candidate claims neither CPU nor GPU; give it part of one")
        if self.gpus_per_candidate > 1 and not float(self.gpus_per_candidate).is_integer():
            raise ConfigError(
                f"gpus_per_candidate is {self.gpus_per_candidate!r}; above 1, give a whole number"
            )

    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start or join the cluster, and wait until the first slot can work.

        Raises:
            ConfigError: if Ray is not installed, there is no cluster, no node has what a candidate
                claims, or the candidates' parts cannot be loaded on the nodes.
        """
        if find_spec("ray") is None:
            raise ConfigError("executor 'ray' needs Ray; install it with pip install 'evonas[ray]'")
        # ray is an extra, and takes half a second to import
        from evonas.executors.ray_pool import started  # noqa: PLC0415

        return started(self, pickled(evaluate, "ray"), evaluate, listener)

    @property
    def isolation(self) -> Processes:
        """What evaluates in a slot, on its node."""
        threads = self.threads
        if threads == "auto":
            threads = max(1, int(self.cpus_per_candidate)) if self.gpus_per_candidate else 1
        return Processes(
            workers=1,
            threads=threads,
            memory=self.memory,
            device_memory=self.device_memory,
            silence=self.silence,
        )

    @property
    def claim(self) -> dict[str, float]:
        """What a slot claims of a node, by Ray's names of resources."""
        wanted = {
            "CPU": self.cpus_per_candidate,
            "GPU": self.gpus_per_candidate,
            "memory": float((self.memory or 0) * _MEGABYTE),
        }
        return {name: amount for name, amount in wanted.items() if amount}
