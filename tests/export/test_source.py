"""The standalone module is what a person would have written, and needs only torch."""

import ast
from types import ModuleType

import pytest
import torch
from torch import nn

from evonas.errors import ExportError
from evonas.export.listing import Listing
from evonas.export.source import module_source, renamed
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.shapes import OPS
from evonas.networks import Signatures

Candidate = tuple[nn.Module, Genome, Signatures]


def written(genome: Genome, **about: str) -> tuple[str, ModuleType]:
    text = module_source(genome.architecture, about)
    module = ModuleType("model")
    module.__file__ = "model.py"
    exec(compile(text, "model.py", "exec"), module.__dict__)
    return text, module


def test_the_candidates_here_use_every_operation(picture: Candidate, policy: Candidate) -> None:
    graphs = [graph for one in (picture, policy) for graph in one[1].architecture.values()]
    assert {node.op for graph in graphs for node in graph.nodes} == OPS


def test_the_source_computes_what_the_graph_computes(picture: Candidate) -> None:
    model, genome, _ = picture
    _, module = written(genome)
    network = module.Network()
    network.load_state_dict(renamed(genome.architecture["net"], model.state_dict()))
    batch = torch.rand(3, 2, 9, 9)
    torch.testing.assert_close(network.eval()(batch), model.eval()(batch), rtol=0, atol=0)


def test_the_source_trains_like_the_graph(picture: Candidate) -> None:
    model, genome, _ = picture
    _, module = written(genome)
    network = module.Network()
    network.load_state_dict(renamed(genome.architecture["net"], model.state_dict()))
    batch = torch.rand(3, 2, 9, 9)
    torch.testing.assert_close(network.train()(batch), model.train()(batch), rtol=0, atol=0)


def test_the_source_imports_nothing_but_torch(picture: Candidate, policy: Candidate) -> None:
    for _, genome, _ in (picture, policy):
        tree = ast.parse(written(genome)[0])
        imported = {
            alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
        }
        imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert imported == {"torch", "torch.nn", "pathlib"}


def test_the_source_holds_no_innovation_hash_and_no_long_line(picture: Candidate) -> None:
    text, _ = written(picture[1])
    assert "0a1f" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_facts_cannot_break_out_of_the_docstring(picture: Candidate) -> None:
    text, module = written(picture[1], search='"""\nraise SystemExit\n\\', note="na\u00efve")
    assert "SystemExit" in (module.__doc__ or "")
    assert text.isascii()


def test_a_plain_chain_uses_one_variable_and_one_line_a_layer() -> None:
    params = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
    conv = {**params, "out": 4, "groups": 1, "bias": False}
    graph = LayerGraph(
        (
            Node("i", "input", (), {"shape": [1, 4, 4]}),
            Node("a", "conv", ("i",), conv),
            Node("b", "bn", ("a",), {"eps": 1e-5, "momentum": 0.1}),
            Node("c", "act", ("b",), {"kind": "relu"}),
            Node("d", "conv", ("c",), conv),
            Node("e", "add", ("d", "c")),
            Node("f", "act", ("e",), {"kind": "relu"}),
            Node("g", "output", ("f",)),
        )
    )
    text = module_source({"net": graph}, {})
    assert (
        "        x = F.relu(self.bn1(self.conv1(x)))\n"
        "        y = self.conv2(x)\n"
        "        return F.relu(y + x)\n" in text
    )
    assert "        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)\n" in text


def test_a_variable_is_not_used_again_while_it_is_needed(picture: Candidate) -> None:
    graph = picture[1].architecture["net"]
    listing = Listing.of(graph)
    held = dict(
        zip(listing.inputs, [node.id for node in graph.nodes if node.op == "input"], strict=True)
    )
    for line in listing.lines:
        assert tuple(held[name] for name in line.reads) == line.chain[0].inputs
        held[line.target] = line.chain[-1].id
    assert held[listing.lines[-1].target] == graph.output.inputs[0]


def test_networks_that_would_share_a_class_are_refused(policy: Candidate) -> None:
    graph = policy[1].architecture["actor"]
    with pytest.raises(ExportError, match="share a class"):
        module_source({"a_b": graph, "a-b": graph}, {})
