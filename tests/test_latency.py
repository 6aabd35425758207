"""Latency is a ratio to a reference network, so a busy moment does not count."""

import statistics
from pathlib import Path

import pytest
import torch
from support.tiny_search import TINY
from torch import nn

from evonas import api
from evonas.latency import latency, reference_seconds
from evonas.networks import Signature

CPU = torch.device("cpu")
POINT = {"net": Signature((5,), (2,))}


def deep(layers: int) -> nn.Module:
    return nn.Sequential(*[nn.Linear(5, 5)] * layers, nn.Linear(5, 2))


def test_a_hundredfold_network_is_slower() -> None:
    fast, slow = (latency(deep(n), POINT, CPU, 1e-4, seconds=0.05) for n in (1, 100))
    assert 0 < 5 * fast < slow


def test_latency_is_in_the_seconds_that_the_reference_took() -> None:
    once, tenfold = (
        statistics.median(latency(deep(20), POINT, CPU, unit, seconds=0.05) for _ in range(5))
        for unit in (1e-4, 1e-3)
    )
    assert tenfold == pytest.approx(10 * once, rel=0.5)


def test_several_networks_take_the_sum() -> None:
    both = nn.ModuleDict({"actor": deep(50), "critic": deep(50)})
    signatures = {"actor": POINT["net"], "critic": POINT["net"]}
    one = latency(deep(50), POINT, CPU, 1e-4, seconds=0.05)
    assert latency(both, signatures, CPU, 1e-4, seconds=0.05) > 1.3 * one


def test_the_reference_is_timed_on_one_thread_and_leaves_the_number_as_it_was() -> None:
    before = torch.get_num_threads()
    assert 0 < reference_seconds(CPU, seconds=0.02) < 1
    assert torch.get_num_threads() == before


def test_a_search_measures_the_reference_once_and_goes_on_with_it(tmp_path: Path) -> None:
    table = {**TINY, "births": 2, "objectives": {"error": "min", "latency": "min"}}
    found = api.search(table, out=tmp_path / "run")
    assert found.member(0).metrics["latency"] > 0
    written = (tmp_path / "run" / "latency.json").read_bytes()
    found = api.search({**table, "births": 3}, out=tmp_path / "run")
    assert len(found.history) == 3
    assert (tmp_path / "run" / "latency.json").read_bytes() == written
    assert found.replay(2).equal
