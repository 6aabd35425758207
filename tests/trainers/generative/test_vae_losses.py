"""The parts of the loss are what the paper writes, and each is there only when it counts."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from evonas.errors import ConfigError
from evonas_trainers.generative.vae import linear
from evonas_trainers.generative.vae.autoencoder import Autoencoder, Form
from evonas_trainers.generative.vae.lesson import Lesson, Pace, Plan, learn
from evonas_trainers.generative.vae.losses import (
    Batch,
    Weights,
    divergence,
    loss,
    reconstruction_of_knowledge,
    squared,
)
from evonas_trainers.generative.vae.scores import forgetting

FORM = Form(shape=(1, 2, 3), classes=4, room=5, reads="vector")
PLAN = Plan(
    method="reconstruction",
    weights=Weights(),
    pace=Pace(steps=3, batch_size=4, replays=50),
)
TASKS = torch.tensor([0, 0, 1, 2])


def autoencoder(seed: int = 0, latent: int = 2) -> Autoencoder:
    torch.manual_seed(seed)
    wanted = FORM.signatures()
    encoder, decoder = (
        nn.Linear(wanted[name].inputs[0], wanted[name].outputs[0]) for name in wanted
    )
    return Autoencoder(form=FORM, encoder=encoder, decoder=decoder, latent=latent)


def batch(former_labels: list[int]) -> Batch:
    draws = torch.Generator().manual_seed(1)
    pictures = torch.rand(6, 1, 2, 3, generator=draws)
    former = torch.tensor(former_labels, dtype=torch.long)
    return Batch(pictures, torch.tensor([0, 1, 2, 3, 2, 2]), former)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_equal_models_have_no_knowledge_to_reconstruct() -> None:
    model, labels = autoencoder(), torch.tensor([0, 1])
    lost = reconstruction_of_knowledge(model, model.frozen(), torch.randn(2, 2), labels)
    other = reconstruction_of_knowledge(model, autoencoder(1), torch.randn(2, 2), labels)
    assert lost.item() == 0
    assert other.item() > 0


def test_the_loss_adds_up_as_written() -> None:
    model, former, given = autoencoder(), autoencoder(1).frozen(), batch([0, 1, 0])
    draws = generator()
    mean, log_variance = model.encoded(given.pictures, given.labels)
    code = mean + model.drawn(given.labels, draws) * torch.exp(log_variance / 2)
    made = model.decoded(code, given.labels)
    replayed = model.drawn(given.former_labels, draws)
    known = former.decoded(replayed, given.former_labels)
    again = model.decoded(replayed, given.former_labels)
    wanted = (
        (given.pictures - made).square().sum() / 6
        + 2 * divergence(mean, log_variance)
        + 3 * divergence(*model.encoded(made, given.labels))
        + 5 * (known - again).square().sum() / 3
    )
    weights = Weights(divergence=2, feedback=3, knowledge=5)
    torch.testing.assert_close(loss(model, former, given, weights, generator()), wanted)


def test_feedback_is_learned_from_by_the_decoder_too() -> None:
    model, given = autoencoder(), batch([])
    plain, fed = Weights(feedback=0.0), Weights(feedback=1.0)
    difference = loss(model, None, given, fed, generator()) - loss(
        model, None, given, plain, generator()
    )
    difference.backward()
    gradient = model.decoder.get_parameter("weight").grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0


def test_the_divergence_is_that_of_normal_distributions() -> None:
    mean, deviation = torch.tensor([[0.3, -1.0]]), torch.tensor([[0.5, 2.0]])
    one = torch.distributions.Normal(mean, deviation)
    other = torch.distributions.Normal(torch.zeros(1, 2), torch.ones(1, 2))
    wanted = torch.distributions.kl_divergence(one, other).sum()
    torch.testing.assert_close(divergence(mean, 2 * deviation.log()), wanted)


def test_knowledge_counts_more_with_every_task_or_always_the_same() -> None:
    growing, constant = Weights(knowledge=0.5), Weights(knowledge=0.5, growth="constant")
    assert [growing.of_task(task).knowledge for task in range(4)] == [0, 0.5, 1.0, 1.5]
    assert [constant.of_task(task).knowledge for task in range(4)] == [0, 0.5, 0.5, 0.5]


def test_replay_draws_every_earlier_class_and_no_other() -> None:
    lesson = Lesson.begun(2, PLAN, autoencoder())
    assert lesson.former_labels(TASKS, generator()).unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("method", ["fine-tuning", "joint"])
def test_the_bounds_replay_nothing_and_have_no_feedback(method: str) -> None:
    plan = replace(PLAN, method=method)
    lesson = Lesson.begun(2, plan, autoencoder())
    assert lesson.former is None
    assert lesson.weights.feedback == 0
    assert len(lesson.former_labels(TASKS, generator())) == 0


@pytest.mark.parametrize(
    ("method", "rows"),
    [("reconstruction", [2, 4]), ("fine-tuning", [2, 4]), ("joint", [0, 1, 2, 4])],
)
def test_only_joint_training_has_the_pictures_of_former_tasks(method: str, rows: list[int]) -> None:
    lesson = Lesson.begun(1, replace(PLAN, method=method), autoencoder())
    data = {"tasks": TASKS, "train_y": torch.tensor([0, 1, 2, 3, 2])}
    assert lesson.rows(data).tolist() == rows


def test_learning_leaves_the_frozen_copy_as_it_was() -> None:
    model = autoencoder()
    lesson = Lesson.begun(1, PLAN, model)
    assert lesson.former is not None
    before = model.frozen()
    data = {
        "tasks": TASKS,
        "train_x": torch.randint(0, 256, (8, 1, 2, 3), generator=generator()).byte(),
        "train_y": torch.full((8,), 2),
    }
    parameters = [*model.encoder.parameters(), *model.decoder.parameters()]
    learn(model, lesson, torch.optim.Adam(parameters, lr=0.1), data, generator())
    kept, moved = lesson.former.decoder.state_dict(), model.decoder.state_dict()
    for name, value in before.decoder.state_dict().items():
        torch.testing.assert_close(kept[name], value, rtol=0, atol=0)
        assert not torch.equal(moved[name], value)


def test_numbers_of_the_code_that_are_not_used_do_not_matter() -> None:
    model, labels = autoencoder(latent=2), torch.tensor([1, 2])
    code = torch.randn(2, 2)
    made = model.decoded(code, labels)
    with torch.no_grad():
        model.decoder.get_parameter("weight")[:, 2:5].fill_(9)
    torch.testing.assert_close(model.decoded(code, labels), made)
    assert model.encoded(made.detach(), labels)[0].shape == (2, 2)


def test_a_linear_classifier_tells_apart_what_a_line_parts() -> None:
    pictures = torch.rand(60, 1, 2, 3, generator=generator())
    labels = (pictures[:, 0, 0, 0] > pictures[:, 0, 1, 2]).long()
    weight = linear.fitted(pictures, labels, 2)
    assert float(linear.hits(weight, pictures, labels).float().mean()) > 0.9


def test_forgetting_is_from_the_best_to_the_last() -> None:
    assert forgetting([[0.5]]) == 0
    assert math.isclose(forgetting([[0.5], [0.9, 0.8], [0.3, 0.8, 1.0]]), 0.3)


@pytest.mark.parametrize("name", ["divergence", "feedback", "knowledge"])
def test_weights_are_not_negative(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is -1, should be 0 or more"):
        replace(Weights(), **{name: -1})


def test_squared_distances_are_means_over_the_batch() -> None:
    assert float(squared(torch.zeros(3, 1, 2, 2), torch.full((3, 1, 2, 2), 2.0))) == 16
