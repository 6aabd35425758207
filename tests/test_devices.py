"""Devices and precision are chosen in one place, and global generators are given back."""

import platform
import subprocess
import sys
from typing import Any

import pytest
import torch

from evonas import devices

CPU = torch.device("cpu")


def test_the_best_device_can_hold_a_tensor() -> None:
    assert torch.zeros(1, device=devices.best()).item() == 0


@pytest.mark.parametrize(
    ("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_a_named_precision_is_taken_as_it_is(name: Any, dtype: torch.dtype) -> None:
    assert devices.precision(name, CPU) == dtype


def test_draws_inside_follow_the_seed_and_those_outside_do_not_notice() -> None:
    torch.manual_seed(9)
    before = torch.get_rng_state()
    found: list[float] = []
    for seed in (1, 1, 2):
        with devices.seeded(seed, CPU):
            found.append(torch.rand(1).item())
    assert found[0] == found[1] != found[2]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do not need it")
def test_kept_memory_is_not_asked_for_anew() -> None:
    script = (
        "import itertools, resource, torch\n"
        "from evonas import devices\n"
        "assert devices.keep_freed_memory()\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "counts = [faults() for _ in range(12) if torch.ones(20_000_000).numel()]\n"
        "print(min(after - before for before, after in itertools.pairwise(counts)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert int(done.stdout) < 1000
