"""Candidates that behave and misbehave, importable in worker processes."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from evonas import devices
from evonas.executors.executor import Job, Listener, Reported
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Outcome

HOUR = 3600


def job(number: int, behaviour: str, *, deadline: float | None = None, **settings: Any) -> Job:
    """Return a job that behaves as the function of this name says."""
    genome = Genome(settings=settings)
    return Job(number, Birth(genome, behaviour, (), seed=number), deadline=deadline)


def evaluate(job: Job, listener: Listener) -> Outcome:
    """Behave as the birth's operator says."""
    behave: Callable[[Job, Listener], Outcome] = globals()[job.birth.operator]
    return behave(job, listener)


def good(job: Job, _: Listener) -> Outcome:
    return Evaluation({"number": float(job.number)})


def short(job: Job, _: Listener) -> Outcome:
    time.sleep(0.2)
    return good(job, _)


def report_until_answered(job: Job, listener: Listener) -> Outcome:
    """Report, and finish only when someone who has heard it makes the file."""
    listener(Reported(job.number, 1, {"error": 0.5}))
    answer = Path(job.birth.genome.settings["answer"])
    while not answer.exists():
        time.sleep(0.01)
    listener(Reported(job.number, 2, {"error": 0.25}))
    return good(job, listener)


def reporting_and_then(job: Job, listener: Listener) -> Outcome:
    """Report twice, then behave as the settings say."""
    for step in (1, 2):
        listener(Reported(job.number, step, {"error": 1 / step}))
    behave: Callable[[Job, Listener], Outcome] = globals()[job.birth.genome.settings["then"]]
    return behave(job, listener)


def report_for_ever(job: Job, listener: Listener) -> Outcome:
    for step in range(10**9):
        listener(Reported(job.number, step, {}))
        time.sleep(0.01)
    raise AssertionError


def chattering(job: Job, listener: Listener) -> Outcome:
    for step in range(10**9):
        listener(Reported(job.number, step, {}))
    raise AssertionError


def naming_its_device(_: Job, __: Listener) -> Outcome:
    count = float(torch.accelerator.device_count())
    return Evaluation({"accelerators": count, "is_cpu": float(devices.best().type == devices.CPU)})


def computing_on_its_device(job: Job, _: Listener) -> Outcome:
    """Compute on what the worker sees; say how many accelerators that is, and which is its own."""
    device = devices.best()
    total = torch.ones(1000, device=device).sum().item()
    own = torch.get_device_module(device).get_device_properties(0)
    identity = int.from_bytes(str(own.uuid).encode()[-6:])
    seen = float(torch.accelerator.device_count())
    while not all(Path(name).exists() for name in job.birth.genome.settings.get("until", ())):
        time.sleep(0.01)
    return Evaluation({"total": total, "seen": seen, "identity": float(identity)})


def announced(job: Job, listener: Listener) -> Outcome:
    """Say by a file that it computes, and go on when all others do."""
    torch.ones(1000, device=devices.best()).sum().item()
    Path(job.birth.genome.settings["note"]).touch()
    return computing_on_its_device(job, listener)


def hungry_on_its_device(job: Job, _: Listener) -> Outcome:
    megabytes: int = job.birth.genome.settings["megabytes"]
    eaten = torch.ones(megabytes * 2**18, device=devices.best())
    return Evaluation({"eaten": eaten.sum().item()})


def interrupted(job: Job, _: Listener) -> Outcome:
    os.kill(os.getpid(), signal.SIGINT)
    return good(job, _)


def counting_threads(_: Job, __: Listener) -> Outcome:
    return Evaluation({"threads": float(torch.get_num_threads())})


def asleep(_: Job, __: Listener) -> Outcome:
    time.sleep(HOUR)
    raise AssertionError


def asleep_in_c(_: Job, __: Listener) -> Outcome:
    ctypes.CDLL(None).sleep(HOUR)
    raise AssertionError


def asleep_with_the_interpreter_locked(_: Job, __: Listener) -> Outcome:
    ctypes.PyDLL(None).sleep(HOUR)
    raise AssertionError


