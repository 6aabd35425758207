import pytest
import torch

from evonas import plugins
from evonas.errors import ConfigError
from evonas.genome.cost import macs, parameters
from evonas.genome.nested import depths
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.depths import Depths

COLOURS = {"net": Signature((3, 32, 32), (10,))}
DIGITS = {"net": Signature((1, 8, 8), (10,))}


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_the_default_seed_is_resnet_20():
    graph = Depths().seed(COLOURS).architecture["net"]
    assert sum(node.op == "conv" for node in graph.nodes) == 19 + 2, (
        "two shortcuts are convolutions"
    )
    assert round(parameters(graph) / 1e6, 2) == 0.27
    assert round(macs(graph) / 1e6) == 41
    assert graph.shapes["s3.b3.act"] == (64, 8, 8)


@pytest.mark.parametrize("stages", [1, 2, 4])
@pytest.mark.parametrize("blocks", [2, 3])
def test_every_stage_has_as_many_blocks_as_are_asked_for(stages: int, blocks: int):
    graph = Depths(stages=stages, blocks=blocks, width=4).seed(DIGITS).architecture["net"]
    assert depths(graph) == (blocks,) * stages


def test_small_maps_are_halved_no_further():
    graph = Depths(stages=4).seed(DIGITS).architecture["net"]
    assert graph.shapes["s4.b3.act"][1:] == (4, 4)


def test_without_growth_a_shortcut_is_a_convolution_only_where_the_map_is_halved():
    graph = Depths(growth=1, width=4).seed(DIGITS).architecture["net"]
    assert [node.id for node in graph.nodes if "shortcut_conv" in node.id] == [
        "s2.b1.shortcut_conv"
    ]


def test_a_child_computes_what_its_parent_did_and_keeps_its_depths():
    space = Depths(blocks=2, stages=2, width=4)
    genome = start = space.seed(DIGITS)
    parent = space.build(start).double().eval()
    for step, mutation in enumerate(space.mutations().values()):
        edit = mutation.propose(genome, stream(step))
        assert edit is not None
        genome = mutation.apply(genome, edit)
    child = space.build(genome).double().eval()
    state = space.inherit(genome, [(start, State.of(parent))], stream(0))
    child.load_state_dict(dict(state.tensors))
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(child(x), parent(x), rtol=1e-9, atol=1e-9)
    assert depths(genome.architecture["net"]) == (2, 2)


@pytest.mark.parametrize(
    "signatures",
    [{"net": Signature((5,), (2,))}, {"actor": Signature((1, 8, 8), (10,))}, {}],
)
def test_networks_that_it_has_no_candidate_for_are_refused(signatures: dict[str, Signature]):
    with pytest.raises(ConfigError, match="the space 'depths' has networks from one picture"):
        Depths().seed(signatures)


@pytest.mark.parametrize("field", ["stages", "blocks", "width", "growth"])
def test_a_size_of_nothing_is_refused(field: str):
    with pytest.raises(ConfigError, match=f"{field} is 0, should be 1 or more"):
        plugins.construct(SearchSpace, {"name": "depths", field: 0}, "space")
