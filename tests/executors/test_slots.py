"""Layouts of machines with accelerators, on a machine that may have none."""

from typing import Any

import pytest

from evonas import devices
from evonas.errors import ConfigError
from evonas.executors.processes import Processes
from evonas.executors.slots import Layout, Machine
from evonas.plugins import from_table

LAPTOP = Machine((), cores=8)
SERVER = Machine(("cuda:0", "cuda:1", "cuda:2"), cores=16)


def placed(machine: Machine, **asked: Any) -> list[tuple[str, int]]:
    """Return device and threads of each slot."""
    slots = Layout(**asked).slots(machine)
    assert [slot.number for slot in slots] == list(range(len(slots)))
    return [(slot.device, slot.threads) for slot in slots]


def test_without_accelerators_each_core_is_a_slot_of_one_thread() -> None:
    assert placed(LAPTOP) == [(devices.CPU, 1)] * 8


@pytest.mark.parametrize("workers", [1, 2, 5, 32])
def test_the_number_of_workers_chooses_no_threads_on_a_cpu(workers: int) -> None:
    assert placed(LAPTOP, workers=workers) == [(devices.CPU, 1)] * workers


@pytest.mark.parametrize(("threads", "slots"), [(2, 4), (3, 2), (8, 1), (100, 1)])
def test_workers_of_many_threads_fill_the_cores_of_a_cpu(threads: int, slots: int) -> None:
    assert placed(LAPTOP, threads=threads) == [(devices.CPU, threads)] * slots


def test_each_accelerator_is_a_slot_and_the_slots_share_the_cores() -> None:
    assert placed(SERVER) == [("cuda:0", 5), ("cuda:1", 5), ("cuda:2", 5)]


def test_candidates_may_share_an_accelerator() -> None:
    turns = ["cuda:0", "cuda:1", "cuda:2"] * 2
    assert placed(SERVER, per_device=2) == [(name, 2) for name in turns]


def test_workers_take_the_accelerators_in_turn() -> None:
    turns = ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]
    assert placed(SERVER, workers=4) == [(name, 4) for name in turns]


def test_a_number_of_devices_is_the_first_so_many() -> None:
    assert placed(SERVER, devices=2, threads=1) == [("cuda:0", 1), ("cuda:1", 1)]


def test_named_devices_are_taken_in_the_order_given() -> None:
    assert placed(SERVER, devices=("cuda:2", "cuda:0")) == [("cuda:2", 8), ("cuda:0", 8)]


def test_the_cpu_by_name_leaves_accelerators_alone() -> None:
    assert placed(SERVER, devices=(devices.CPU,)) == [(devices.CPU, 1)] * 16


def test_more_slots_than_cores_have_a_thread_each() -> None:
    assert placed(SERVER, per_device=7) == [(f"cuda:{n % 3}", 1) for n in range(21)]


@pytest.mark.parametrize(
    ("machine", "asked", "message"),
    [
        (SERVER, {"devices": 4}, "devices is 4, but this machine has cuda:0, cuda:1, cuda:2"),
        (LAPTOP, {"devices": 1}, "devices is 1, but this machine has no accelerator"),
        (SERVER, {"devices": ("cuda:5",)}, "unknown device 'cuda:5'; did you mean 'cuda:"),
        (SERVER, {"devices": ("cuda:1", "cuda:1")}, "names one twice"),
        (SERVER, {"devices": ("cpu", "cuda:1")}, "mixes 'cpu' and accelerators"),
        (SERVER, {"workers": 4, "per_device": 2}, "per_device 2 on cuda:0, .* makes 6"),
    ],
)
def test_what_a_machine_has_not_is_refused(
    machine: Machine, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Layout(**asked).slots(machine)


@pytest.mark.parametrize(
    "asked",
    [{"workers": 0}, {"threads": 0}, {"per_device": 0}, {"devices": 0}, {"devices": ()}],
)
def test_what_no_machine_has_is_refused_before_one_is_asked(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(asked))} is "):
        Layout(**asked)


@pytest.mark.parametrize("given", ["auto", 2, ["cuda:0", "cuda:2"], ["cpu"]])
def test_devices_are_read_from_a_table(given: Any) -> None:
    executor = from_table(Processes, {"devices": given}, "executor")
    assert executor.devices == (tuple(given) if isinstance(given, list) else given)


@pytest.mark.parametrize("given", [True, "cuda:0", 1.5, [0]])
def test_what_names_no_devices_is_refused_with_its_key(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"executor\.devices"):
        from_table(Processes, {"devices": given}, "executor")
