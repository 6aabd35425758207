"""Which device and how many threads each worker of this machine computes with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from evonas import devices
from evonas.errors import ConfigError, unknown

Devices = Literal["auto"] | int | tuple[str, ...]
"""All accelerators, or the CPU where there is none; the first so many; or these, by name."""


@final
@dataclass(frozen=True)
class Slot:
    """Room for one candidate at a time.

    Attributes:
        number: From 0 on.
        device: As `evonas.devices.use` takes it.
        threads: Of torch on the CPU.
    """

    number: int
    device: str
    threads: int


@final
@dataclass(frozen=True)
class Machine:
    """What a machine has to compute with.

    Attributes:
        accelerators: Their names.
        cores: Usable ones of its CPU.
    """

    accelerators: Sequence[str]
    cores: int


@final
@dataclass(frozen=True, kw_only=True)
class Layout:
    """What is asked of a machine.

    Attributes:
        workers: How many slots; they take the devices in turn.
        devices: Which are used.
        per_device: Candidates at once on an accelerator; the CPU is shared by its cores.
        threads: Of torch in each slot.
    """

    workers: int | Literal["auto"] = "auto"
    devices: Devices = "auto"
    per_device: int = 1
    threads: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        """Check what no machine has.

        Raises:
            ConfigError: saying what may be given.
        """
        for name in ("workers", "threads"):
            if (given := getattr(self, name)) != "auto" and given < 1:
                raise ConfigError(f"{name} is {given!r}; give 'auto' or at least 1")
        if self.per_device < 1:
            raise ConfigError(f"per_device is {self.per_device!r}; give at least 1")
        if self.devices == () or (isinstance(self.devices, int) and self.devices < 1):
            raise ConfigError(
                f"devices is {self.devices!r}; give 'auto', at least 1, or names"
                f" ([{devices.CPU!r}] leaves accelerators alone)"
            )

    def slots(self, machine: Machine) -> tuple[Slot, ...]:
        """Lay the slots out on a machine.

        Threads are chosen alike for any number of workers on a CPU, since a sum depends on how many
        add it up; where an accelerator computes they feed it, and share the cores.

        Raises:
            ConfigError: if it has not what is asked.
        """
        chosen = _chosen(self.devices, machine.accelerators)
        workers = self._workers(chosen, machine.cores)
        threads = self.threads
        if threads == "auto":
            threads = 1 if chosen == (devices.CPU,) else max(1, machine.cores // workers)
        return tuple(Slot(n, chosen[n % len(chosen)], threads) for n in range(workers))

    def _workers(self, chosen: Sequence[str], cores: int) -> int:
        if chosen == (devices.CPU,):
            threads = 1 if self.threads == "auto" else self.threads
            return max(1, cores // threads) if self.workers == "auto" else self.workers
        room = len(chosen) * self.per_device
        if self.workers == "auto":
            return room
        if self.per_device > 1 and self.workers != room:
            raise ConfigError(
                f"workers is {self.workers}, but per_device {self.per_device} on"
                f" {', '.join(chosen)} makes {room}; leave one of the two out"
            )
        return self.workers


def _chosen(asked: Devices, found: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the devices to use, in the order of their turns."""
    if asked == "auto":
        return tuple(found) or (devices.CPU,)
    if isinstance(asked, int):
        if asked > len(found):
            has = f"has {', '.join(found)}" if found else "has no accelerator"
            raise ConfigError(
                f"devices is {asked}, but this machine {has}; give 'auto' for what there is"
            )
        return tuple(found[:asked])
    for name in asked:
        if name not in (devices.CPU, *found):
            raise unknown("device", name, (devices.CPU, *found))
    if len(set(asked)) < len(asked):
        raise ConfigError(f"devices {list(asked)!r} names one twice; per_device shares a device")
    if devices.CPU in asked and len(asked) > 1:
        raise ConfigError(
            f"devices {list(asked)!r} mixes {devices.CPU!r} and accelerators, on which a candidate"
            " would come out differently; give one kind"
        )
    return tuple(asked)
