"""The losses of small cohorts against those written by hand."""

from copy import deepcopy

import pytest
import torch
from support.cohort_plugins import soft
from support.cohort_training import IN_TURN, KL, TASK, Steps, context, data, network, plan
from torch import fx
from torch.nn import functional as F

from evonas.genome.cohort import Cohort, Edge, Node, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.supervised import Supervised

CANDIDATE = Node(kind="candidate", role="student")


def flat(weight: float) -> Curve:
    return Curve(end=weight)


def kd() -> Cohort:
    loss = {**KL, "temperature": 4.0}
    return Cohort(
        nodes={"candidate": CANDIDATE, "teacher": Node(kind="teacher")},
        edges=(
            Edge(loss=TASK, to="candidate:logits", weight=flat(0.1)),
            Edge(loss=loss, to="candidate:logits", source="teacher:logits", weight=flat(0.9)),
        ),
        stages=(Stage(sampler=IN_TURN),),
    )


def dml() -> Cohort:
    ends = ("candidate:logits", "peer:logits")
    return Cohort(
        nodes={"candidate": CANDIDATE, "peer": Node(kind="member")},
        edges=(
            *(Edge(loss=TASK, to=end) for end in ends),
            Edge(loss=KL, to=ends[0], source=ends[1]),
            Edge(loss=KL, to=ends[1], source=ends[0]),
        ),
        stages=(Stage(sampler=IN_TURN, train=("candidate", "peer")),),
    )


def test_the_loss_of_kd_is_that_of_the_paper() -> None:
    model, teacher = network(1), network(2)
    steps = Steps.begin(plan(kd(), {"teacher": teacher}), model)
    rows = steps.rows()
    found = steps.loss(rows)
    inputs, targets = data()["train_x"][rows], data()["train_y"][rows]
    own, theirs = deepcopy(model).train()(inputs), deepcopy(teacher).eval()(inputs)
    expected = 0.1 * F.cross_entropy(own, targets) + 0.9 * 16 * soft(own / 4, theirs / 4)
    torch.testing.assert_close(found, expected)


def gradients(model: fx.GraphModule) -> list[torch.Tensor]:
    return [tensor.grad for tensor in model.parameters() if tensor.grad is not None]


def test_two_networks_that_teach_each_other_have_the_gradients_of_two_losses() -> None:
    model, peer = network(1), network(2)
    references = deepcopy(model), deepcopy(peer)
    steps = Steps.begin(plan(dml(), {"peer": peer}), model)
    rows = steps.rows()
    steps.loss(rows).backward()
    inputs, targets = data()["train_x"][rows], data()["train_y"][rows]
    for which, found in enumerate((model, peer)):
        own, other = references[which].train(), references[1 - which].train()
        own.zero_grad()
        outputs = own(inputs)
        with torch.no_grad():
            theirs = other(inputs)
        (F.cross_entropy(outputs, targets) + soft(outputs, theirs)).backward()
        torch.testing.assert_close(gradients(found), gradients(own))


@pytest.mark.parametrize("name", ["kd", "dml"])
def test_the_loop_trains_a_cohort(name: str) -> None:
    cohort, other = (kd(), "teacher") if name == "kd" else (dml(), "peer")
    model, partner = network(1), network(2)
    before = {key: value.clone() for key, value in partner.state_dict().items()}
    trainer = Supervised(data="made", epochs=3, batch_size=8)
    trained = trainer.train(model, context(plan(cohort, {other: partner})))
    assert trained.state is not None
    assert trained.state.own.tensors.keys() == network(0).state_dict().keys()
    assert (trained.state.part("peer").tensors.keys() == before.keys()) == (name == "dml")
    is_same = all(torch.equal(before[key], value) for key, value in partner.state_dict().items())
    assert is_same == (name == "kd")
    passes = 3 if name == "dml" else 1
    assert trained.extra_macs == passes * 100 * trained.samples
