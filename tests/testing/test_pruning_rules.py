"""A trainer that prunes by some rules alone refuses the others, and says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import pytest
from support.pruning_search import Hard, Thinning
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule
from evonas.networks import Network, Signatures
from evonas.testing import Check
from evonas.testing.pruned_training import pruned_training_checks
from evonas.trainer import Context, Trained, Trainer, check_rule, follows

OTHER = replace(Hard().schedule(), rule={"name": "other"})


@final
@dataclass(frozen=True, kw_only=True)
class Picky(Trainer):
    """Prunes by one rule.

    Attributes:
        is_careless: Whether it does what other rules ask for all the same.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}
    prunes: ClassVar[bool | frozenset[str]] = frozenset({"regrow", "straight-through"})

    is_careless: bool = False

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Thinning().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Thinning().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        if context.pruning is not None and not self.is_careless:
            check_rule(self, context.pruning.schedule)
        return Thinning().train(model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return Thinning().test(model, context)


def check_of(trainer: Trainer, claim: str) -> Check:
    found = {check.claim: check for check in pruned_training_checks(trainer, lambda: PREPARED)}
    return found[claim]


PREPARED = Thinning().prepare(0)


@pytest.mark.parametrize(
    ("trainer", "schedule", "can"),
    [
        (Thinning(), OTHER, True),
        (Picky(), replace(OTHER, rule={"name": "regrow"}), True),
        (Picky(), OTHER, False),
    ],
)
def test_a_trainer_follows_all_rules_or_those_that_it_names(
    trainer: Trainer, schedule: Schedule, *, can: bool
) -> None:
    assert follows(trainer, schedule.rule["name"]) == can


def test_what_a_trainer_cannot_follow_is_refused_with_what_it_can() -> None:
    said = "Picky prunes by regrow, straight-through alone, and preset 'hard' has the rule 'other'"
    with pytest.raises(ConfigError, match=said):
        check_rule(Picky(), OTHER)


def test_the_suite_asks_for_a_refusal_of_other_rules() -> None:
    check_of(Picky(), "it refuses to prune by sfp").verify()
    with pytest.raises(AssertionError, match="'sfp' has a rule that is not among `prunes`"):
        check_of(Picky(is_careless=True), "it refuses to prune by sfp").verify()


def test_the_suite_asks_for_the_small_network_of_rules_that_are_followed() -> None:
    assert check_of(Picky(), "pruned by rigl it hands over the small network")
