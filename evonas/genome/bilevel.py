"""How a cohort learns which samples to match: the part of its genes with two levels.

The inner level trains the networks by edges whose samples have learned weights; the outer level
judges, by other edges, what became of them. See `evonas_trainers.distillation.learning.bilevel`.
"""

from dataclasses import dataclass
from typing import final

MAX_STEPS = 4
"""Virtual steps that may be differentiated through; each is kept in memory."""


@final
@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """When and how the weights of samples learn.

    Attributes:
        inner: The tag of the edges by which virtual steps are taken; matched edges have it.
        outer: The tag of the edges by which their outcome is judged.
        every: So many steps of the training pass between two of the matchers.
        steps: Virtual steps by the inner edges; one by the outer edges follows.
        lr: Of virtual steps and of the matchers', when the trainer's is full; it falls as that.
        has_gates: Whether agreements have a learned scale and shift, and so weights from 0 to 1;
            else they are between 0.27 and 0.73.
    """

    inner: str
    outer: str
    every: int = 50
    steps: int = 2
    lr: float = 0.1
    has_gates: bool = False
