from itertools import product

import pytest
import torch

from evonas.errors import EditError
from evonas.genome import LayerGraph
from evonas.genome.nested import branch_layers, depths, nested, own_layers
from evonas.genome.taps import taps
from evonas.morph.build import build_graph
from evonas.morph.shrink import RemoveSkip
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.state import State
from evonas.testing.edits import stepped
from evonas_spaces.adopted import Adopted
from evonas_spaces.depths import Depths
from evonas_spaces.eena import Eena

PICTURES = {"net": Signature((3, 16, 16), (10,))}
SPACE = Depths(blocks=3, stages=2, width=4)


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def seed(blocks: int = 3) -> LayerGraph:
    return Depths(blocks=blocks, stages=2, width=4).seed(PICTURES).architecture["net"]


def walked(number: int, steps: int = 10) -> LayerGraph:
    genome = SPACE.seed(PICTURES)
    for step in range(steps):
        genome = stepped(genome, SPACE.mutations(), stream(number, "nested", step))
    assert len(genome.edits) == steps
    return genome.architecture["net"]


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_sub_network_is_the_network_with_fewer_blocks(blocks: int):
    assert nested(seed(), (blocks, blocks)).key == seed(blocks).key


def test_depths_count_the_blocks_of_every_stage():
    assert depths(seed()) == (3, 3)


@pytest.mark.parametrize("number", range(4))
def test_exact_edits_leave_the_depths(number: int):
    assert depths(walked(number)) == (3, 3)


@pytest.mark.parametrize("number", range(4))
def test_the_layers_of_every_sub_network_fit_the_tensors_of_the_whole(number: int):
    whole = walked(number)
    for chosen in product((1, 2, 3), repeat=2):
        view = nested(whole, chosen)
        for node in view.nodes:
            assert node.op == whole[node.id].op
            assert node.params == whole[node.id].params
            assert view.shapes[node.id] == whole.shapes[node.id]
        assert list(taps(view)) == list(taps(whole))


@pytest.mark.parametrize("number", range(4))
def test_an_edited_network_is_its_own_deepest_sub_network(number: int):
    whole = walked(number)
    assert nested(whole, (3, 3)).key == whole.key


@pytest.mark.parametrize("number", range(3))
def test_an_exact_edit_of_the_whole_is_one_of_its_sub_networks(number: int):
    genome = start = SPACE.seed(PICTURES)
    parent = build_graph(start.architecture["net"]).double().eval()
    for step in range(8):
        genome = stepped(genome, SPACE.mutations(), stream(number, "exact", step))
    state = SPACE.inherit(genome, [(start, State.of(parent))], stream(number))
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    for chosen in ((1, 1), (2, 1), (1, 3)):
        before = build_graph(nested(start.architecture["net"], chosen)).double().eval()
        after = build_graph(nested(genome.architecture["net"], chosen)).double().eval()
        before.load_state_dict({key: parent.state_dict()[key] for key in before.state_dict()})
        after.load_state_dict({key: state.tensors[key] for key in after.state_dict()})
        torch.testing.assert_close(after(x), before(x), rtol=1e-9, atol=1e-9)


def test_a_sub_network_computes_what_the_whole_does_with_idle_blocks():
    whole = seed()
    view = nested(whole, (1, 2))
    gone = ("s1.b2.bn2", "s1.b3.bn2", "s2.b3.bn2")
    model, smaller = (build_graph(graph).double().eval() for graph in (whole, view))
    state = model.state_dict()
    for norm in gone:
        state[f"{norm}.weight"].zero_()
    smaller.load_state_dict({name: state[name] for name in smaller.state_dict()})
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(smaller(x), model(x))
    assert len(smaller.state_dict()) < len(state)


@pytest.mark.parametrize("early", ["s1.b1.act", "s1.b2.act1", "s1.b2.act"])
def test_a_skip_from_or_around_a_block_does_not_keep_it_in(early: str):
    space = Depths(blocks=3, stages=2, width=4)
    start = Signature((3, 6, 6), (10,))  # too small to be halved: a skip may leave the stage
    genome = space.seed({"net": start})
    edit = genome.edit("add-skip", "net/s2.b1.act", f"net/{early}")
    whole = space.mutations()["add-skip"].apply(genome, edit).architecture["net"]
    assert depths(whole) == (3, 3)
    view = nested(whole, (1, 3))
    assert not [node.id for node in view.nodes if node.id.startswith(("s1.b2", "s1.b3"))]
    skips = [node for node in view.nodes if node.op == "scale"]
    assert len(skips) == (1 if early == "s1.b1.act" else 0)


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ((0, 1), "stage 's1' cannot have 0 blocks, should be from 1 to 3"),
        ((1, 4), "stage 's2' cannot have 4 blocks, should be from 1 to 3"),
        ((1,), "should be 2 numbers, one a stage"),
        ((1, 1, 1), "should be 2 numbers, one a stage"),
    ],
)
def test_a_sub_network_that_cannot_be_is_refused(chosen: tuple[int, ...], reason: str):
    with pytest.raises(EditError, match=reason):
        nested(seed(), chosen)


def test_a_network_without_blocks_cannot_be_nested():
    graph = Eena().seed(PICTURES).architecture["net"]
    assert depths(graph) == ()
    with pytest.raises(EditError, match="has no blocks"):
        nested(graph, (1, 1, 1))


def test_the_first_block_of_a_stage_stays():
    assert depths(seed(blocks=1)) == ()


def test_a_block_without_a_shortcut_stays():
    genome = SPACE.seed(PICTURES)
    edit = genome.edit("remove-skip", "net/s1.b2.add", port=0)
    assert depths(RemoveSkip().apply(genome, edit).architecture["net"]) == (2, 3)


def test_norms_and_the_last_layer_of_a_sub_network_are_its_own():
    whole = seed()
    view = nested(whole, (1, 1))
    own = own_layers(whole, view)
    assert {view[layer].op for layer in own} == {"bn", "linear"}
    assert own == {node.id for node in view.nodes if node.op in {"bn", "linear"}}


def test_a_branch_has_what_comes_after_its_tap():
    whole = seed()
    own = branch_layers(whole, "s1")
    assert "s1.b3.act" not in own
    assert {"s2.b1.conv1", "s2.b1.shortcut_conv", "head"} <= own
    assert not [layer for layer in own if layer.startswith(("stem", "s1"))]


def test_a_branch_needs_a_tap():
    with pytest.raises(EditError, match="has no tap 's9'"):
        branch_layers(seed(), "s9")


@pytest.mark.slow
def test_an_adopted_resnet_is_nested():
    space = Adopted(network="torchvision.models:resnet18", arguments={"num_classes": 10})
    whole = space.seed({"net": Signature((3, 64, 64), (10,))}).architecture["net"]
    assert depths(whole) == (2, 2, 2, 2)
    view = nested(whole, (1, 2, 1, 1))
    gone = {node.id.partition(".")[0] for node in whole.nodes} - {
        node.id.partition(".")[0] for node in view.nodes
    }
    assert {"layer1_1", "layer3_1", "layer4_1"} <= gone
    assert "layer2_1" not in gone
