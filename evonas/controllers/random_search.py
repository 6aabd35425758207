"""Random search: random edits of the seed, no selection; the baseline every search must beat."""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.controllers.controller import Controller, Question
from evonas.controllers.population import check_positive
from evonas.controllers.variation import Breeder
from evonas.genome import Birth
from evonas.history import Evaluation, History
from evonas.seeds import Rng


@final
@dataclass(frozen=True, kw_only=True)
class RandomSearch(Controller):
    """Draw how many edits the seed gets, and the edits, evenly.

    Attributes:
        max_edits: The largest number of edits.
        from_seed: Whether candidates inherit the trained seed's weights or start afresh.
    """

    source: ClassVar[str] = (
        "Random Search for Hyper-Parameter Optimization, Bergstra and Bengio, 2012, "
        "https://jmlr.org/papers/v13/bergstra12a.html"
    )

    max_edits: int = 10
    from_seed: bool = True

    def __post_init__(self) -> None:
        check_positive(max_edits=self.max_edits)

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return the seed after random edits."""
        breeder = Breeder(history, question, rng)
        num_edits = int(rng.integers(1, self.max_edits, endpoint=True))
        if self.from_seed and isinstance(history[0].outcome, Evaluation):
            return breeder.mutant(history[0], num_edits=num_edits)
        return breeder.from_scratch(number, num_edits)
