"""What the stages of a cohort do when they begin, and whom they train."""

from collections.abc import Sequence

import pytest
import torch
from support.cohort_training import (
    IN_TURN,
    KL,
    PLUGINS,
    SAMPLES,
    TASK,
    Steps,
    context,
    data,
    network,
    plan,
)
from torch import fx
from torch.nn import functional as F

from evonas.genome.cohort import Cohort, Edge, Node, Stage
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.supervised import Supervised

NODES = {"candidate": Node(kind="candidate"), "peer": Node(kind="member")}
OWN = Edge(loss=TASK, to="candidate:logits", tag="own")
PEERS = Edge(loss=TASK, to="peer:logits", tag="peers")
WORST = {"name": f"{PLUGINS}:Worst"}


def copies(model: fx.GraphModule) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def in_turns(*, share: float = 0.5) -> Cohort:
    """Return a cohort in which first the peer trains, then the candidate."""
    first = Stage(share=share, train=("peer",), tags=("peers",), sampler=IN_TURN)
    second = Stage(share=1 - share, tags=("own",), sampler=IN_TURN)
    return Cohort(nodes=NODES, edges=(OWN, PEERS), stages=(first, second))


def test_a_stage_may_begin_in_the_middle_of_an_epoch() -> None:
    model = network(1)
    steps = Steps.begin(plan(in_turns(), {"peer": network(2)}), model, batch_size=6)
    trains = [steps.training.trains_candidate for _ in steps.training.batches(0)]
    assert trains == [False, False, True, True]


def test_an_epoch_has_as_many_steps_as_ever_and_each_stage_its_own_stream() -> None:
    steps = Steps.begin(plan(in_turns(), {"peer": network(2)}), network(1), batch_size=7)
    batches = steps.training.batches(0)
    assert len(batches) == 4
    assert [rows[0].item() for rows in batches] == [0, 7, 0, 7]


def test_who_does_not_train_stays_as_it_is() -> None:
    model, peer = network(1), network(2)
    steps = Steps.begin(plan(in_turns(share=0.99), {"peer": peer}), model)
    before = copies(model)
    for rows in steps.training.batches(0):
        steps.loss(rows).backward()
    assert equal(copies(model), before)
    assert all(tensor.grad is None for tensor in model.parameters())
    assert all(tensor.grad is not None for tensor in peer.parameters())
    assert not model.training
    assert peer.training


def test_whoever_joins_late_trains_as_if_alone() -> None:
    """Torch's fused step would refuse momentum that only some have."""
    late, alone = network(1), network(1)
    cohort = in_turns()
    settings = OptimizerSettings(lr=0.05, momentum=0.9)
    trainer = Supervised(data="made", epochs=2, batch_size=1000, optimizer=settings)
    trainer.train(late, context(plan(cohort, {"peer": network(2)})))
    Supervised(data="made", epochs=1, batch_size=1000, optimizer=settings).train(alone, context())
    for one, other in zip(late.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_candidate_is_not_charged_for_what_it_skips() -> None:
    """The peer's steps cost what the candidate's would have."""
    steps = Steps.begin(plan(in_turns(share=0.75), {"peer": network(2)}), network(1), batch_size=6)
    batches = iter(steps.training.batches(0))
    for _ in range(3):
        steps.loss(next(batches))
    assert steps.training.macs == 0
    steps.loss(next(batches), 0.75)
    assert steps.training.macs == 0


def snapshots() -> Cohort:
    """Return a cohort whose second stage begins with a snapshot and learns from it."""
    old = Node(kind="snapshot", of="candidate")
    past = Edge(loss=KL, to="candidate:logits", source="old:logits", tag="past")
    return Cohort(
        nodes={"candidate": Node(kind="candidate"), "old": old},
        edges=(OWN, past),
        stages=(
            Stage(share=0.5, tags=("own",), sampler=IN_TURN),
            Stage(share=0.5, snapshots=("old",), sampler=WORST, scorer="old"),
        ),
    )


def test_a_snapshot_has_parameters_and_buffers_of_the_moment_its_stage_begins() -> None:
    model, old = network(1), network(2)
    steps = Steps.begin(plan(snapshots(), {"old": old}), model, batch_size=6)
    moved: list[torch.Tensor] = []
    for number, rows in enumerate(steps.training.batches(0)):
        if number == 2:
            moved = copies(model)
            assert equal(copies(old), moved)
        steps.loss(rows, number / 4)
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.add_(torch.ones_like(tensor))
    assert equal(copies(old), moved)
    assert not equal(copies(model), moved)


def test_a_sampler_that_scores_sees_the_losses_of_its_scorer() -> None:
    model, old = network(1), network(2)
    steps = Steps.begin(plan(snapshots(), {"old": old}), model, batch_size=6)
    drawn = list(steps.training.batches(0))
    with torch.no_grad():
        outputs = old.eval()(data()["train_x"])
    losses = F.cross_entropy(outputs, data()["train_y"], reduction="none")
    assert drawn[2].tolist() == [int(losses.argmax())] * 6
    assert steps.training.macs == SAMPLES * 100


@pytest.mark.parametrize(
    ("restart", "expected"), [(False, [1.0, 0.75, 0.5, 0.25]), (True, [1, 0.5, 1, 0.5])]
)
def test_the_learning_rate_is_annealed_anew_by_a_stage_that_restarts(
    restart: bool, expected: list[float]
) -> None:
    stages = (Stage(share=0.5, sampler=IN_TURN), Stage(share=0.5, restart=restart, sampler=IN_TURN))
    cohort = Cohort(edges=(OWN,), stages=stages)
    steps = Steps.begin(plan(cohort, {}), network(1))
    found: list[float] = []
    for progress in (0, 0.25, 0.5, 0.75):
        start, end = steps.training.span(progress)
        found.append(1 - (progress - start) / (end - start))
    assert found == expected
