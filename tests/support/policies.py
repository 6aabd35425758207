"""Small candidates for trainers of policies, and their training."""

import torch
from torch import nn

from evonas.models import fresh_model
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer
from evonas_spaces.mlp import Mlp

SPACE = Mlp(hidden=32, layers=2)


def candidate(trainer: Trainer, seed: int = 0) -> nn.Module:
    """Return fresh networks as a trainer wants them."""
    return fresh_model(SPACE, SPACE.seed(trainer.signatures(trainer.prepare(0))), seed)


def context(trainer: Trainer, inherited: State | None = None) -> Context:
    """Return what the engine would lend, on the CPU."""
    prepared = trainer.prepare(0)
    return Context(
        torch.device("cpu"), torch.float32, 0, prepared, inherited, lambda *_, **__: None
    )


def train(trainer: Trainer, inherited: State | None = None) -> tuple[Trained, nn.Module]:
    """Train a small candidate, fresh or from an inherited state; return what came of it."""
    model = candidate(trainer)
    if inherited is not None:
        model.load_state_dict(dict(inherited.own.tensors))
    return trainer.train(model, context(trainer, inherited)), model
