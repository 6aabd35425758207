"""AMTML-KD's mixture is its formula, and learns from labels which teacher to ask."""

import pytest
import torch
from literal_transfer import softmax
from torch import Tensor, nn

from evonas.aggregation import Combination
from evonas.devices import seeded
from evonas.errors import ConfigError
from evonas_trainers.distillation.aggregators.latent_factors import LatentFactors
from evonas_trainers.distillation.losses.logits import SoftLabels

CLASSES = 4
DOMAINS = 3


def mixture(rule: LatentFactors, channels: int) -> Combination:
    with seeded(0, torch.device("cpu")):
        return rule.start([(CLASSES,)] * DOMAINS, [(channels, 2, 2)])


def test_the_target_is_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    teachers = [torch.randn(2, CLASSES, generator=generator) for _ in range(DOMAINS)]
    seen = torch.randn(2, 3, 2, 2, generator=generator)
    module = mixture(LatentFactors(temperature=5.0), channels=3)
    target = module.forward(teachers, [seen], torch.tensor([0, 1])).detach()
    factors = module.state_dict()
    theta, v = factors["factors"].tolist(), factors["readout"].tolist()
    for sample in range(2):
        beta = [float(channel.max()) for channel in seen[sample]]
        weights = softmax(
            [sum(a * t * b for a, t, b in zip(v, row, beta, strict=True)) for row in theta]
        )
        soft = [softmax([float(z) / 5 for z in one[sample]]) for one in teachers]
        expected = [
            sum(w * p[c] for w, p in zip(weights, soft, strict=True)) for c in range(CLASSES)
        ]
        assert softmax([float(z) / 5 for z in target[sample]]) == pytest.approx(expected, rel=1e-4)
        assert module.weights is not None
        assert module.weights[sample].tolist() == pytest.approx(weights, rel=1e-4)


def test_the_labels_loss_has_the_penalty_on_factors() -> None:
    module, bare = (mixture(LatentFactors(penalty=one), channels=3) for one in (0.1, 0.0))
    target, labels = torch.zeros(2, CLASSES), torch.tensor([0, 1])
    squares = sum(one.detach().square().sum() for one in module.parameters())
    difference = module.label_loss(target, labels) - bare.label_loss(target, labels)
    torch.testing.assert_close(difference.detach(), 0.1 * squares)


def experts() -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Make three teachers who each know one domain and are surely wrong about the others.

    The map shows which domain a sample is of.
    """
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (96,), generator=generator)
    domain = torch.randint(DOMAINS, (96,), generator=generator)
    wrong = (labels + 1) % CLASSES
    teachers = [
        8.0 * torch.eye(CLASSES)[torch.where(domain == one, labels, wrong)]
        for one in range(DOMAINS)
    ]
    shown = torch.eye(DOMAINS)[domain].repeat(1, 2)
    seen = shown[:, :, None, None] + 0.1 * torch.rand(96, 2 * DOMAINS, 2, 2, generator=generator)
    return teachers, seen, labels, domain


def right_experts(*, learns_from_labels: bool, penalty: float = 0.01) -> float:
    """Train the factors beside a student that says at first what the first teacher says."""
    teachers, seen, labels, domain = experts()
    module = mixture(LatentFactors(penalty=penalty), channels=2 * DOMAINS)
    student = nn.Parameter(teachers[0].clone())
    optimizer = torch.optim.SGD([*module.parameters(), student], lr=0.1, momentum=0.9)
    for _ in range(200):
        target = module.forward(teachers, [seen], labels)
        draw = SoftLabels(temperature=5.0).loss
        loss = (
            module.label_loss(target, labels) + draw(student, target.detach(), labels).mean()
            if learns_from_labels
            else draw(student, target, labels).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert module.weights is not None
    return float((module.weights.argmax(1) == domain).float().mean())


def test_factors_that_learn_from_labels_ask_the_right_expert() -> None:
    assert right_experts(learns_from_labels=True) > 0.95


def test_the_published_penalty_silences_factors_of_moderate_maps() -> None:
    assert right_experts(learns_from_labels=True, penalty=0.1) < 0.6


def test_factors_that_learn_from_the_student_ask_whom_it_agrees_with() -> None:
    assert right_experts(learns_from_labels=False) < 0.6


@pytest.mark.parametrize("fields", [{"temperature": 0.0}, {"penalty": -0.1}])
def test_fields_out_of_range_are_refused(fields: dict[str, float]) -> None:
    (name,) = fields
    with pytest.raises(ConfigError, match=name):
        LatentFactors(**fields)
