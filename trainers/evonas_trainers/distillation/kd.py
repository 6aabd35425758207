"""Learning from a finished teacher: its logits, its maps, or by way of an assistant.

Weights are of losses in the canonical convention of `evonas.transfer`; published ones are converted
(`docs/cohorts.md`).
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Node, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    same_size,
    task,
    teachers,
)

_ASSISTANT = "assistant"


@final
@dataclass(frozen=True, kw_only=True)
class Kd(CohortPreset):
    """Knowledge distillation: the softened probabilities of a teacher beside the labels.

    The numbers are those that a public benchmark of distillation uses on CIFAR-100.

    Attributes:
        temperature: By which logits are divided.
        weight: Of the divergence; the labels have the rest of 1.
    """

    paper: ClassVar[str] = (
        "Distilling the Knowledge in a Neural Network, Hinton, Vinyals and Dean, 2015, "
        "https://arxiv.org/abs/1503.02531"
    )
    teachers: ClassVar[int] = 1

    temperature: float = 4.0
    weight: float = 0.9

    def cohort(self, available: Available) -> Cohort:
        """Return one stage with two edges."""
        (teacher,) = nodes = teachers(self, available)
        return Cohort(
            preset="kd",
            nodes={**candidate(), **nodes},
            edges=soft_targets(CANDIDATE, teacher, self.temperature, self.weight),
        )


@final
@dataclass(frozen=True, kw_only=True)
class FitNet(CohortPreset):
    """Hints: first a map in the middle of the teacher, then its softened probabilities.

    Differs from the paper: the hint trains the whole student up to the tap with the trainer's own
    settings; the two stages share one training, and the learning rate starts anew in the second.

    Attributes:
        hint_share: Part of the training in which only the hint is learned.
        hint_weight: Of the hint, against nothing else.
        temperature: By which logits are divided in the second stage.
        weight: Of the divergence there; the labels have the rest of 1.
    """

    paper: ClassVar[str] = (
        "FitNets: Hints for Thin Deep Nets, Romero et al., 2014, https://arxiv.org/abs/1412.6550"
    )
    teachers: ClassVar[int] = 1

    hint_share: float = 0.25
    hint_weight: float = 1.0
    temperature: float = 4.0
    weight: float = 0.9

    def cohort(self, available: Available) -> Cohort:
        """Return a stage of the hint, between the maps in the middle, and one of distillation."""
        (teacher,) = nodes = teachers(self, available)
        pairs = same_size(available, teacher)
        ours, theirs = pairs[(len(pairs) - 1) // 2]
        hint = Edge(
            loss={"name": "hint"},
            to=end(CANDIDATE, ours),
            source=end(teacher, theirs),
            weight=Curve(end=self.hint_weight),
            tag="hint",
        )
        return Cohort(
            preset="fitnet",
            nodes={**candidate(), **nodes},
            edges=(
                hint,
                *soft_targets(CANDIDATE, teacher, self.temperature, self.weight, "distil"),
            ),
            stages=(
                Stage(name="hint", share=self.hint_share, tags=("hint",)),
                Stage(name="distil", share=1 - self.hint_share, tags=("distil",), restart=True),
            ),
        )


@final
@dataclass(frozen=True, kw_only=True)
class At(CohortPreset):
    """Attention transfer: where the teacher's maps are large, the student's shall be.

    Public code averages over positions, with a weight of 1000; summed over positions, as here, that
    is 1000 over the size of the map: 16 at 8x8, 1 at 32x32. The default is that of a first map of
    CIFAR; on 8x8 digits a small student loses by it, and more by 8 (benchmarks/cohort_offline.py).

    Attributes:
        weight: Of the loss at every stage.
    """

    paper: ClassVar[str] = (
        "Paying More Attention to Attention, Zagoruyko and Komodakis, 2016, "
        "https://arxiv.org/abs/1612.03928"
    )
    teachers: ClassVar[int] = 1

    weight: float = 1.0

    def cohort(self, available: Available) -> Cohort:
        """Return one stage with an edge between all maps of a size, beside the labels."""
        (teacher,) = nodes = teachers(self, available)
        transfers = (
            Edge(
                loss={"name": "attention"},
                to=end(CANDIDATE, ours),
                source=end(teacher, theirs),
                weight=Curve(end=self.weight),
            )
            for ours, theirs in same_size(available, teacher)
        )
        return Cohort(
            preset="at",
            nodes={**candidate(), **nodes},
            edges=(task(end(CANDIDATE)), *transfers),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Takd(CohortPreset):
    """Teacher assistant: a network of a size in between learns first, and teaches then.

    The paper finds temperature and weight by search; the defaults are those of `kd`.

    Attributes:
        width: How many times wider than the candidate's the assistant's layers are.
        assistant_share: Part of the training that is the assistant's.
        temperature: By which logits are divided.
        weight: Of the divergences; the labels have the rest of 1.
    """

    paper: ClassVar[str] = (
        "Improved Knowledge Distillation via Teacher Assistant, Mirzadeh et al., 2019, "
        "https://arxiv.org/abs/1902.03393"
    )
    teachers: ClassVar[int] = 1

    width: float = 1.5
    assistant_share: float = 0.5
    temperature: float = 4.0
    weight: float = 0.9

    def cohort(self, available: Available) -> Cohort:
        """Return one stage in which the assistant learns, and one in which the candidate does."""
        (teacher,) = nodes = teachers(self, available)
        assistant = Node(kind="member", role=_ASSISTANT, width=self.width)
        return Cohort(
            preset="takd",
            nodes={**candidate(), **nodes, _ASSISTANT: assistant},
            edges=(
                *soft_targets(_ASSISTANT, teacher, self.temperature, self.weight, "assist"),
                *soft_targets(CANDIDATE, _ASSISTANT, self.temperature, self.weight, "distil"),
            ),
            stages=(
                Stage(
                    name="assist",
                    share=self.assistant_share,
                    train=(_ASSISTANT,),
                    tags=("assist",),
                ),
                Stage(
                    name="distil", share=1 - self.assistant_share, tags=("distil",), restart=True
                ),
            ),
        )


def soft_targets(
    to: str, source: str, temperature: float, weight: float, tag: str = ""
) -> tuple[Edge, Edge]:
    """Return the edges of knowledge distillation between two nodes: labels, and probabilities."""
    return (
        task(end(to), 1 - weight, tag),
        divergence(end(to), end(source), temperature, Curve(end=weight), tag=tag),
    )
