"""Every registered plug-in keeps its contract, by the suites that ship with evonas."""

from collections.abc import Iterator

import pytest

from evonas.contracts import CONTRACTS
from evonas.plugins import load, names
from evonas.testing import Check, check_plugin, checks

SLOW = {"spaces", "executors", "trackers"}


def every_check() -> Iterator[object]:
    for kind, contract in CONTRACTS.items():
        marks = [pytest.mark.slow] if kind in SLOW else []
        for name in sorted(names(contract)):
            for check in checks(load(contract, name)):
                claim = check.claim.replace(" ", "_")
                yield pytest.param(check, id=f"{kind}/{name}/{claim}", marks=marks)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("check", list(every_check()))
def test_a_registered_plug_in_keeps_its_contract(check: Check) -> None:
    check.verify()


@pytest.mark.parametrize("kind", CONTRACTS)
def test_every_kind_has_a_plug_in(kind: str) -> None:
    assert names(CONTRACTS[kind])


def test_check_says_a_line_for_every_claim() -> None:
    lines, passed = check_plugin("executors/serial")
    assert passed
    assert lines[0] == "executor Serial: Evaluate in the calling process."
    assert "  ok    every job comes back with its own outcome" in lines
    assert lines[-1] == "all checks hold"
