"""Small policies whose connections move, and steps for them to learn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas.genome import Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.models import fresh_model
from evonas.morph.keep import Prunable
from evonas.morph.planned import planned
from evonas.pruning_plan import PruningPlan
from evonas.state import State
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement import critics
from evonas_trainers.reinforcement.descent import AdamSettings, Start
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.sac_learner import SacLearner, SacSettings
from evonas_trainers.reinforcement.sparse import Sparsity
from evonas_trainers.reinforcement.td3_learner import Td3Learner, Td3Settings

FACTS = Facts((3,), 2, (-1.0, -1.0), (1.0, 1.0))
SPACE = Mlp(hidden=12, layers=2)
SEEN = 16
NAMES = ("td3", "sac")


def genome(name: str) -> Genome:
    """Return the networks that a trainer wants."""
    return SPACE.seed(critics.signatures(FACTS, outputs=2 if name == "sac" else 1))


def with_half(networks: Genome, schedule: Schedule) -> Genome:
    """Return networks of which each hidden layer is to keep half of its weights."""
    sizes = Prunable.of(networks, schedule.residual, schedule.granularity).sizes
    kept = {layer: Kept(size // 2, size) for layer, size in sizes.items()}
    return PruningGenes(schedule=schedule, kept=kept).put_into(networks)


def plan_of(networks: Genome) -> PruningPlan:
    """Return the plan of networks with genes."""
    found = planned(networks, SPACE.build)
    assert found is not None
    return found


@final
@dataclass(frozen=True)
class Training:
    """A learner at work.

    Attributes:
        model: What learns.
        learner: How.
        sparsity: Of the model.
        start: With what it began.
    """

    model: nn.Module
    learner: SacLearner | Td3Learner
    sparsity: Sparsity | None
    start: Start

    @classmethod
    def begin(
        cls,
        name: str,
        networks: Genome,
        *,
        is_sparse: bool = True,
        inherited: State | None = None,
        seed: int = 0,
        num_updates: int = 40,
        weight_decay: float = 0.01,
    ) -> "Training":
        """Begin a training of networks, dense or by their genes."""
        model = fresh_model(SPACE, networks, seed)
        if inherited is not None:
            model.load_state_dict(dict(inherited.own.tensors))
        draws = torch.Generator().manual_seed(seed)
        sparsity = (
            Sparsity(model, plan_of(networks), draws, is_inherited=inherited is not None)
            if is_sparse
            else None
        )
        start = Start(
            model=model,
            generator=draws,
            inherited=inherited,
            num_updates=num_updates,
            sparsity=sparsity,
        )
        adam = AdamSettings(lr=0.01, weight_decay=weight_decay)
        learner = (
            SacLearner(start, SacSettings(adam=adam, target_share=0.1))
            if name == "sac"
            else Td3Learner(start, Td3Settings(adam=adam, target_share=0.1))
        )
        return cls(model, learner, sparsity, start)

    @property
    def active(self) -> Mapping[str, Tensor]:
        """The connections there are."""
        assert self.sparsity is not None
        return {name: kept.clone() for name, kept in self.sparsity.active.items()}

    def update(self, batch: Batch, weights: Tensor | None = None) -> None:
        """Learn from a batch."""
        self.learner.update(batch, weights)

    def slots(self, name: str) -> list[Tensor]:
        """Return Adam's moments of a parameter; none before its first step."""
        values = self.learner.state().slots
        return [values[slot][name] for slot in ("exp_avg", "exp_avg_sq") if name in values[slot]]


def batches(number: int, seed: int = 1) -> Iterator[Batch]:
    """Yield steps of no environment in particular."""
    draws = torch.Generator().manual_seed(seed)
    for _ in range(number):
        yield Batch(
            torch.randn(SEEN, 3, generator=draws),
            torch.rand(SEEN, 2, generator=draws) * 2 - 1,
            torch.randn(SEEN, generator=draws),
            torch.randn(SEEN, 3, generator=draws),
            torch.rand(SEEN, generator=draws) < 0.1,
        )
