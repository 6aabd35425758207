"""A tiny cohort on made-up pictures, trained by the real loop or step by step by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor, fx
from torch.nn import functional as F

from evonas import seeds
from evonas.cohort_plan import CohortPlan
from evonas.genome.cohort import Cohort
from evonas.genome.cohort_kinds import Tap
from evonas.genome.layers import LayerGraph, Node
from evonas.morph.build import build_graph
from evonas.trainer import Context
from evonas_trainers.distillation.learning.training import CohortTraining, Lent
from evonas_trainers.slots import Batch

CPU = torch.device("cpu")
SIZE, CLASSES, SAMPLES = 6, 3, 24
PLUGINS = "support.cohort_plugins"
TASK = {"name": "task"}
KL = {"name": f"{PLUGINS}:Soft"}
IN_TURN = {"name": f"{PLUGINS}:InTurn"}


def graph(width: int = 4) -> LayerGraph:
    """Return conv-bn-relu, a sum with a second convolution, mean, linear."""
    square = {"kernel": [3, 3], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "bias": False}
    conv = {"out": width, "stride": [1, 1], **square}
    return LayerGraph(
        (
            Node("x", "input", (), {"shape": [1, SIZE, SIZE]}),
            Node("a.conv", "conv", ("x",), conv),
            Node("a.bn", "bn", ("a.conv",), {"eps": 1e-5, "momentum": 0.1}),
            Node("a.act", "act", ("a.bn",), {"kind": "relu"}),
            Node("b.conv", "conv", ("a.act",), conv),
            Node("b.sum", "add", ("a.act", "b.conv"), {}),
            Node("mean", "gap", ("b.sum",), {}),
            Node("fc", "linear", ("mean",), {"out": CLASSES, "bias": True}),
            Node("out", "output", ("fc",), {}),
        )
    )


def network(seed: int, width: int = 4) -> fx.GraphModule:
    """Build the network with weights of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_graph(graph(width))


def taps(width: int = 4) -> Mapping[str, Tap]:
    """Return the taps of the network."""
    picture = (width, SIZE, SIZE)
    return {
        "s1": Tap("a.act", picture),
        "s2": Tap("b.sum", picture),
        "gap": Tap("mean", (width,)),
        "logits": Tap("fc", (CLASSES,)),
    }


def plan(
    cohort: Cohort, networks: Mapping[str, fx.GraphModule], width: Mapping[str, int] | None = None
) -> CohortPlan:
    """Return the plan of a cohort; members keep all of their state."""
    widths = width or {}
    kinds = {name: node.kind for name, node in cohort.nodes.items()}
    return CohortPlan(
        cohort=cohort,
        networks=networks,
        taps={name: taps(widths.get(name, 4)) for name in kinds},
        macs=dict.fromkeys(kinds, 100.0),
        kept={
            name: frozenset(networks[name].state_dict())
            for name, kind in kinds.items()
            if kind == "member"
        },
    )


def data() -> Mapping[str, Tensor]:
    """Return noisy pictures of three classes, in the form that the trainer prepares."""
    rng = seeds.stream(0, "pictures")
    y = np.arange(SAMPLES) % CLASSES
    x = rng.normal(0, 0.5, (SAMPLES, 1, SIZE, SIZE))
    for sample, label in zip(x, y, strict=True):
        sample[0, 2 * label : 2 * label + 2] += 2
    inputs, labels = torch.from_numpy(x).float(), torch.from_numpy(y)
    return {
        "train_x": inputs,
        "train_y": labels,
        "valid_x": inputs,
        "valid_y": labels,
        "mean": torch.zeros(1),
        "std": torch.ones(1),
        "classes": torch.tensor(CLASSES),
    }


def context(cohort: CohortPlan | None = None) -> Context:
    """Return what the engine lends."""
    lent = Context(CPU, torch.float32, 0, data(), None, lambda *_, **__: None)
    return replace(lent, cohort=cohort)


@final
@dataclass(frozen=True)
class Steps:
    """Drives a cohort's training as the loop does."""

    training: CohortTraining

    @classmethod
    def begin(
        cls,
        plan_: CohortPlan,
        model: fx.GraphModule,
        *,
        epochs: int = 1,
        batch_size: int = 8,
        mixes: bool = False,
    ) -> "Steps":
        """Begin without augmentation; a second look at a batch is its mirror image."""
        lent = Lent(
            data=data(),
            epochs=epochs,
            batch_size=batch_size,
            mixes=mixes,
            seed=0,
            generator=torch.Generator().manual_seed(0),
            again=lambda batch: batch.inputs.flip(3),
        )
        return cls(CohortTraining(plan_, model, lent))

    def rows(self, epoch: int = 0) -> Tensor:
        """Return the rows of the first batch of an epoch; that begins its stage."""
        return next(iter(self.training.batches(epoch)))

    def loss(self, rows: Tensor, progress: float = 0.0) -> Tensor:
        """Run the candidate, if it trains, and return the loss."""
        batch = Batch(data()["train_x"][rows], data()["train_y"][rows], rows)
        if self.training.trains_candidate:
            self.training.network(batch.inputs)
        return self.training.loss(batch, lambda out: F.cross_entropy(out, batch.targets), progress)
