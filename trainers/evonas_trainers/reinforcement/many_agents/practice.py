"""What a training of either method needs: battles to learn from, and a judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas import seeds
from evonas.state import State
from evonas_trainers.reinforcement.many_agents.battles import Campaign
from evonas_trainers.reinforcement.many_agents.grid_world import Sight
from evonas_trainers.reinforcement.many_agents.judge import Judge
from evonas_trainers.reinforcement.many_agents.players import Player
from evonas_trainers.reinforcement.scores import Judging


@final
@dataclass(frozen=True, kw_only=True)
class Practice:
    """Battles to learn from, and a judge, of one trial.

    Attributes:
        campaign: The battles.
        judge: And how often it is asked.
        judging: How often.
        steps: Turns of the world in all.
        seed: Of the trial.
        device: Where networks compute.
        shape: Of what a network is shown of an agent.
        actions: How many there are.
        inherited: The state that the candidate started from, if any.
    """

    campaign: Campaign
    judge: Judge
    judging: Judging
    steps: int
    seed: int
    device: torch.device
    shape: tuple[int, ...]
    actions: int
    inherited: State | None

    def moments(self, turns: int) -> Sequence[int]:
        """Return after how many rounds of so many turns the judge is asked."""
        return self.judging.moments(self.steps // turns)

    def judged(self, player: Player, number: int) -> tuple[float, Mapping[str, float]]:
        """Return the judge's verdict after a number of rounds."""
        return self.judge.verdict(player, seeds.integer(self.seed, "judge", number))

    def show(self, sight: Sight) -> Tensor:
        """Return what a network is shown, where it computes."""
        return self.judge.ground.shown(sight).to(self.device)

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Put inherited moments into a fresh optimizer."""
        if self.inherited is not None:
            self.inherited.own.restore_optimizer(model, optimizer)
