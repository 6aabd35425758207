"""Conformance suites for plug-ins: what every trainer, space, mutation, ... must keep.

`evonas check NAME` runs them. In a test-suite of one's own:

    @pytest.mark.parametrize("check", checks(MyTrainer), ids=lambda check: check.claim)
    def test_my_trainer_keeps_its_contract(check):
        check.verify()
"""

from evonas.testing.check import Check
from evonas.testing.suite import check_plugin, checks

__all__ = ["Check", "check_plugin", "checks"]
