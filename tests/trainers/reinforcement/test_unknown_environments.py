"""A typo in the name of an environment is named first, whoever trains in it."""

import pytest

from evonas import plugins
from evonas.errors import ConfigError
from evonas.trainer import Trainer


@pytest.mark.parametrize("name", ["bremen", "dqn", "meee", "opd-da", "ppo", "sac", "td3"])
def test_an_unknown_environment_is_refused_with_the_nearest(name: str) -> None:
    trainer = plugins.construct(Trainer, {"name": name, "environment": "Pendulun-v1"}, "trainer")
    with pytest.raises(ConfigError, match="Did you mean: `Pendulum`"):
        trainer.prepare(0)
