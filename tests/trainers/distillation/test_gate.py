"""ONE's gate is softmax(BN(FC(gap))), and learns who is right."""

import pytest
import torch
from literal_transfer import dot, softmax
from torch import Tensor

from evonas.devices import seeded
from evonas_trainers.distillation.aggregators.gate import Gate


def inputs() -> tuple[list[Tensor], Tensor, Tensor]:
    """Make the logits of two members, the map that is looked at, and labels."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(6, 3, 4, 4, generator=generator)
    members = [torch.randn(6, 5, generator=generator) for _ in range(2)]
    return members, seen, torch.tensor([0, 1, 2, 3, 4, 0])


def test_the_gate_is_its_formula() -> None:
    members, seen, labels = inputs()
    module = Gate().start([(5,)] * 2, [(3, 4, 4)])
    tensors = {name: one.detach() for name, one in module.named_parameters()}
    target = module.forward(members, [seen], labels).detach()
    pooled = [[float(channel.mean()) for channel in one] for one in seen]
    weight, bias = tensors["scores.weight"].tolist(), tensors["scores.bias"].tolist()
    scores = [
        [dot(row, one) + shift for row, shift in zip(weight, bias, strict=True)] for one in pooled
    ]
    columns = list(zip(*scores, strict=True))
    means = [sum(column) / 6 for column in columns]
    variances = [
        sum((x - mean) ** 2 for x in column) / 6
        for column, mean in zip(columns, means, strict=True)
    ]
    for sample, row in enumerate(scores):
        normal = [
            (x - m) / (v + 1e-5) ** 0.5 for x, m, v in zip(row, means, variances, strict=True)
        ]
        weights = softmax(normal)
        expected = weights[0] * members[0][sample] + weights[1] * members[1][sample]
        assert module.weights is not None
        assert module.weights[sample].tolist() == pytest.approx(weights, rel=1e-4)
        torch.testing.assert_close(target[sample], expected, rtol=1e-4, atol=1e-5)


def test_the_gate_learns_from_the_labels_who_is_right_about_which_sample() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(4, (64,), generator=generator)
    kind = torch.randint(2, (64,), generator=generator)
    seen = (
        torch.randn(64, 3, 2, 2, generator=generator)
        + 2 * (kind.float() - 0.5)[:, None, None, None]
    )
    knowing, ignorant = 4.0 * torch.eye(4)[labels], torch.zeros(64, 4)
    members = [torch.where((kind == m)[:, None], knowing, ignorant) for m in range(2)]
    with seeded(0, torch.device("cpu")):
        module = Gate().start([(4,)] * 2, [(3, 2, 2)])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5, momentum=0.9)
    for _ in range(60):
        loss = module.label_loss(module.forward(members, [seen], labels), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert module.weights is not None
    assert (module.weights.argmax(1) == kind).float().mean() > 0.9
