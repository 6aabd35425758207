"""The controller contract: what is born next."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome import Birth
from evonas.history import History, Objective
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.morph.prune_options import PruningOptions
from evonas.seeds import Rng
from evonas.space import SearchSpace


@final
@dataclass(frozen=True)
class Question:
    """What a search asks, as far as a controller needs to know.

    Attributes:
        space: Where to search.
        mutations: The ways to vary a genome, by name: the space's, the settings genes', the
            pruning genes', and the cohort's.
        objectives: What to improve; the first is the one that single-objective controllers use.
        seed: The run's seed, for `evonas.seeds`.
        pruning: What pruning genes may become; None where nothing is pruned.
        cohort: What cohorts may become; None where candidates learn alone.
    """

    space: SearchSpace
    mutations: Mapping[str, Mutation]
    objectives: Sequence[Objective]
    seed: int
    pruning: PruningOptions | None = None
    cohort: CohortOptions | None = None


class Controller(ABC):
    """A search algorithm. Implementations are final, frozen dataclasses.

    `propose` is a pure function: the same history, question and generator state give the same
    birth, in any process. State is derived with `history.fold`, never kept.

    Attributes:
        source: The publication the algorithm comes from.
        mutates: Whether it makes births by mutations; pruning genes and cohorts vary in no other
            way.
    """

    group: ClassVar[str] = "evonas.controllers"
    source: ClassVar[str]
    mutates: ClassVar[bool] = True

    @abstractmethod
    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return the birth with this `number`.

        Args:
            history: What may be known: a prefix of the finished individuals, at least the seed
                (number 0), not always all of them.
            question: Space and objectives.
            number: Of the birth to propose; larger than any in `history`.
            rng: A generator of this birth's own.
        """
