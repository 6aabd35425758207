"""The one module that knows devices: which there is, what it computes in, its global generator."""

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

CPU = "cpu"

_NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_FUSED = (CPU, "cuda", "xpu", "mps")
_MASKED, _MASK = "cuda", "CUDA_VISIBLE_DEVICES"  # which ROCm, called so by torch, reads as well


def best() -> torch.device:
    """Return the machine's accelerator, or the CPU where there is none."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device(CPU) if accelerator is None else accelerator


def accelerators() -> tuple[str, ...]:
    """Return the names of the machine's accelerators; none where there is only the CPU."""
    found = best()
    if found.type == CPU:
        return ()
    return tuple(f"{found.type}:{index}" for index in range(torch.accelerator.device_count()))


def use(name: str) -> None:
    """Let this process see no accelerator but the named one, or none if it is the CPU.

    Nothing may have been computed on an accelerator here before: the driver reads once, when it
    starts, which devices it may see. In a process that sees one alone, it is the first.

    Raises:
        RuntimeError: if the process computes elsewhere all the same.
    """
    wanted = torch.device(name)
    kind = torch.accelerator.current_accelerator()
    if kind is not None and kind.type == _MASKED:
        seen = os.environ.get(_MASK)
        names = seen.split(",") if seen else [str(n) for n in range((wanted.index or 0) + 1)]
        os.environ[_MASK] = "" if wanted.type == CPU else names[wanted.index or 0]
    elif wanted.type != CPU:
        torch.accelerator.set_device_index(wanted.index or 0)
    if best().type != wanted.type:
        raise RuntimeError(f"told to compute on {name!r}, the process computes on {best()}")


def limit_memory(megabytes: int) -> None:
    """Let this process take no more memory of the accelerator that it uses, if it uses one."""
    device = best()
    if device.type != CPU:
        _, total = torch.accelerator.get_memory_info()
        share = min(1.0, megabytes * 2**20 / total)
        torch.get_device_module(device).set_per_process_memory_fraction(share)


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
    on_accelerator = device.type != CPU
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
    if device.type == CPU:
        found = torch.cpu.get_capabilities()
        return any(found.get(name) for name in _NATIVE_BFLOAT16)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return False
