"""What is made of disagreement: less trust, and a reason to go there."""

from typing import Any

import pytest
import torch

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.critics import critics_loss
from evonas_trainers.reinforcement.uncertainty import Optimism, trust


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_what_is_real_is_trusted_wholly() -> None:
    assert trust(torch.zeros(3), 20.0).tolist() == [1.0] * 3


def test_trust_falls_with_disagreement_and_stays_above_nothing() -> None:
    weights = trust(torch.linspace(0, 2, 50), 20.0)
    assert (weights.diff() < 0).all()
    assert (weights > 0).all()
    assert (weights <= 1).all()


def test_without_doubt_everything_is_trusted() -> None:
    assert trust(torch.rand(9, generator=drawing()), 0.0).tolist() == [1.0] * 9


def test_trust_is_twice_a_logistic_function() -> None:
    assert trust(torch.tensor(0.05), 20.0).item() == pytest.approx(2 / (1 + torch.e))


def test_a_step_that_is_not_trusted_does_not_move_the_critics() -> None:
    predicted, wanted = torch.tensor([[1.0, 5.0], [1.0, 5.0]]), torch.zeros(2)
    weights = trust(torch.tensor([0.0, 100.0]), 20.0)
    assert critics_loss(predicted, wanted, weights).item() == pytest.approx(0.5)


def test_candidates_begin_with_the_policy_and_stay_in_the_box() -> None:
    action = torch.tensor([[0.9, -0.2]])
    candidates = Optimism(candidates=500).around(action, drawing())
    assert candidates.shape == (500, 2)
    assert torch.equal(candidates[:1], action)
    assert candidates.abs().max() <= 1
    assert candidates[:, 1].std().item() == pytest.approx(0.6, abs=0.1), "0.71, cut off at 1"


def test_the_best_candidate_has_the_largest_value_and_bonus() -> None:
    candidates = torch.tensor([[-0.5], [0.0], [0.5]])
    values, apart = torch.tensor([1.0, 0.9, 0.0]), torch.tensor([0.0, 0.2, 0.5])
    assert Optimism(bonus=1.0).best(candidates, values, apart).tolist() == [[0.0]]
    assert Optimism(bonus=0.0).best(candidates, values, apart).tolist() == [[-0.5]]
    assert Optimism(bonus=9.0).best(candidates, values, apart).tolist() == [[0.5]]


def test_one_candidate_is_the_policy() -> None:
    action = torch.tensor([[0.3]])
    assert torch.equal(Optimism(candidates=1).around(action, drawing()), action)


@pytest.mark.parametrize("wrong", [{"interval": 0}, {"candidates": 0}, {"bonus": -1.0}])
def test_optimism_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Optimism(**wrong)
