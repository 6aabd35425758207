"""What reaches an edge's ends, and how far its gradient flows."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from support.cohort_plugins import soft
from support.cohort_training import IN_TURN, KL, PLUGINS, TASK, Steps, data, network, plan
from torch import fx
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.genome.cohort import Aggregator, Cohort, Edge, Learns, Node, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.learning.scaffold import head_key

ALIKE = {"name": f"{PLUGINS}:Alike"}
MEAN = {"name": f"{PLUGINS}:Mean"}
SQUARE = {"name": f"{PLUGINS}:Square"}
PAIR = {"candidate": Node(kind="candidate"), "peer": Node(kind="member")}
BOTH = Stage(sampler=IN_TURN, train=("candidate", "peer", "mean"))


def pair(*edges: Edge, **changes: object) -> Cohort:
    return replace(Cohort(nodes=PAIR, edges=edges, stages=(BOTH,)), **changes)


def stepped(cohort: Cohort, *, peer_width: int = 4) -> tuple[Steps, fx.GraphModule, fx.GraphModule]:
    """Take one step back, without the optimizer's."""
    model, peer = network(1), network(2, peer_width)
    steps = Steps.begin(plan(cohort, {"peer": peer}, {"peer": peer_width}), model)
    steps.loss(steps.rows()).backward()
    return steps, model, peer


def has_gradient(model: fx.GraphModule) -> bool:
    return any(tensor.grad is not None for tensor in model.parameters())


@pytest.mark.parametrize("both", [False, True])
def test_the_source_learns_only_where_the_edge_says_so(both: bool) -> None:
    edge = Edge(loss=KL, to="candidate:logits", source="peer:logits", both=both)
    _, model, peer = stepped(pair(edge))
    assert has_gradient(model)
    assert has_gradient(peer) == both


def test_a_wider_source_is_met_by_a_learned_map() -> None:
    edge = Edge(loss=SQUARE, to="candidate:s1", source="peer:s1")
    steps, _, _ = stepped(pair(edge), peer_width=7)
    names = dict(steps.training.companion.named_parameters())
    assert [tuple(names[name].shape) for name in names if "match/" in name] == [(7, 4, 1, 1), (7,)]


def test_edges_on_one_tap_share_its_head() -> None:
    edges = tuple(
        Edge(loss=ALIKE, to=f"{to}:gap", source=f"{source}:gap")
        for to, source in (("candidate", "peer"), ("peer", "candidate"))
    )
    steps, _, _ = stepped(pair(*edges))
    heads = {
        n.split("/")[1] for n, _ in steps.training.companion.named_parameters() if "head/" in n
    }
    assert heads == {"candidate:gap", "peer:gap"}


def test_inherited_heads_are_used_again() -> None:
    edge = Edge(loss=ALIKE, to="candidate:gap", source="peer:gap")
    key = head_key("candidate:gap", 6)
    parent = {f"{key}.0.weight": torch.ones(6, 4), f"{key}.0.bias": torch.ones(6)}
    parent |= {f"{key}.2.weight": torch.ones(6, 6), f"{key}.2.bias": torch.ones(6)}
    lent = replace(plan(pair(edge), {"peer": network(2)}), scaffold=parent)
    own = dict(Steps.begin(lent, network(1)).training.companion.named_parameters())
    (name,) = (name for name in own if name.endswith(f"{key}.0.weight"))
    assert torch.equal(own[name], torch.ones(6, 4))


def through_mean(learns: Learns, *, both: bool = False) -> Cohort:
    edge = Edge(loss=KL, to="candidate:logits", source="mean", both=both)
    ends = ("candidate:logits", "peer:logits")
    return pair(edge, aggregators={"mean": Aggregator(rule=MEAN, inputs=ends, learns=learns)})


def test_the_target_of_an_aggregator_is_made_of_its_inputs() -> None:
    cohort = through_mean("edges")
    model, peer = network(1), network(2)
    outputs = [deepcopy(one).train()(data()["train_x"][:8]) for one in (model, peer)]
    steps = Steps.begin(plan(cohort, {"peer": peer}), model)
    expected = soft(outputs[0], (outputs[0] + outputs[1]) / 2)
    torch.testing.assert_close(steps.loss(steps.rows()), expected)


