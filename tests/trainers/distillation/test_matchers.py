"""Matchers in a training: what they weigh, when they learn, and that nothing else moves."""

from dataclasses import replace

import pytest
import torch
from support.cohort_training import (
    IN_TURN,
    PLUGINS,
    TASK,
    Steps,
    context,
    data,
    network,
    plan,
)
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import Cohort, Edge, Node, Stage
from evonas_trainers.distillation.learning.training import CohortTraining
from evonas_trainers.slots import Batch
from evonas_trainers.supervised import Supervised

SQUARE = {"name": f"{PLUGINS}:Square", "factor": 0.01}
EVERY = Bilevel(inner="match", outer="labels", every=2, steps=2, lr=0.1)
MATCHER = "matcher/"


def matched(block: Bilevel = EVERY) -> Cohort:
    """Return two networks whose maps are matched sample by sample."""
    return Cohort(
        nodes={"candidate": Node(kind="candidate"), "peer": Node(kind="member")},
        edges=(
            Edge(loss=TASK, to="candidate:logits", tag="labels"),
            Edge(loss=TASK, to="peer:logits", tag="labels"),
            Edge(loss=SQUARE, to="candidate:s1", source="peer:s1", tag="match", matched=True),
            Edge(loss=SQUARE, to="peer:s2", source="candidate:s1", tag="match", matched=True),
        ),
        stages=(Stage(sampler=IN_TURN, train=("candidate", "peer")),),
        bilevel=block,
    )


def begun(cohort: Cohort) -> tuple[Steps, Batch]:
    steps = Steps.begin(plan(cohort, {"peer": network(2)}), network(1))
    rows = steps.rows()
    return steps, Batch(data()["train_x"][rows], data()["train_y"][rows], rows)


def scaffold_of(steps: Steps) -> nn.ModuleDict:
    (found,) = [part for part in steps.training.companion if isinstance(part, nn.ModuleDict)]
    return found


def match(training: CohortTraining, batch: Batch) -> None:
    training.match(batch, lambda out: F.cross_entropy(out, batch.targets), 0.0, 1.0)


def state(steps: Steps, *, of_matchers: bool) -> dict[str, Tensor]:
    whole = nn.ModuleList([steps.training.network, steps.training.companion])
    tensors = whole.state_dict().items()
    return {key: one.clone() for key, one in tensors if (MATCHER in key) == of_matchers}


def same(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return before.keys() == after.keys() and all(map(torch.equal, before.values(), after.values()))


def test_only_the_matchers_learn_by_matching() -> None:
    steps, batch = begun(matched())
    matchers, others = state(steps, of_matchers=True), state(steps, of_matchers=False)
    match(steps.training, batch)
    assert same(others, state(steps, of_matchers=False))
    assert matchers
    assert not same(matchers, state(steps, of_matchers=True))


def test_matchers_learn_after_the_first_step_and_then_every_so_often() -> None:
    steps, batch = begun(matched(replace(EVERY, every=3)))
    learned: list[bool] = []
    for _ in range(5):
        before = state(steps, of_matchers=True)
        match(steps.training, batch)
        learned.append(not same(before, state(steps, of_matchers=True)))
    assert learned == [True, False, False, True, False]


def test_the_loss_of_the_networks_has_no_gradient_for_matchers() -> None:
    steps, batch = begun(matched())
    steps.loss(batch.index).backward()
    wanted = {
        name: tensor.grad is not None
        for name, tensor in steps.training.companion.named_parameters()
    }
    assert {wants for name, wants in wanted.items() if MATCHER in name} == {False}
    assert any(wanted.values())


def test_a_sample_is_weighed_by_how_much_both_ends_agree_on_it() -> None:
    steps, batch = begun(matched())
    scaffold = scaffold_of(steps)
    found = steps.loss(batch.index)
    values = {}
    for node, model in (("candidate", network(1)), ("peer", network(2))):
        conv, norm = model.get_submodule("a.conv"), model.get_submodule("a.bn")
        values[node, "s1"] = torch.relu(norm(conv(batch.inputs)))
        summand = model.get_submodule("b.conv")(values[node, "s1"])
        values[node, "s2"] = values[node, "s1"] + summand
    expected = sum(
        F.cross_entropy(model.train()(batch.inputs), batch.targets)
        for model in (network(1), network(2))
    )
    for to, source in (
        (("candidate", "s1"), ("peer", "s1")),
        (("peer", "s2"), ("candidate", "s1")),
    ):
        mine, its = (scaffold[f"matcher/{':'.join(end)}"](values[end]) for end in (to, source))
        weights = torch.sigmoid(F.cosine_similarity(mine, its))
        each = 0.01 * (values[to] - values[source]).square().flatten(1).sum(1)
        expected = expected + (weights * each).mean()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_without_gates_a_weight_is_between_those_that_are_published(scale: float) -> None:
    steps, batch = begun(matched())
    scaffold = scaffold_of(steps)
    for key, module in scaffold.items():
        for tensor in module.parameters() if key.startswith(MATCHER) else ():
            tensor.data.mul_(scale)
    steps.training.batches(0)
    steps.loss(batch.index)
    shares = [one for name, one in diagnosed(steps).items() if name.endswith("/matched")]
    assert len(shares) == 2
    assert all(0.2689 <= share <= 0.7311 for share in shares)


def diagnosed(steps: Steps) -> dict[str, float]:
    """Run an epoch, and return what its last batch showed."""
    for rows in steps.training.batches(0):
        steps.loss(rows)
    return dict(steps.training.diagnosis())


def test_the_cost_of_virtual_steps_is_counted() -> None:
    steps, batch = begun(matched())
    before = steps.training.macs
    match(steps.training, batch)
    passes = 2 * (2 * 9 + 9 + 3)
    assert steps.training.macs - before == len(batch.targets) * 100 * passes


@pytest.mark.parametrize("has_gates", [False, True])
def test_the_loop_trains_matchers_and_keeps_them(has_gates: bool) -> None:
    cohort = matched(replace(EVERY, has_gates=has_gates))
    trainer = Supervised(data="made", epochs=2, batch_size=8)
    trained = trainer.train(network(1), context(plan(cohort, {"peer": network(2)})))
    assert trained.state is not None
    names = [name for name in trained.state.part("scaffold").tensors if name.startswith(MATCHER)]
    assert len(names) == 2 * 3 + 2 * 2 * has_gates
    gates = [name for name in names if name.endswith(("factor", "shift"))]
    moved = [float(trained.state.part("scaffold").tensors[name]) for name in gates]
    assert all(value not in {0.0, 1.0} for value in moved)
    outside = 2 * trained.samples * 3 * 100 - 3 * 100 * trained.samples
    assert trained.extra_macs > outside
