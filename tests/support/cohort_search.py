"""A search whose candidates learn in cohorts and train in milliseconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final

import torch
from support.tiny_search import TINY
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import config
from evonas.cohort_preset import Available, CohortPreset
from evonas.config import Run
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Node, Stage
from evonas.networks import Network, Signature, Signatures
from evonas.setup import Setup, prepare
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer

COHORT: Mapping[str, Any] = {
    **TINY,
    "births": 6,
    "space": {"name": "mlp", "hidden": 4, "max_width": 16},
    "trainer": "support.cohort_search:Schooled",
    "genes": {},
    "cohort": {"preset": "support.cohort_search:School", "operators": []},
}
"""The table of its run file."""


FIXED: Mapping[str, Any] = COHORT["cohort"]


def run(cohort: object = FIXED, **changes: Any) -> Run:
    return config.from_table({**COHORT, "cohort": cohort, **changes}, "school")


def silent(message: str) -> None:
    del message


def started(
    folder: Path, cohort: object = FIXED, told: Callable[[str], None] = silent, **changes: Any
) -> Setup:
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    return prepare(run(cohort, **changes), folder, told)


def taught(teacher: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**FIXED, "teachers": {"master": teacher}, **changes}


def network(hidden: int = 3, inputs: int = 2, outputs: int = 4) -> nn.Module:
    """Return a network whose weights depend on torch's global generator."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class Doubled(nn.Module):
    """A network that is no plain graph of layers: it branches on values."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) if x.sum() > 0 else 2 * self.head(x)


@final
@dataclass(frozen=True, kw_only=True)
class School(CohortPreset):
    """Any number of peers that learn from the first teacher, as the candidate does.

    Attributes:
        peers: Trained beside the candidate.
        width: How many times wider than it they are.
        loss: Between logits.
        tap: That the candidate learns at.
    """

    paper: ClassVar[str] = "none"
    teachers: ClassVar[int] = 1

    peers: int = 1
    width: float = 1.0
    loss: Mapping[str, Any] = field(default_factory=lambda: {"name": "kl"})
    tap: str = "logits"

    def cohort(self, available: Available) -> Cohort:
        teacher = next(iter(available.teachers))
        learners = [CANDIDATE, *(f"peer{number}" for number in range(self.peers))]
        member = Node(kind="member", role="peer", width=self.width)
        edges = [Edge(loss={"name": "task"}, to=f"{one}:logits") for one in learners]
        edges += [
            Edge(loss=self.loss, to=f"{one}:{self.tap}", source=f"{teacher}:{self.tap}")
            for one in learners
        ]
        return Cohort(
            preset="school",
            nodes={
                CANDIDATE: Node(kind="candidate", role="student"),
                teacher: Node(kind="teacher", role="teacher"),
                **dict.fromkeys(learners[1:], member),
            },
            edges=tuple(edges),
            stages=(Stage(train=tuple(learners)),),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Schooled(Trainer):
    """A few steps towards a quadrant of the plane; logits follow those of teachers, if any.

    Attributes:
        lr: Learning rate of SGD.
        steps: On a batch each.
        batch_size: Of each.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}
    distils: ClassVar[bool] = True

    lr: float = 0.05
    steps: int = 3
    batch_size: int = 32

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        x = torch.randn(64, 2, generator=torch.Generator().manual_seed(seed))
        return {"x": x, "y": (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return {"net": Signature((prepared["x"].shape[1],), (4,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        plan, learners = context.cohort, {CANDIDATE: model}
        teachers: dict[str, nn.Module] = {}
        if plan is not None:
            trained = {name for stage in plan.cohort.stages for name in stage.train}
            learners |= {name: one for name, one in plan.networks.items() if name in trained}
            teachers = {name: one for name, one in plan.networks.items() if name not in trained}
        optimizers = {name: self._optimizer(one) for name, one in learners.items()}
        inherited = context.inherited or State({})
        for name, optimizer in optimizers.items():
            mine = inherited.own if name == CANDIDATE else inherited.part(name)
            mine.restore_optimizer(learners[name], optimizer)
        draws = torch.Generator().manual_seed(context.seed)
        for step in range(self.steps):
            rows = torch.randperm(64, generator=draws)[: self.batch_size]
            x, y = context.prepared["x"][rows], context.prepared["y"][rows]
            for name, learner in learners.items():
                outputs = learner(x)
                loss = F.cross_entropy(outputs, y)
                loss = loss + sum(F.mse_loss(outputs, one(x)) for one in teachers.values())
                optimizers[name].zero_grad()
                loss.backward()
                optimizers[name].step()
            context.report(step, **self.test(model, context))
        samples = self.steps * self.batch_size
        own = State.of(model, optimizers[CANDIDATE])
        if plan is None:
            return Trained(self.test(model, context), samples, own)
        parts = {
            name: State.of(learners[name], optimizers[name])
            for name, kept in plan.kept.items()
            if kept
        }
        macs = sum(macs for name, macs in plan.macs.items() if name != CANDIDATE) * samples
        return Trained(
            self.test(model, context), samples, own.joined(parts), extra_macs=float(macs)
        )

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        with torch.no_grad():
            outputs = model(context.prepared["x"])
        return {"error": float(F.cross_entropy(outputs, context.prepared["y"]))}

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9)