@pytest.mark.parametrize(
    ("learns", "both", "expected"),
    [
        ("edges", False, (False, False)),
        ("edges", True, (True, True)),
        ("nothing", True, (True, False)),
        ("labels", False, (False, True)),
        ("labels", True, (False, True)),
    ],
)
def test_what_trains_an_aggregator_is_what_its_gene_says(
    learns: Learns, both: bool, expected: tuple[bool, bool]
) -> None:
    """The peer is reached through it or not; its own factor has a gradient or not."""
    steps, _, peer = stepped(through_mean(learns, both=both))
    factors = {n: p for n, p in steps.training.companion.named_parameters() if "factor" in n}
    (factor,) = factors.values()
    assert (has_gradient(peer), factor.grad is not None) == expected


def test_an_aggregator_that_learns_from_labels_has_the_gradient_of_their_likelihood() -> None:
    model, peer = network(1), network(2)
    outputs = [deepcopy(one).train()(data()["train_x"][:8]).detach() for one in (model, peer)]
    steps = Steps.begin(plan(through_mean("labels"), {"peer": peer}), model)
    steps.loss(steps.rows()).backward()
    factor = torch.ones((), requires_grad=True)
    target = factor * (outputs[0] + outputs[1]) / 2
    F.cross_entropy(target, data()["train_y"][:8]).backward()
    found = next(p.grad for n, p in steps.training.companion.named_parameters() if "factor" in n)
    torch.testing.assert_close(found, factor.grad)


def test_a_node_with_a_view_of_its_own_sees_another_augmentation() -> None:
    nodes = {**PAIR, "peer": Node(kind="member", own_view=True)}
    cohort = pair(Edge(loss=TASK, to="peer:logits"), nodes=nodes)
    model, peer = network(1), network(2)
    outputs = deepcopy(peer).train()(data()["train_x"][:8].flip(3))
    steps = Steps.begin(plan(cohort, {"peer": peer}), model)
    expected = F.cross_entropy(outputs, data()["train_y"][:8])
    torch.testing.assert_close(steps.loss(steps.rows()), expected)


def test_a_weight_in_units_of_gradients_does_not_know_the_size_of_its_loss() -> None:
    found: list[float] = []
    for factor in (1.0, 0.02):
        loss = {**SQUARE, "factor": factor}
        edge = Edge(loss=loss, to="candidate:s2", source="peer:s2", unit="gradient")
        model, peer = network(1), network(2)
        steps = Steps.begin(plan(pair(edge), {"peer": peer}), model)
        found.append(steps.loss(steps.rows()).item())
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_ramp_begins_with_nothing() -> None:
    ramp = Curve(kind="linear", start=0.0, end=1.0)
    edge = Edge(loss=KL, to="candidate:logits", source="peer:logits", weight=ramp)
    steps = Steps.begin(plan(pair(edge), {"peer": network(2)}), network(1))
    rows = steps.rows()
    assert steps.loss(rows, 0.0).item() == 0
    assert steps.loss(rows, 0.5).item() > 0


@pytest.mark.parametrize(
    ("edge", "mixes", "message"),
    [
        (Edge(loss=KL, to="candidate:gap", source="peer:logits"), False, "joins shapes"),
        (Edge(loss=KL, to="candidate:s9", source="peer:logits"), False, "no tap of node"),
        (Edge(loss=KL, to="who:logits", source="peer:logits"), False, "names no node"),
        (Edge(loss=ALIKE, to="candidate:gap", source="peer:gap"), True, "set mixup to 0"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(edge: Edge, mixes: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Steps.begin(plan(pair(edge), {"peer": network(2)}), network(1), mixes=mixes)


def test_a_batch_too_large_for_a_loss_is_refused() -> None:
    edge = Edge(loss=ALIKE, to="candidate:gap", source="peer:gap")
    with pytest.raises(ConfigError, match="takes batches of 512 at most, batch_size is 513"):
        Steps.begin(plan(pair(edge), {"peer": network(2)}), network(1), batch_size=513)
