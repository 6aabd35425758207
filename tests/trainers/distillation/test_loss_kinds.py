"""What losses say of themselves to those who make edges of them."""

import pytest

from evonas import plugins
from evonas.testing.classes import example
from evonas.transfer import Transfer


@pytest.mark.parametrize("name", sorted(plugins.names(Transfer)))
def test_a_loss_says_with_which_temperature_it_starts(name: str) -> None:
    loss = example(plugins.load(Transfer, name))
    assert getattr(loss, "temperature", 0.0) == loss.kind.temperature
