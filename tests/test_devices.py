"""Devices and precision are chosen in one place, and global generators are given back."""

import os
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


def in_a_process(script: str, mask: str | None = None) -> str:
    """Return what a fresh process prints; which devices it uses lasts for its life."""
    variables = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    variables |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    variables |= {} if mask is None else {"CUDA_VISIBLE_DEVICES": mask}
    command = [sys.executable, "-c", f"import os, torch\nfrom evonas import devices\n{script}"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=variables)
    return done.stdout.strip()


@pytest.mark.slow
def test_a_process_told_to_use_the_cpu_sees_no_accelerator() -> None:
    found = in_a_process("devices.use('cpu'); print(devices.best(), devices.accelerators())")
    assert found == "cpu ()"


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RuntimeError, match="told to compute on 'cuda:0'"):
        devices.use("cuda:0")


def test_a_limit_on_an_accelerator_without_one_limits_nothing() -> None:
    devices.limit_memory(1)
    assert torch.zeros(2**20).sum().item() == 0


@pytest.mark.gpu
def test_a_process_sees_the_accelerator_that_it_uses_alone() -> None:
    last = devices.accelerators()[-1]
    script = (
        f"devices.use({last!r}); print(devices.accelerators(), torch.ones(1).to(devices.best()))"
    )
    assert in_a_process(script).startswith(f"('{last.split(':')[0]}:0',)")


@pytest.mark.gpu
@pytest.mark.skipif(torch.version.cuda is None, reason="masks are CUDA's")
def test_names_count_within_the_mask_that_a_process_was_given() -> None:
    last = torch.accelerator.device_count() - 1
    script = "devices.use('cuda:0'); print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert in_a_process(script, mask=str(last)) == str(last)


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
