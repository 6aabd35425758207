"""The matchers of a cohort in one training: when they learn, and by which edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas.genome.cohort import Cohort, Edge, Stage
from evonas_trainers.distillation.learning import matching
from evonas_trainers.distillation.learning.bilevel import (
    PASSES_END,
    PASSES_STEP,
    Whole,
    descend,
    hyper_gradient,
)
from evonas_trainers.distillation.learning.edge_weights import EdgeWeights
from evonas_trainers.distillation.learning.networks import Networks
from evonas_trainers.distillation.learning.programme import Programme
from evonas_trainers.distillation.learning.scaffold import Scaffold
from evonas_trainers.distillation.learning.values import Values
from evonas_trainers.slots import Batch, Criterion


@final
@dataclass(frozen=True, eq=False)
class Lesson:
    """What matchers learn from.

    Attributes:
        stage: Of the training.
        inputs: Of every node.
        batch: Where these come from.
        criterion: The trainer's loss of any outputs for this batch.
        progress: The part of the training that is done, from 0 to 1.
    """

    stage: Stage
    inputs: Mapping[str, Tensor]
    batch: Batch
    criterion: Criterion
    progress: float


@final
class Matchers:
    """Lets the matchers step once in so many steps of the training, the first included."""

    def __init__(
        self, cohort: Cohort, networks: Networks, scaffold: Scaffold, weights: EdgeWeights
    ) -> None:
        self._cohort, self._networks = cohort, networks
        self._scaffold, self._weights = scaffold, weights
        self._programme = Programme(cohort)
        self._tensors = matching.parameters(scaffold.modules)
        self._whole = Whole([*networks.running, scaffold.modules])
        self._steps = 0

    def is_due(self, stage: Stage) -> bool:
        """Count a step of the training; return whether matchers learn after it."""
        block = self._cohort.bilevel
        if block is None or not all(self._edges(stage, one) for one in (block.inner, block.outer)):
            return False
        self._steps += 1
        return self._steps % block.every == 1 % block.every

    def learn(self, lesson: Lesson, share: float) -> None:
        """Take one step, at this share of the full learning rate."""
        block = self._cohort.bilevel
        assert block is not None, "it is due only where there is one"
        rate = share * block.lr
        with torch.autocast(lesson.batch.inputs.device.type, enabled=False):
            gradients = hyper_gradient(
                self._whole,
                self._tensors,
                lambda: self._loss(block.inner, lesson),
                lambda: self._loss(block.outer, lesson),
                steps=block.steps,
                rate=rate,
            )
        self._networks.clear()
        descend(self._tensors, gradients, rate)
        for tag, passes in (
            (block.inner, block.steps * PASSES_STEP),
            (block.outer, PASSES_STEP + PASSES_END),
        ):
            for node in self._programme.read_by(self._edges(lesson.stage, tag)):
                self._networks.charge_virtual(node, len(lesson.batch.targets), passes)

    def _loss(self, tag: str, lesson: Lesson) -> Tensor:
        """Run the networks that the edges of a tag read; return these edges' loss."""
        edges = self._edges(lesson.stage, tag)
        for node in sorted(self._programme.read_by(edges)):
            self._networks.run(node, lesson.inputs[node])
        values = Values(
            self._cohort,
            self._networks,
            self._scaffold,
            lesson.batch.targets,
            matching_learns=True,
        )
        total = lesson.batch.inputs.new_zeros(())
        for edge in edges:
            weight = self._weights.at(edge, lesson.progress)
            total = total + weight * values.loss(edge, lesson.criterion)
        return total

    def _edges(self, stage: Stage, tag: str) -> list[Edge]:
        return [edge for edge in self._programme.active(stage) if edge.tag == tag]
