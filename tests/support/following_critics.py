"""A trainer of an actor and two critics with targets and an optimizer each, in milliseconds."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from evonas.networks import Signature, Signatures, named
from evonas.state import TARGET, TRAINER, State
from evonas.trainer import Context, Trained, Trainer

SEARCH: Mapping[str, Any] = {
    "births": 9,
    "seed": 1,
    "lookahead": 2,
    "durability": "flush",
    "objectives": {"error": "min", "parameters": "min"},
    "space": {"name": "policy", "actor_width": 4, "critic_width": 6},
    "trainer": "support.following_critics:Following",
    "controller": {"name": "eena", "population": 3, "controls": 1},
    "executor": "serial",
    "tracker": "none",
    "genes": {"lr": {"low": 1e-3, "high": 1e-2, "log": True}},
}
"""The table of its run file."""


@final
@dataclass(frozen=True, kw_only=True)
class Following(Trainer):
    """A few steps towards fixed random maps; the targets follow.

    Attributes:
        lr: Adam's learning rate.
        environment: Of no meaning, but no gene.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = {"error": "min", "trainings": "max"}
    fixed: ClassVar[frozenset[str]] = frozenset({"environment"})

    lr: float = 3e-3
    environment: str = "somewhere"

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return {name: torch.randn(16, 5, generator=generator) for name in self._networks}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        del prepared
        return {name: Signature((5,), (outputs,)) for name, outputs in self._networks.items()}

    def train(self, model: nn.Module, context: Context) -> Trained:
        networks = named(model, self.signatures(context.prepared))
        optimizers = [torch.optim.Adam(one.parameters(), self.lr) for one in networks.values()]
        targets, trainings = copy.deepcopy(model), torch.tensor(1)
        if context.inherited is not None:
            for optimizer in optimizers:
                context.inherited.own.restore_optimizer(model, optimizer)
            targets.load_state_dict(dict(context.inherited.part(TARGET).tensors))
            trainings = context.inherited.part(TRAINER).tensors["trainings"] + 1
        for _ in range(3):
            for name, optimizer in zip(networks, optimizers, strict=True):
                optimizer.zero_grad()
                self._error(networks[name], context.prepared[name]).backward()
                optimizer.step()
            with torch.no_grad():
                for mine, theirs in zip(targets.parameters(), model.parameters(), strict=True):
                    mine.lerp_(theirs, 0.1)
        error = sum(float(self._error(networks[n], context.prepared[n]).detach()) for n in networks)
        state = State.of(model, *optimizers).plus(TARGET, State.of(targets))
        state = state.plus(TRAINER, State({"trainings": trainings}))
        return Trained({"error": error, "trainings": float(trainings)}, 48, state)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        networks = named(model, self.signatures(context.prepared))
        errors = [self._error(networks[name], context.prepared[name]) for name in networks]
        return {"error": float(sum(error.detach() for error in errors))}

    @property
    def _networks(self) -> Mapping[str, int]:
        return {"actor": 2, "critic1": 1, "critic2": 1}

    def _error(self, network: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = network(inputs)
        return (outputs - inputs[:, : outputs.shape[1]].sin()).square().mean()
