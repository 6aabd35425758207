"""The one module that knows devices: which there is, what it computes in, its global generator."""

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_FUSED = ("cpu", "cuda", "xpu", "mps")


def best() -> torch.device:
    """Return the machine's accelerator, or the CPU where there is none."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if accelerator is None else accelerator


def count() -> int:
    """Return the number of accelerators."""
    return torch.accelerator.device_count()


def take_turn(place: int) -> None:
    """Compute on the accelerator whose turn it is in this process, where there are several."""
    if count() > 1:
        torch.accelerator.set_device_index(place % count())


def precision(name: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype for `torch.autocast`; "auto" is bfloat16 where the hardware computes in it.

    A CPU without such instructions trains half as fast in bfloat16 as in float32; one with them was
    measured to be 1.4 to 1.7 times faster. `benchmarks/training_speed.py` compares speed and error.
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return torch.bfloat16 if _computes_bfloat16(device) else torch.float32


def fuses(device: torch.device) -> bool:
    """Say whether torch's optimizers have a fused step there."""
    return device.type in _FUSED


@contextmanager
def seeded(seed: int, device: torch.device) -> Generator[None]:
    """Seed torch's global generators (initial weights, dropout) inside; put them back after."""
    on_accelerator = device.type != "cpu"
    with torch.random.fork_rng([device] if on_accelerator else [], device_type=device.type):
        seed_all = torch.manual_seed if on_accelerator else torch.default_generator.manual_seed
        seed_all(seed)
        yield


def keep_freed_memory() -> bool:
    """Let this process keep the memory of freed tensors for the next ones; say whether it can.

    The C library otherwise gives large blocks back to the system and asks for them anew in every
    training step: measured, up to 30 % of a candidate's CPU time goes into page faults. Only
    glibc's allocator is known to need it; elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_MMAP_THRESHOLD, 2**30))


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return any(found.get(name) for name in _NATIVE_BFLOAT16)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return False
