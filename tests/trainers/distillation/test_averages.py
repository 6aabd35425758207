"""The virtual teachers without parameters are what they are called."""

import math

import pytest
import torch
from literal_transfer import softmax
from torch import Tensor

from evonas.aggregation import Aggregation
from evonas.errors import ConfigError
from evonas_trainers.distillation.aggregators.averages import Mean, MinLogit

LABELS = torch.tensor([3, 0, 1, 3])
SHAPES = [(5,)] * 3


def logits() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [3 * torch.randn(4, 5, generator=generator) for _ in SHAPES]


def test_the_mean_of_logits_is_their_mean() -> None:
    inputs = logits()
    target = Mean().start(SHAPES, []).forward(inputs, [], LABELS)
    torch.testing.assert_close(target, (inputs[0] + inputs[1] + inputs[2]) / 3)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_mean_of_probabilities_softens_back_to_the_mixture(temperature: float) -> None:
    inputs = logits()
    module = Mean(space="prob", temperature=temperature).start(SHAPES, [])
    target = module.forward(inputs, [], LABELS)
    for sample in range(4):
        opinions = [softmax([float(z) / temperature for z in one[sample]]) for one in inputs]
        mixture = [sum(column) / 3 for column in zip(*opinions, strict=True)]
        found = softmax([float(z) / temperature for z in target[sample]])
        assert found == pytest.approx(mixture, rel=1e-4)


def test_a_mixture_keeps_every_opinion_where_the_mean_of_logits_keeps_the_surest() -> None:
    sure, doubtful = torch.tensor([[20.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]])
    label, shapes = torch.tensor([0]), [(3,)] * 2
    by_logits = Mean().start(shapes, []).forward([sure, doubtful], [], label)
    mixed = Mean(space="prob", temperature=1.0).start(shapes, [])
    by_opinions = mixed.forward([sure, doubtful], [], label)
    assert float(torch.softmax(by_logits, 1)[0, 1]) < 0.001
    assert float(torch.softmax(by_opinions, 1)[0, 1]) == pytest.approx(0.5 * 0.787, abs=0.001)


def test_min_logit_is_the_least_of_each_class_when_the_true_ones_are_zero() -> None:
    inputs = logits()
    target = MinLogit().start(SHAPES, []).forward(inputs, [], LABELS)
    for sample, label in enumerate(LABELS.tolist()):
        for c in range(5):
            shifted = [float(one[sample, c] - one[sample, label]) for one in inputs]
            assert float(target[sample, c]) == pytest.approx(min(shifted))


def test_min_logit_is_surer_of_the_label_than_any_of_its_inputs() -> None:
    inputs = logits()
    target = MinLogit().start(SHAPES, []).forward(inputs, [], LABELS)
    true = [torch.softmax(one, 1).gather(1, LABELS.unsqueeze(1)) for one in [target, *inputs]]
    assert all((true[0] >= one).all() for one in true[1:])


@pytest.mark.parametrize(
    ("rule", "temperature"),
    [(Mean(), 1.0), (Mean(space="prob", temperature=4.0), 4.0), (MinLogit(), 1.0)],
    ids=["logits", "probabilities", "min"],
)
def test_the_labels_loss_is_their_surprise_under_the_target(
    rule: Aggregation, temperature: float
) -> None:
    module = rule.start(SHAPES, [])
    target = module.forward(logits(), [], LABELS)
    rows = [softmax([float(z) / temperature for z in row]) for row in target]
    surprise = [-math.log(row[c]) for row, c in zip(rows, LABELS.tolist(), strict=True)]
    assert float(module.label_loss(target, LABELS)) == pytest.approx(sum(surprise) / 4, rel=1e-4)


def test_a_space_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="'logit' or 'prob'"):
        Mean(space="log")  # pyright: ignore[reportArgumentType]
