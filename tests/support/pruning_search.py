"""A search that prunes networks which train in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from support.tiny_search import TINY
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.genome.schedule import Criterion, Curve, Granularity, Schedule
from evonas.networks import Network, Signature, Signatures
from evonas.preset import Preset
from evonas.pruning_plan import PlannedGroup
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer

PRUNING: Mapping[str, Any] = {
    **TINY,
    "births": 16,
    "objectives": {"error": "min", "parameters": "min"},
    "space": {"name": "mlp", "hidden": 12, "layers": 2, "max_width": 16},
    "trainer": "support.pruning_search:Thinning",
    "genes": {},
    "pruning": {
        "presets": [
            "support.pruning_search:Hard",
            {"name": "support.pruning_search:Hard", "begin": 0.5},
        ],
        "target": {"parameters": [0.3, 0.7]},
    },
}
"""The table of its run file."""


@final
@dataclass(frozen=True, kw_only=True)
class Hard(Preset):
    """Hard pruning, with what tests want to vary."""

    paper: ClassVar[str] = "none"

    begin: float = 0.0
    criterion: Criterion = "l2"
    granularity: Granularity = "filter"
    until: float = 0.5

    def schedule(self) -> Schedule:
        return Schedule(
            preset="hard",
            alpha=Curve(kind="linear", start=1.0, until=self.until),
            beta=Curve(),
            begin=self.begin,
            criterion=self.criterion,
            granularity=self.granularity,
        )


@final
@dataclass(frozen=True, kw_only=True)
class Thinning(Trainer):
    """A few steps towards a fixed map of two numbers to one; then the weakest units go.

    Attributes:
        lr: Learning rate of SGD.
        steps: On half of the data each.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}
    prunes: ClassVar[bool | frozenset[str]] = True

    lr: float = 0.05
    steps: int = 3

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        made = torch.Generator().manual_seed(seed)
        x = torch.randn(64, 2, generator=made)
        return {"x": x, "y": x.prod(dim=1, keepdim=True)}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return {"net": Signature((prepared["x"].shape[1],), (1,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        x, y = context.prepared["x"], context.prepared["y"]
        optimizer = torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9)
        if context.inherited is not None:
            context.inherited.restore_optimizer(model, optimizer)
        draws = torch.Generator().manual_seed(context.seed)
        for step in range(self.steps):
            rows = torch.randperm(len(x), generator=draws)[:32]
            optimizer.zero_grad()
            F.mse_loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
            context.report(step, **self.test(model, context))
        samples = 32 * self.steps
        state = State.of(model, optimizer)
        if context.pruning is None:
            return Trained(self.test(model, context), samples, state)
        masked = self.test(model, context)["error"]
        for group in context.pruning.groups:
            _silence(model, group)
        small, state = context.pruning.compacted(State.of(model, optimizer))
        error = self.test(small, context)["error"]
        metrics = {"masked_error": masked, "compact_error": error, "gap": error - masked}
        return Trained({"error": error, **metrics}, samples, state)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        with torch.no_grad():
            return {"error": float(F.mse_loss(model(context.prepared["x"]), context.prepared["y"]))}


def _silence(model: nn.Module, group: PlannedGroup) -> None:
    """Make zero whatever makes the weakest channels of a group."""
    parameters = dict(model.named_parameters())
    norms = torch.zeros(group.size)
    for name, places in group.weights.items():
        rows = parameters[name].detach().flatten(1).norm(dim=1)
        norms += rows[torch.from_numpy(places)].sum(dim=1)
    gone = norms.argsort(stable=True)[: group.size - group.keep]
    with torch.no_grad():
        for name, places in group.rows.items():
            parameters[name][torch.from_numpy(places)[gone].flatten()] = 0.0
