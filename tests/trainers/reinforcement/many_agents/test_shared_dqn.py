"""Values are a state's and advantages that add up to nothing; two networks choose and judge."""

from typing import Any

import pytest
import torch
from torch import nn

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.many_agents.shared_dqn import SharedDqn, double_targets, dueling
from evonas_trainers.reinforcement.replay import Batch


def test_advantages_add_up_to_nothing_and_the_value_is_their_mean() -> None:
    outputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    values = dueling(outputs)
    assert values.shape == (5, 3)
    assert torch.allclose(values.mean(1), outputs[:, 0])
    assert torch.allclose(values.diff(dim=1), outputs[:, 1:].diff(dim=1))


class Table(nn.Module):
    """Returns the same outputs for whatever it is shown."""

    def __init__(self, *outputs: float) -> None:
        super().__init__()
        self.outputs = torch.tensor(outputs)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        return self.outputs.expand(len(shown), -1)


def test_the_network_chooses_and_the_target_judges() -> None:
    batch = Batch(
        torch.zeros(2, 1),
        torch.zeros(2, dtype=torch.int64),
        torch.tensor([1.0, 1.0]),
        torch.zeros(2, 1),
        torch.tensor([False, True]),
    )
    net, target = Table(0.0, 1.0, 5.0), Table(10.0, 3.0, 1.0)
    worth = (
        10.0 + 1.0 - 2.0
    )  # of the second action, which the network likes and the target does not
    assert double_targets(net, target, batch, 0.5).tolist() == [1 + 0.5 * worth, 1.0]


def test_exploration_falls_until_half_of_the_training() -> None:
    method = SharedDqn(exploration=1.0, least_exploration=0.1)
    shares = [method.exploration_at(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert shares == pytest.approx([1.0, 0.55, 0.1, 0.1])


@pytest.mark.parametrize(("name", "value"), [("updates", 0), ("lr", -1.0), ("discount", 2.0)])
def test_settings_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        SharedDqn(**{name: value})