def asleep_with_the_interpreter_locked_and_a_child(job: Job, _: Listener) -> Outcome:
    note_of_a_child(job)
    return asleep_with_the_interpreter_locked(job, _)


def stopped(_: Job, __: Listener) -> Outcome:
    os.kill(os.getpid(), signal.SIGSTOP)
    raise AssertionError


def busy(_: Job, __: Listener) -> Outcome:
    while True:
        pass


def with_a_child(job: Job, _: Listener) -> Outcome:
    """Start a process, note both ids, sleep."""
    note_of_a_child(job)
    return asleep(job, _)


def note_of_a_child(job: Job) -> None:
    """Start a process and note its id and that of this one."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HOUR})"])
    note = Path(job.birth.genome.settings["note"])
    part = note.with_suffix(".part")
    part.write_text(f"{os.getpid()} {child.pid}", encoding="ascii")
    part.rename(note)


def leaving_a_child(job: Job, _: Listener) -> Outcome:
    """Start a process, note its id, and come to an end without it."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HOUR})"])
    Path(job.birth.genome.settings["note"]).write_text(f"{child.pid}", encoding="ascii")
    return good(job, _)


def leaving_a_session(job: Job, _: Listener) -> Outcome:
    """Start a process that leaves the group, note its id, and come to an end without it."""
    command = [sys.executable, "-c", f"import time; time.sleep({HOUR})"]
    child = subprocess.Popen(command, start_new_session=True)
    Path(job.birth.genome.settings["note"]).write_text(f"{child.pid}", encoding="ascii")
    return good(job, _)


def littering(job: Job, _: Listener) -> Outcome:
    """Leave temporary files of this process and of one that it starts; note their folder."""
    Path(tempfile.mkdtemp(), "own").touch()
    script = "import tempfile; print(tempfile.mkstemp()[1])"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).exists()
    assert Path(done.stdout.strip()).parent == Path(tempfile.gettempdir())
    Path(job.birth.genome.settings["note"]).write_text(tempfile.gettempdir(), encoding="utf-8")
    return good(job, _)


def littering_and_killed(job: Job, _: Listener) -> Outcome:
    littering(job, _)
    return killed(job, _)


def hungry(_: Job, __: Listener) -> Outcome:
    eaten = [b"x" * 2**20 for _ in range(400)]
    time.sleep(HOUR)
    raise AssertionError(eaten)


def hungry_child(_: Job, __: Listener) -> Outcome:
    subprocess.run(
        [sys.executable, "-c", f"import time; x = b'x' * (400 << 20); time.sleep({HOUR})"],
        check=True,
    )
    raise AssertionError


def killed(_: Job, __: Listener) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def segmentation_fault(_: Job, __: Listener) -> Outcome:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(HOUR)
    raise AssertionError


def exiting(_: Job, __: Listener) -> Outcome:
    sys.exit(3)


def exiting_at_once(_: Job, __: Listener) -> Outcome:
    os._exit(3)


def raising(_: Job, __: Listener) -> Outcome:
    raise KeyError("a bug in a plug-in")


class UnspeakableError(Exception):
    """Can be neither pickled nor printed."""

    def __reduce__(self) -> str:
        raise TypeError("cannot be pickled")

    def __str__(self) -> str:
        raise TypeError("cannot be printed")


def raising_the_unspeakable(_: Job, __: Listener) -> Outcome:
    raise UnspeakableError


def returning_garbage(_: Job, __: Listener) -> Outcome:
    return cast("Outcome", 7)


def returning_metrics_that_are_no_numbers(_: Job, __: Listener) -> Outcome:
    return Evaluation(cast("dict[str, float]", {"error": object()}))


class Unloadable:
    """Can be pickled, and raises where it is unpickled."""

    def __call__(self, job: Job, listener: Listener) -> Outcome:
        return good(job, listener)

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}

    def __setstate__(self, state: dict[str, int]) -> None:
        raise ImportError("no module named 'elsewhere'")


class Deadly:
    """Ends the process in which it is unpickled."""

    def __call__(self, job: Job, listener: Listener) -> Outcome:
        return good(job, listener)

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return os._exit, (5,)
