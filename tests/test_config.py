"""The run file: what it takes, and what it says about what it does not take."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from evonas import config
from evonas.config import Final, Median, Run
from evonas.errors import ConfigError
from evonas.executors.serial import Serial
from evonas.history import Limit, Objective

pytestmark = pytest.mark.usefixtures("examples")

SMALL: Mapping[str, Any] = {
    "births": 4,
    "space": "examples.table_networks:TableNetworks",
    "trainer": {"name": "examples.table_regression:TableRegression", "epochs": 1},
    "controller": "random",
    "executor": "serial",
    "tracker": "none",
    "objectives": {"rmse": "min", "macs": "min"},
}


def run(**changes: object) -> Run:
    return config.from_table({**SMALL, **changes}, "small")


def written(folder: Path, table: Mapping[str, Any]) -> Path:
    path = folder / "small.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


def test_a_run_file_becomes_constructed_parts(tmp_path: Path) -> None:
    made = config.read(written(tmp_path, SMALL))
    assert made.name == "small"
    assert made.births == 4
    assert made.executor == Serial()
    assert made.tracker is None
    assert made.objectives == (Objective("rmse", "min"), Objective("macs", "min"))


def test_what_is_left_out_has_a_default() -> None:
    made = run()
    assert (made.seed, made.lookahead, made.inherit, made.precision) == (0, 8, True, "auto")
    assert (made.hours, made.deadline, made.stop, made.final) == (None, None, None, None)
    assert (made.limits, made.genes, made.retrain) == ((), {}, {})


def test_tables_become_typed_parts() -> None:
    made = run(
        limits={"parameters": 1000},
        genes={"lr": {"low": 1e-3, "high": 0.1, "log": True}},
        stop={"after": 5},
        final={"members": 2, "epochs": 3},
        retrain={"epochs": 4},
    )
    assert made.limits == (Limit("parameters", 1000.0),)
    assert made.genes["lr"].to_internal_repr(0.01) == 0.01
    assert made.stop == Median(after=5)
    assert made.final == Final(members=2, settings={"epochs": 3})
    assert made.retrain == {"epochs": 4}


def test_the_resolved_file_makes_the_same_run_again() -> None:
    made = run(limits={"macs": 5e4}, seed=3)
    again = config.from_table(tomllib.loads(tomli_w.dumps(made.config)), "small")
    assert again == made


def test_a_none_is_as_good_as_a_key_left_out() -> None:
    assert run(deadline=None, hours=None) == run()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"birth": 4}, "unknown key in small: 'birth'; did you mean 'births'?"),
        ({"births": "four"}, "small.births is 'four', should be a valid integer"),
        ({"births": 0}, "births is 0, should be greater than 0"),
        ({"births": True}, "small.births is True, should be a valid integer"),
        ({"births": None}, "give births, hours or both; without a bound a search never ends"),
        ({"births": None, "hours": float("nan")}, "hours is nan, should be greater than 0"),
        ({"lookahead": 0}, "lookahead is 0, should be greater than 0"),
        ({"deadline": -1.0}, "deadline is -1.0, should be greater than 0"),
        ({"precision": "double"}, "should be 'auto', 'float32' or 'bfloat16'"),
        ({"durability": "maybe"}, "should be 'fsync' or 'flush'"),
        ({"space": "eana"}, "unknown space 'eana'; did you mean 'eena'?"),
        ({"space": 3}, "space: give a name or a table with a name, not 3"),
        ({"controller": {"name": "random", "x": 1}}, "unknown key in controller: 'x'"),
        ({"trainer": {"name": "supervized"}}, "unknown trainer 'supervized'; did you mean"),
        ({"tracker": "mlflov"}, "unknown tracker 'mlflov'; did you mean 'mlflow'?"),
        ({"objectives": {}}, 'write for example { rmse = "min" }'),
        ({"objectives": {"rsme": "min"}}, "unknown objective 'rsme'; did you mean 'rmse'?"),
        ({"objectives": {"rmse": "down"}}, 'objective rmse is \'down\', should be "min" or "max"'),
        ({"objectives": {"rmse": ["min"]}}, "objective rmse is ['min'], should be"),
        ({"objectives": ["rmse"]}, "objectives is ['rmse'], should be a table"),
        (
            {"limits": {"rmse": 1}},
            "unknown limit 'rmse' (known: latency, macs, memory, parameters)",
        ),
        ({"limits": {"macs": "many"}}, "limit macs is 'many', should be a number greater than 0"),
        ({"limits": {"macs": -1}}, "limit macs is -1, should be a number greater than 0"),
        ({"limits": {"macs": float("nan")}}, "limit macs is nan, should be a number greater"),
        ({"limits": 5}, "limits is 5, should be a table"),
        ({"genes": {"lr": 3}}, "genes.lr is 3, should be a table"),
        ({"genes": {"learning": {"low": 0, "high": 1}}}, "unknown field 'learning'"),
        ({"genes": "lr"}, "genes is 'lr', should be a table"),
        ({"stop": True}, "stop is True, should be a table"),
        ({"stop": {"aftr": 3}}, "unknown key in stop: 'aftr'; did you mean 'after'?"),
        ({"final": {"members": 0}}, "final.members is 0, should be a whole number from 1"),
        ({"final": {"members": True}}, "final.members is True, should be a whole number from 1"),
        ({"final": {"epoch": 3}}, "unknown field 'epoch': 'epoch'; did you mean 'epochs'?"),
        ({"retrain": {"epochs": "many"}}, "epochs is 'many', should be a valid integer"),
        ({"retrain": 3}, "retrain is 3, should be a table"),
    ],
)
def test_what_cannot_be_used_is_explained_in_a_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_a_trainer_says_what_to_write() -> None:
    table = {key: value for key, value in SMALL.items() if key != "trainer"}
    with pytest.raises(ConfigError, match=r"there is no trainer; write `\[trainer\]`"):
        config.from_table(table, "small")


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("births=7", "births", 7),
        ("deadline=2.5", "deadline", 2.5),
        ("inherit=false", "inherit", False),
        ('space="mlp"', "space", "mlp"),
        ("space=mlp", "space", "mlp"),
        ("trainer.epochs=3", "trainer", {**SMALL["trainer"], "epochs": 3}),
        ("executor.name=serial", "executor", {"name": "serial"}),
        ("limits.macs=5e6", "limits", {"macs": 5e6}),
        ('objectives={rmse="min"}', "objectives", {"rmse": "min"}),
    ],
)
def test_set_overrides_a_key(tmp_path: Path, override: str, key: str, value: object) -> None:
    made = config.read(written(tmp_path, SMALL), [override])
    assert made.config[key] == value


def test_a_part_given_by_name_takes_fields_by_set(tmp_path: Path) -> None:
    table = {**SMALL, "executor": "processes"}
    made = config.read(written(tmp_path, table), ["executor.workers=3"])
    assert made.config["executor"] == {"name": "processes", "workers": 3}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("births", "--set takes key=value, for example trainer.epochs=3, not 'births'"),
        ("=3", "--set takes key=value"),
        ("births.x=3", "'births' is no table"),
        ("births=many", "births is 'many', should be a valid integer"),
        ("trainer..epochs=3", "--set takes key=value"),
        ("brths=3", "unknown key in small: 'brths'; did you mean 'births'?"),
    ],
)
def test_a_wrong_override_is_explained(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read(written(tmp_path, SMALL), [override])
    assert said in str(caught.value)


def test_a_missing_file_a_folder_and_a_broken_file_are_explained(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("births = \n", encoding="utf-8")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, said in [
        (tmp_path / "nothing.toml", "cannot read the run file"),
        (tmp_path, "cannot read the run file"),
        (broken, "is no TOML: Invalid value (at line 1, column 10)"),
        (binary, "is no TOML"),
    ]:
        with pytest.raises(ConfigError) as caught:
            config.read(path)
        assert said in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_continued_search_may_change_its_bounds_and_its_machine_only() -> None:
    first = run(births=4, executor="serial")
    assert config.question(first.config) == config.question(
        run(births=9, hours=1.0, executor="processes", max_failures=2, durability="flush").config
    )
    for change in ({"seed": 1}, {"lookahead": 2}, {"limits": {"macs": 10.0}}, {"inherit": False}):
        assert config.question(first.config) != config.question(run(**change).config)


@pytest.mark.parametrize("table", ["genes", "final", "retrain"])
def test_what_is_the_same_for_all_candidates_cannot_be_changed_for_one(table: str) -> None:
    trainer = {"name": "supervised", "data": "digits"}
    gene = {"low": 100, "high": 200} if table == "genes" else 100
    changes = {"trainer": trainer, "objectives": {"error": "min"}, table: {"train_samples": gene}}
    with pytest.raises(ConfigError, match="'train_samples' of the trainer is the same for all"):
        run(**changes)
