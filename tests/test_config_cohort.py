"""The table `[cohort]`: what it takes, what it comes to, and what is refused before training."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support.cohort_search import COHORT, FIXED, School, run, started, taught

from evonas import api, config
from evonas.cohort_table import Teacher
from evonas.config import question
from evonas.controllers.controller import Question
from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort, Edge
from evonas.genome.members import members
from evonas.morph.cohort.options import CohortOptions
from evonas.setup import prepare

SCHOOL = "support.cohort_search:School"
DEPTHS: Mapping[str, Any] = {
    "births": 2,
    "objectives": {"error": "min"},
    "tracker": "none",
    "executor": "serial",
    "space": {"name": "depths", "stages": 2, "blocks": 2, "width": 2},
    "trainer": {"name": "supervised", "data": "digits", "train_samples": 32, "epochs": 1},
    "cohort": {"preset": "ddnn", "operators": []},
}


NETWORK = {"network": "support.cohort_search:network"}


def test_a_run_without_the_table_has_no_cohorts(tmp_path: Path) -> None:
    table = {key: value for key, value in COHORT.items() if key != "cohort"}
    made = config.from_table(table, "alone")
    assert made.cohort is None
    found = prepare(made, tmp_path)
    assert found.question.cohort is None
    assert Cohort.of(found.seed) is None


def test_the_seed_gets_the_presets_cohort_and_members_of_their_width(tmp_path: Path) -> None:
    found = started(tmp_path, {**FIXED, "preset": {"name": SCHOOL, "peers": 2, "width": 2.0}})
    cohort, graphs = Cohort.of(found.seed), members(found.seed)
    assert cohort is not None
    assert set(cohort.nodes) == {"candidate", "teacher", "peer0", "peer1"}
    widths = {name: max(shape[0] for shape in one.shapes.values()) for name, one in graphs.items()}
    assert widths == {"peer0": 8, "peer1": 8}


def test_the_question_says_what_cohorts_may_become(tmp_path: Path) -> None:
    found = options(started(tmp_path, {**FIXED, "max_nodes": 2, "samplers": ["shuffled"]}).question)
    assert found.max_nodes == 2
    assert found.samplers == ({"name": "shuffled"},)
    assert {"kl", "hint"} <= found.losses.keys()
    assert {"mean"} <= found.aggregators.keys()
    assert found.batch_size == 32
    assert found.teachers["teacher"]["logits"].shape == (4,)
    assert found.sizes["teacher"] == 2 * 8 + 8 + 8 * 4 + 4


def options(asked: Question) -> Any:
    assert asked.cohort is not None
    return asked.cohort


def test_an_empty_list_of_operators_leaves_the_cohort_as_it_is(tmp_path: Path) -> None:
    mutations = started(tmp_path).question.mutations
    assert not any(name.startswith("cohort-") for name in mutations)


def test_all_operators_are_there_unless_some_are_chosen(tmp_path: Path) -> None:
    every = started(tmp_path, {"preset": SCHOOL}).question.mutations
    some = started(tmp_path, {"preset": SCHOOL, "operators": ["cohort-drop"]}).question.mutations
    cohort = {name for name in every if name.startswith("cohort-")}
    assert len(cohort) > 5
    assert {name for name in some if name.startswith("cohort-")} == {"cohort-drop"}


def test_a_preset_without_named_teachers_gets_a_wider_copy_of_the_seed() -> None:
    cohort = run().cohort
    assert cohort is not None
    assert cohort.needed_teachers == {"teacher": Teacher(width=2.0)}


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ({"tap": "s9"}, "'candidate' has no tap 's9'; the taps of candidate are"),
        ({"loss": {"name": "attenton"}}, "unknown transfer 'attenton'; did you mean 'attention'"),
        ({"loss": {"name": "hint"}}, "the edge 'hint teacher:logits to candidate:logits'"),
        ({"width": -1.0}, "the members of preset 'school': widths cannot"),
    ],
)
def test_a_preset_that_cannot_be_trained_is_refused_before_training(
    tmp_path: Path, preset: Mapping[str, Any], said: str
) -> None:
    cohort = {**FIXED, "preset": {"name": SCHOOL, **preset}}
    with pytest.raises(ConfigError) as caught:
        api.search({**COHORT, "cohort": cohort}, out=tmp_path / "run")
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("cohort", "said"),
    [
        ("kd", "cohort is 'kd', should be a table"),
        ({}, "cohort needs a value for 'preset'"),
        ({"preset": "kdd"}, "unknown cohort 'kdd'; did you mean 'kd'"),
        ({"preset": {"name": "kd", "tempera": 2.0}}, "unknown key in cohort.preset: 'tempera"),
        ({**FIXED, "operator": []}, "unknown key in cohort: 'operator'; did you mean 'operators'"),
        ({**FIXED, "operators": ["cohort-dorp"]}, "unknown cohort operator 'cohort-dorp'; did you"),
        ({**FIXED, "samplers": ["shufled"]}, "unknown sampler 'shufled'; did you mean 'shuffled'"),
        ({**FIXED, "max_edges": 0}, "max_edges >= 1"),
        ({**FIXED, "teachers": {"master": 3}}, "cohort.teachers.master is 3, should be a table"),
        (taught({}), 'cohort.teachers.master: give network = "module:callable", or width'),
        (taught({**NETWORK, "width": 2.0}), "and not both"),
        (taught({"widths": 2.0}), "unknown key in cohort.teachers.master: 'widths'; did you mean"),
        (taught({"width": -2.0}), "width is -2.0, should be greater than 0"),
        (taught({**NETWORK, "settings": {"lr": 1.0}}), "settings are of a training"),
        (taught({"width": 2.0, "weights": "a"}), "arguments and weights are those of a network"),
        (
            taught({"width": 2.0, "settings": {"step": 1}}),
            "cohort.teachers.master.settings: unknown field 'step': 'step'; did you mean 'steps'",
        ),
        ({**FIXED, "teachers": {"candidate": {"width": 2.0}}}, "a teacher is called 'candidate'"),
        ({**FIXED, "teachers": {"the-best": {"width": 2.0}}}, "a teacher is called 'the-best'"),
        (
            {"preset": "amtml", "teachers": {"master": {"width": 2.0}}},
            "the preset needs 2 teachers, given master",
        ),
    ],
)
def test_what_cannot_be_used_is_explained_in_a_line(cohort: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(cohort)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trainer_that_trains_no_cohorts_is_refused() -> None:
    with pytest.raises(ConfigError, match="trainer Tiny trains no cohorts; choose one that does"):
        run(trainer="support.tiny_search:Tiny")


def test_a_controller_that_knows_no_mutations_needs_a_fixed_cohort() -> None:
    with pytest.raises(ConfigError, match="controller OptunaSampler does not vary cohorts"):
        run({"preset": SCHOOL}, controller="optuna")
    assert run(controller="optuna").cohort is not None


def test_objectives_and_limits_of_views_need_a_cohort() -> None:
    table = {key: value for key, value in COHORT.items() if key != "cohort"}
    with pytest.raises(ConfigError, match="unknown objective 'error@shallow'"):
        config.from_table({**table, "objectives": {"error@shallow": "min"}}, "alone")
    with pytest.raises(ConfigError, match="unknown limit 'macs@shallow'"):
        config.from_table({**table, "limits": {"macs@shallow": 9}}, "alone")


def test_objectives_of_no_view_of_the_readout_are_refused(tmp_path: Path) -> None:
    table = {**DEPTHS, "objectives": {"error@depht1": "min"}}
    with pytest.raises(ConfigError, match=r"unknown view in 'error@depht1': .* 'depth1'"):
        api.search(table, out=tmp_path / "run")


def test_a_cohort_with_views_is_not_pruned(tmp_path: Path) -> None:
    table = {**DEPTHS, "pruning": {"preset": "sfp", "target": {"macs": 0.5}}}
    with pytest.raises(ConfigError, match="a cohort with views is not pruned"):
        api.search(table, out=tmp_path / "run")


def test_a_cohort_that_learns_by_virtual_steps_is_not_pruned(tmp_path: Path) -> None:
    pruning = {"preset": "sfp", "target": {"macs": 0.5}}
    cohort = {"preset": "support.cohort_plugins:MatchedPair"}
    table = {**DEPTHS, "space": "eena", "cohort": cohort, "pruning": pruning}
    with pytest.raises(ConfigError, match="a cohort that learns by virtual steps is not pruned"):
        api.search(table, out=tmp_path / "run")


def test_a_preset_may_start_with_more_edges_than_are_added() -> None:
    table = run({**FIXED, "max_edges": 2}).cohort
    assert table is not None
    start = Cohort(edges=tuple(Edge(loss={"name": "task"}, to=end) for end in "abc"))
    assert table.options(CohortOptions(), start).max_edges == 3
    assert table.options(CohortOptions(), Cohort()).max_edges == 2


def test_a_batch_too_small_for_a_contrastive_loss_is_refused(tmp_path: Path) -> None:
    trainer = {**DEPTHS["trainer"], "batch_size": 3}
    table = {**DEPTHS, "space": "eena", "trainer": trainer, "cohort": {"preset": "mcl"}}
    with pytest.raises(ConfigError, match=r"the edge '.*' needs 2 samples of each of 2 classes"):
        api.search(table, out=tmp_path / "run")


@pytest.mark.parametrize("name", ["cosearch", "distil"])
def test_the_run_files_of_cohorts_have_some(root: Path, name: str) -> None:
    cohort = config.read(root / "runs" / f"{name}.toml").cohort
    assert cohort is not None
    assert cohort.is_fixed == (name == "distil")


def test_the_resolved_file_makes_the_same_run_again() -> None:
    made = run(taught({"width": 2.0, "settings": {"steps": 1}}))
    again = config.from_table(tomllib.loads(tomli_w.dumps(made.config)), "school")
    assert again == made
    assert "cohort" in question(made.config)
    assert made.cohort is not None
    assert isinstance(made.cohort.preset, School)
