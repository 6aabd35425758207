"""Units that nothing reads are counted with what they cost, and only these."""

import pytest
import torch

from evonas.genome import Genome
from evonas.models import fresh_model
from evonas.morph.dead import dead_macs
from evonas.networks import Signature
from evonas_spaces.mlp import Mlp

SPACE = Mlp(hidden=6, layers=2)
ACTOR, CRITIC = Signature((3,), (2,)), Signature((5,), (1,))


@pytest.fixture
def genome() -> Genome:
    return SPACE.seed({"actor": ACTOR, "critic": CRITIC})


def tensors(genome: Genome) -> dict[str, torch.Tensor]:
    return dict(fresh_model(SPACE, genome, 0).state_dict())


def test_a_network_without_zeros_has_no_dead_units(genome: Genome) -> None:
    assert dead_macs(genome, tensors(genome)) == 0


def test_a_unit_that_nothing_reads_costs_what_makes_it_and_what_multiplies_by_it(
    genome: Genome,
) -> None:
    found = tensors(genome)
    found["actor.hidden2.linear.weight"][:, [1, 4]] = 0
    found["critic.head.weight"][:, 2] = 0
    assert dead_macs(genome, found) == 2 * (3 + 6) + (6 + 1)


def test_a_unit_that_is_made_of_zeros_is_still_read(genome: Genome) -> None:
    found = tensors(genome)
    found["actor.hidden1.linear.weight"][2] = 0
    assert dead_macs(genome, found) == 0


def test_one_unit_of_a_layer_stays(genome: Genome) -> None:
    found = tensors(genome)
    found["actor.hidden2.linear.weight"].zero_()
    assert dead_macs(genome, found) == 5 * (3 + 6)


def test_inputs_are_no_units(genome: Genome) -> None:
    found = tensors(genome)
    found["actor.hidden1.linear.weight"][:, 0] = 0
    assert dead_macs(genome, found) == 0
