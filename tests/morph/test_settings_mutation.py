"""The mutation of settings."""

import pytest
import torch
from optuna.distributions import FloatDistribution, IntDistribution

from evonas import seeds
from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.settings import holds
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.settings import Settings
from evonas.state import State

LR = FloatDistribution(1e-3, 0.3, log=True)
GENOME = Genome(settings={"optimizer.lr": 0.05, "epochs": 2})
MUTATION = Settings({"optimizer.lr": LR})


def child_of(genome: Genome, number: int = 0) -> Genome:
    edit = MUTATION.propose(genome, seeds.stream(number, "settings"))
    assert edit is not None
    return MUTATION.apply(genome, edit)


@pytest.mark.parametrize("number", range(20))
def test_a_gene_changes_and_the_other_settings_stay(number: int) -> None:
    child = child_of(GENOME, number)
    assert child.settings["optimizer.lr"] != 0.05
    assert holds(LR, child.settings["optimizer.lr"])
    assert child.settings["epochs"] == 2
    assert child.key != GENOME.key


def test_a_setting_that_the_genome_lacks_is_drawn() -> None:
    assert holds(LR, child_of(Genome()).settings["optimizer.lr"])


def test_the_edit_is_recorded_and_replays_without_genes_and_after_json() -> None:
    child = child_of(child_of(GENOME), 1)
    replayed = GENOME
    for edit in child.edits:
        replayed = Settings().apply(replayed, Edit.from_json(edit.to_json()))
    assert replayed == child
    assert child.edits[0].targets == ("settings/optimizer.lr",)
    assert child.edits[1].previous == child.edits[0].id


@pytest.mark.parametrize("mutation", [Settings(), Settings({"epochs": IntDistribution(2, 2)})])
def test_there_is_no_edit_where_nothing_can_change(mutation: Settings) -> None:
    assert mutation.propose(GENOME, seeds.stream(0, "none")) is None


@pytest.mark.parametrize(
    "edit",
    [
        Edit("settings", ("net/conv1",), {"value": 1}),
        Edit("settings", ("settings/",), {"value": 1}),
        Edit("settings", ("settings/epochs",), {}),
    ],
)
def test_an_edit_of_something_else_is_refused(edit: Edit) -> None:
    with pytest.raises(EditError, match="no setting"):
        MUTATION.apply(GENOME, edit)


def test_a_space_that_knows_no_settings_inherits_and_crosses_them() -> None:
    child = child_of(GENOME)
    state = State({"weight": torch.ones(2)})
    rng = seeds.stream(0, "inherit")
    assert inherit({}, child, [(GENOME, state)], rng) is state
    crossed = [crossover({}, GENOME, child, rng) for _ in range(10)]
    assert child in crossed
    assert None in crossed


def test_the_weights_stay_as_they_are() -> None:
    child = child_of(GENOME)
    state = State({"weight": torch.ones(2)}, {"momentum_buffer": {"weight": torch.ones(2)}})
    rng = seeds.stream(0, "weights")
    assert MUTATION.inherit(GENOME, child, child.edits[0], state, rng) is state
