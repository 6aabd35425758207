"""How a policy is judged: by what its episodes return, again and again while it learns.

The learning-curve area is that of "Dynamic Sparse Training for Deep Reinforcement Learning" (Sokar
et al., 2022, https://arxiv.org/abs/2106.04217): the mean of all evaluations. It is normalised as in
"D4RL: Datasets for Deep Data-Driven Reinforcement Learning" (Fu et al., 2020,
https://arxiv.org/abs/2004.07219), to 0 for random actions and 1 for those that solve the task.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas_trainers.reinforcement.environments import Environments

METRICS: Mapping[str, str] = {"fitness": "max", "area": "max", "final_return": "max"}
"""What trainers of policies report: see `Judging`."""

Act = Callable[[Tensor], Tensor]
"""Maps observations (batch, *observation) to actions, as `Environments.step` takes them."""

KNOWN: Mapping[str, tuple[float, float]] = {
    "CartPole-v1": (22.0, 500.0),
    "Acrobot-v1": (-500.0, -100.0),
    "MountainCar-v0": (-200.0, -110.0),
    "MountainCarContinuous-v0": (-33.0, 90.0),
    "Pendulum-v1": (-1240.0, -150.0),
    "InvertedPendulum-v5": (5.0, 1000.0),
    "HalfCheetah-v5": (-280.0, 12135.0),
    "Hopper-v5": (17.0, 3234.0),
    "Walker2d-v5": (2.0, 4592.0),
    "Ant-v5": (-56.0, 3880.0),
}
"""Returns of random actions, and of good ones.

The first were measured: means of 10 episodes (HalfCheetah), 30 (Ant) or hundreds. The second are
the most there is, or the threshold that gymnasium names, or what good methods reach (Pendulum), or,
in the last four, what the experts of D4RL got from older versions of the same tasks.
"""

LONGEST_EPISODE = 100_000
"""Steps after which an episode in which a policy is judged is taken to have no end."""


@final
@dataclass(frozen=True, kw_only=True)
class Judging:
    """How often a policy is judged, and on what scale.

    `area` is the mean return of all evaluations on the scale from `low` to `high`; `fitness` is the
    area less the price of the weights; `final_return` is the last evaluation, not scaled.

    Attributes:
        times: Evaluations in a training, evenly spread; the last one at its end.
        episodes: Of each evaluation.
        low: The return that counts as 0; None for what is known of the environment.
        high: The return that counts as 1.
        weight_price: What ten thousand weights other than zero cost.
    """

    times: int = 8
    episodes: int = 8
    low: float | None = None
    high: float | None = None
    weight_price: float = 0.0

    def __post_init__(self) -> None:
        if self.times < 1 or self.episodes < 1:
            raise ConfigError(f"needs times and episodes of 1 or more, given {self!r}")

    def scale(self, environment: str) -> tuple[float, float]:
        """Return the returns that count as 0 and as 1.

        Raises:
            ConfigError: if they are neither given nor known.
        """
        known = KNOWN.get(environment)
        low = self.low if self.low is not None or known is None else known[0]
        high = self.high if self.high is not None or known is None else known[1]
        if low is None or high is None or low >= high:
            raise ConfigError(
                f"the returns of {environment!r} have no scale; give judging.low (what random"
                " actions get) and judging.high (what good ones get)"
            )
        return low, high

    def moments(self, total: int) -> Sequence[int]:
        """Return after how many of `total` steps or rounds of training to judge: last, after all.

        Raises:
            ConfigError: if there are fewer of them than evaluations.
        """
        if total < self.times:
            raise ConfigError(
                f"there are {total} rounds of training for {self.times} evaluations; give more"
                " steps, or fewer judging.times"
            )
        return [total * number // self.times for number in range(1, self.times + 1)]

    def mean_return(
        self,
        model: nn.Module,
        act: Act,
        environment: str,
        seed: int,
        options: Mapping[str, Any] | None = None,
    ) -> float:
        """Return what the episodes of an evaluation return, with the model in eval mode."""
        with evaluating(model):
            return episode_returns(act, environment, self.episodes, seed, options).mean().item()

    def tested(
        self,
        model: nn.Module,
        act: Act,
        environment: str,
        seed: int,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, float]:
        """Judge a finished policy by four times as many episodes as an evaluation has.

        Beside the metrics, of which the area is that of a curve of one point, this returns the mean
        `return`, its standard error `return_error`, and the `worst_return`.
        """
        with evaluating(model):
            returns = episode_returns(act, environment, 4 * self.episodes, seed, options)
        mean, deviation = returns.mean().item(), returns.std(correction=0).item()
        return {
            **self.metrics([mean], environment, num_weights(model)),
            "return": mean,
            "return_error": deviation / math.sqrt(len(returns)),
            "worst_return": returns.min().item(),
        }

    def metrics(self, curve: Sequence[float], environment: str, weights: int) -> dict[str, float]:
        """Return the metrics of returns so far.

        Args:
            curve: The mean return of each evaluation.
            environment: In which.
            weights: How many of the candidate's are not zero.
        """
        low, high = self.scale(environment)
        area = (sum(curve) / len(curve) - low) / (high - low)
        fitness = area - self.weight_price * weights / 1e4
        return {"fitness": fitness, "area": area, "final_return": curve[-1]}


def episode_returns(
    act: Act, environment: str, episodes: int, seed: int, options: Mapping[str, Any] | None = None
) -> Tensor:
    """Return what one episode of each of several fresh environments returns, (episodes,).

    Raises:
        ConfigError: if an episode has no end.
    """
    total, is_running = torch.zeros(episodes), torch.ones(episodes, dtype=torch.bool)
    with Environments(environment, episodes, seed, options) as environments, torch.no_grad():
        for _ in range(LONGEST_EPISODE):
            transition = environments.step(act(environments.current))
            total += transition.rewards * is_running
            is_running &= ~transition.ended
            if not is_running.any():
                return total
    raise ConfigError(
        f"an episode of {environment!r} has not ended after {LONGEST_EPISODE} steps; limit it, by"
        " options.max_episode_steps"
    )


def num_weights(model: nn.Module) -> int:
    """Return how many weights are not zero."""
    return sum(int(tensor.count_nonzero()) for tensor in model.parameters())
