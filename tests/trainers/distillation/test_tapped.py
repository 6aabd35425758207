"""A tapped network is the network, and lets itself be looked into."""

import pytest
import torch
from support.cohort_training import data, graph, network, taps
from torch import nn
from torch.func import functional_call

from evonas.errors import ConfigError
from evonas.genome.cohort_kinds import Tap
from evonas.morph.build import build_graph
from evonas_trainers.distillation.learning.tapped import Tapped


def inputs() -> torch.Tensor:
    return data()["train_x"][:4]


def test_it_computes_the_same_with_the_same_parameters_under_the_same_names() -> None:
    model = network(1)
    tapped = Tapped(model, taps(), "candidate").network
    assert dict(tapped.named_parameters()).keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        assert tapped.get_parameter(name) is parameter
    assert torch.equal(tapped.eval()(inputs()), model.eval()(inputs()))


def test_values_are_those_of_the_layers() -> None:
    model = network(1).eval()
    tapped = Tapped(model, taps(), "candidate")
    outputs = tapped.network(inputs())
    block = model.get_submodule
    first = torch.relu(block("a.bn")(block("a.conv")(inputs())))
    second = first + block("b.conv")(first)
    torch.testing.assert_close(tapped.features["s1"], first)
    torch.testing.assert_close(tapped.features["s2"], second)
    torch.testing.assert_close(tapped.features["gap"], second.mean((2, 3)))
    assert torch.equal(tapped.features["logits"], outputs)


@pytest.mark.parametrize(("layer", "expected"), [("x", "inputs"), ("out", "logits")])
def test_the_ends_of_a_network_are_layers_too(layer: str, expected: str) -> None:
    model = network(1).eval()
    tapped = Tapped(model, {"logits": Tap(layer, (3,)), "x": Tap("x", (1, 6, 6))}, "candidate")
    outputs = tapped.network(inputs())
    found = tapped.features["logits" if expected == "logits" else "x"]
    assert torch.equal(found, outputs if expected == "logits" else inputs())


def test_tapping_survives_edits_that_rename_nothing() -> None:
    wider = build_graph(graph(6))
    tapped = Tapped(wider, taps(6), "candidate")
    tapped.network(inputs())
    assert {name: tuple(value.shape[1:]) for name, value in tapped.features.items()} == {
        name: tap.shape for name, tap in taps(6).items()
    }


def test_a_second_run_with_other_weights_is_what_can_be_read() -> None:
    model = network(1).eval()
    tapped = Tapped(model, taps(), "candidate")
    tapped.network(inputs())
    doubled = {"fc.weight": 2 * model.get_parameter("fc.weight")}
    outputs = functional_call(tapped.network, doubled, (inputs(),))
    assert torch.equal(tapped.features["logits"], outputs)
    assert not torch.equal(outputs, model(inputs()))
    tapped.clear()
    assert not tapped.features


def test_a_network_of_unknown_inside_offers_its_outputs_alone() -> None:
    foreign = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    tapped = Tapped(foreign, {"logits": Tap("", (3,))}, "teacher")
    outputs = tapped.network(inputs())
    assert torch.equal(tapped.features["logits"], outputs)
    with pytest.raises(ConfigError, match="node 'teacher' has no taps but 'logits'"):
        Tapped(foreign, taps(), "teacher")


def test_a_layer_that_is_not_there_is_refused_by_node_and_tap() -> None:
    with pytest.raises(ConfigError, match="node 'peer': the tap 's1' is of the layer 'gone'"):
        Tapped(network(1), {"s1": Tap("gone", (4, 6, 6))}, "peer")
