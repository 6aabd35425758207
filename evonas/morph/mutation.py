"""The mutation contract: how a genome changes, and what becomes of the trained weights."""

from abc import ABC, abstractmethod
from typing import ClassVar

from evonas.genome import Edit, Genome
from evonas.seeds import Rng
from evonas.state import State


class Mutation(ABC):
    """One way to change a genome. Implementations are final, frozen dataclasses and pure.

    The three methods are called in this order, possibly in different processes and years: `propose`
    when a child is born, `apply` then and whenever the edit is replayed, `inherit` when the child
    is built. Nothing may be kept between them but the edit.

    Attributes:
        operator: What its edits are called; its entry-point name.
        exact: Whether the child computes what its parent computed (1e-9 in float64).
        exact_in_training: The same with batch statistics.
        alive: Whether every new parameter moves by the second step of training.
        source: The publication the operator comes from.
    """

    group: ClassVar[str] = "evonas.mutations"
    operator: ClassVar[str]
    exact: ClassVar[bool]
    exact_in_training: ClassVar[bool]
    alive: ClassVar[bool] = True
    source: ClassVar[str]

    @abstractmethod
    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw one applicable edit of `genome` (made by `genome.edit`), or None if there is none.

        Every random choice that shapes the genome is made here and written into the edit.
        """

    @abstractmethod
    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the edited genome with the edit on its record. A function of its arguments only.

        Raises:
            EditError: if the edit does not apply to this genome (as happens in crossover).
        """

    @abstractmethod
    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of `after` made from the trained state of `before`.

        `after` is what `apply` returned. New tensors are drawn from `rng`; optimizer slots are
        mapped with the weights, and new parameters have none or zeros. Tensors keep their dtype;
        transforms are computed in float64. Target networks are mapped by a call of their own, with
        the same draws; what is chosen by weights is then chosen by those of the candidate, which
        is the part `evonas.state.LEADER` of such a state.
        """
