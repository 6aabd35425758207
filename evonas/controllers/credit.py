"""What each operator has earned: improvement over the control child, per training MAC.

A child that inherits weights looks better than its parent because it has trained longer. Its
sibling without the edit, the control child, has trained exactly as long with the same data in the
same order; an edit is credited with what it adds to that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import final

from evonas.genome import CONTROL, FINAL, Birth
from evonas.history import Evaluation, History, Individual, Objective


@final
@dataclass(frozen=True)
class Child:
    """An edited child whose parent has no control child yet."""

    operator: str
    loss: float
    macs: float


@final
@dataclass(frozen=True)
class Account:
    """One parent's children.

    Attributes:
        control: Loss of its control child, once known.
        waiting: The edited children that wait for it.
    """

    control: float | None = None
    waiting: tuple[Child, ...] = ()


@final
@dataclass(frozen=True)
class Earned:
    """What an operator's children have gained over their controls, and their training's MACs."""

    credit: float = 0.0
    macs: float = 0.0

    def plus(self, child: Child, control: float) -> "Earned":
        """Return the sum with one more child."""
        return Earned(self.credit + control - child.loss, self.macs + child.macs)


@final
@dataclass(frozen=True)
class Books:
    """The accounts of recent parents, longest untouched first, and every operator's earnings."""

    accounts: Mapping[int, Account] = field(default_factory=dict)
    earned: Mapping[str, Earned] = field(default_factory=dict)

    def has_control(self, parent: int) -> bool:
        """Return whether the control child of this parent is known."""
        return self.accounts.get(parent, Account()).control is not None


@final
@dataclass(frozen=True)
class Bookkeeping:
    """Keeps the books of a search as a fold of its history. It is its own step, and names it.

    Only parents among the last `memory` that had children keep an account, so that a step costs
    the same in a long history; a control child that comes later than that credits nobody.
    """

    objective: Objective
    memory: int

    def books(self, history: History) -> Books:
        """Return the books of this history."""
        return history.fold(self, Books(), self)

    def __call__(self, books: Books, born: Individual) -> Books:
        """Return the books after one more birth."""
        outcome = born.outcome
        if not isinstance(outcome, Evaluation) or not _counts(born.birth):
            return books
        loss, parent = self.objective.loss(outcome), born.birth.parents[0]
        account = books.accounts.get(parent, Account())
        if born.birth.operator == CONTROL:
            account = account if account.control is not None else replace(account, control=loss)
        elif outcome.same_as is None:
            child = Child(born.birth.operator, loss, outcome.cost.macs)
            account = replace(account, waiting=(*account.waiting, child))
        account, earned = _settled(account, books.earned)
        return Books(self._touched(books.accounts, parent, account), earned)

    def _touched(
        self, accounts: Mapping[int, Account], parent: int, account: Account
    ) -> Mapping[int, Account]:
        """Return the accounts with this one last, and without the first if they are too many."""
        others = {number: other for number, other in accounts.items() if number != parent}
        if len(others) == self.memory:
            del others[next(iter(others))]
        return {**others, parent: account}


def chances(
    earned: Mapping[str, Earned], operators: Iterable[str], floor: float
) -> Mapping[str, float]:
    """Return the probability of each operator: its credit per MAC, and never less than `floor`.

    Losses count as nothing; operators that nobody has tried are taken for average ones; all are
    equal as long as none has gained anything.
    """
    rates = {name: _rate(earned.get(name)) for name in operators}
    known = [rate for rate in rates.values() if rate is not None]
    average = sum(known) / len(known) if known else 0.0
    weights = {name: average if rate is None else rate for name, rate in rates.items()}
    total = sum(weights.values())
    floor = min(floor, 1 / len(weights))
    if total <= 0.0:
        return dict.fromkeys(weights, 1 / len(weights))
    free = 1.0 - floor * len(weights)
    return {name: floor + free * weight / total for name, weight in weights.items()}


def _rate(earned: Earned | None) -> float | None:
    if earned is None:
        return None
    return max(earned.credit, 0.0) / max(earned.macs, 1.0)


def _counts(birth: Birth) -> bool:
    """Return whether a birth is one of a parent's children that all train equally long."""
    return bool(birth.parents) and birth.operator != FINAL


def _settled(
    account: Account, earned: Mapping[str, Earned]
) -> tuple[Account, Mapping[str, Earned]]:
    """Return the account with nobody waiting if it has a control, and what its children earned."""
    if account.control is None or not account.waiting:
        return account, earned
    sums = dict(earned)
    for child in account.waiting:
        sums[child.operator] = sums.get(child.operator, Earned()).plus(child, account.control)
    return Account(account.control), sums
