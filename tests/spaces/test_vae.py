import pytest
import torch

from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas.networks import Signature
from evonas.plugins import from_table
from evonas_spaces.vae import Vae


@pytest.mark.parametrize("name", ["decoder", "encoder"])
def test_what_a_decoder_puts_out_alone_is_between_0_and_1(name: str) -> None:
    space = Vae()
    network = fresh_model(space, space.seed({name: Signature((5,), (64,))}), 0)
    with torch.no_grad():
        made = network(10 * torch.randn(50, 5, generator=torch.Generator().manual_seed(0)))
    assert bool(((made >= 0) & (made <= 1)).all()) == (name == "decoder")


@pytest.mark.parametrize(("size", "convolutions"), [(4, 1), (8, 1), (28, 3), (32, 3)])
def test_pictures_are_halved_until_four_pixels_are_left(size: int, convolutions: int) -> None:
    genome = Vae().seed({"encoder": Signature((1, size, size), (4,))})
    nodes = genome.architecture["encoder"].nodes
    assert sum(node.op == "conv" for node in nodes) == convolutions


def test_widths_are_set_by_the_part_a_network_plays() -> None:
    space = Vae(encoder_width=5, encoder_layers=1, decoder_width=7, decoder_layers=3)
    vector = Signature((6,), (4,))
    found = space.seed({"encoder": vector, "decoder": vector}).architecture
    widths = {
        name: [node.params["out"] for node in graph.nodes if node.op == "linear"]
        for name, graph in found.items()
    }
    assert widths == {"encoder": [5, 4], "decoder": [7, 7, 7, 4]}


def test_an_unknown_activation_is_refused_when_the_space_is_made() -> None:
    with pytest.raises(ConfigError, match="did you mean 'leaky_relu'"):
        Vae(activation="leaky_rely")


@pytest.mark.parametrize("field", ["encoder_width", "decoder_layers", "channels", "max_width"])
def test_counts_are_above_zero(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is 0, should be 1 or more"):
        from_table(Vae, {field: 0}, "space")


def test_pictures_to_pictures_are_refused() -> None:
    with pytest.raises(ConfigError, match="the space 'vae' has networks from"):
        Vae().seed({"net": Signature((1, 8, 8), (1, 8, 8))})
