"""Decision attention is its formula; it learns from the learners' losses and moves no teacher."""

import pytest
import torch
from literal_transfer import dot, softmax
from torch import Tensor

from evonas.aggregation import Combination
from evonas.errors import ConfigError
from evonas_trainers.distillation.aggregators.decision_attention import (
    DecisionAttention,
    FeatureAttention,
)
from evonas_trainers.distillation.losses.vectors import Features

LABELS = torch.empty(0)


def drawn(*widths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4, width, generator=generator).requires_grad_() for width in widths]


def started(rule: DecisionAttention, *widths: int) -> Combination:
    torch.manual_seed(0)
    return rule.start([(3,)] * len(widths), [(width,) for width in widths])


@pytest.mark.parametrize("mask_self", [False, True])
@pytest.mark.parametrize("widths", [(6, 6, 6), (6, 4, 6)], ids=["alike", "unlike"])
def test_decisions_are_weighed_by_the_formula(
    *, mask_self: bool, widths: tuple[int, int, int]
) -> None:
    decisions, vectors = drawn(3, 3, 3), drawn(*widths)
    module = started(DecisionAttention(width=5, mask_self=mask_self), *widths)
    target = module.forward(decisions, vectors, LABELS).detach()
    own = module.state_dict()
    for sample in range(4):
        seen = [one[sample].tolist() for one in vectors]
        for m in range(3):
            query = [dot(row, seen[m]) for row in own[f"weighing.queries.{m}.weight"].tolist()]
            others = [n for n in range(3) if not mask_self or n != m]
            keys = [
                [dot(row, seen[n]) for row in own[f"weighing.keys.{widths[n]}.weight"].tolist()]
                for n in others
            ]
            weights = softmax([dot(query, key) / 5**0.5 for key in keys])
            expected = sum(w * decisions[n][sample] for w, n in zip(weights, others, strict=True))
            torch.testing.assert_close(target[m, sample], expected, rtol=1e-4, atol=1e-5)


def test_every_policy_has_weights_of_its_own() -> None:
    vectors = drawn(6, 6, 6)
    module = started(DecisionAttention(), 6, 6, 6)
    module.forward(drawn(3, 3, 3), vectors, LABELS)
    assert module.weights is not None
    torch.testing.assert_close(module.weights.sum(2), torch.ones(3, 4))
    assert not module.weights[0].allclose(module.weights[1], atol=1e-3)


def test_a_loss_on_the_target_trains_the_attention_and_moves_no_teacher() -> None:
    decisions, vectors = drawn(3, 3, 3), drawn(6, 6, 6)
    module = started(DecisionAttention(), 6, 6, 6)
    module.forward(decisions, vectors, LABELS)[0].square().sum().backward()
    query, *others = (module.get_parameter(f"weighing.queries.{m}.weight").grad for m in range(3))
    assert query is not None
    assert query.count_nonzero()
    assert all(one is None or not one.count_nonzero() for one in others)
    assert all(one.grad is None for one in (*decisions, *vectors))


def test_of_two_policies_that_leave_themselves_out_each_has_the_other() -> None:
    decisions = drawn(3, 3)
    module = started(DecisionAttention(mask_self=True), 6, 6)
    target = module.forward(decisions, drawn(6, 6), LABELS)
    torch.testing.assert_close(target, torch.stack(decisions[::-1]))


def test_features_of_other_widths_come_to_that_of_the_first() -> None:
    widths = [(6,), (4,), (6,)]
    torch.manual_seed(0)
    module = FeatureAttention(is_even=True).start(widths, widths)
    vectors = drawn(6, 4, 6)
    target = module.forward(vectors, vectors, LABELS)
    brought = module.get_submodule("maps.1")(vectors[1])
    expected = (vectors[0] + brought + vectors[2]) / 3
    torch.testing.assert_close(target, expected.expand(3, -1, -1))


def test_features_of_one_width_need_no_maps() -> None:
    module = FeatureAttention(is_even=True).start([(6,)] * 2, [(6,)] * 2)
    assert not list(module.parameters())


def test_the_loss_of_features_is_their_mean_squared_difference() -> None:
    to, source = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(Features().loss(to, source, LABELS), torch.tensor([2.5, 0.0]))


@pytest.mark.parametrize("rule", [DecisionAttention, FeatureAttention])
def test_a_width_of_none_is_refused(rule: type[DecisionAttention | FeatureAttention]) -> None:
    with pytest.raises(ConfigError, match="width needs a whole number above 0"):
        rule(width=0)


@pytest.mark.parametrize("rule", [DecisionAttention, FeatureAttention])
def test_a_lone_policy_cannot_leave_itself_out(
    rule: type[DecisionAttention | FeatureAttention],
) -> None:
    with pytest.raises(ConfigError, match="mask_self leaves a lone policy nobody"):
        rule(mask_self=True).start([(6,)], [(6,)])
