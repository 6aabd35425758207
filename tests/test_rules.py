"""Our own rules, those that no linter knows."""

import ast
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evonas import config
from evonas.contracts import CONTRACTS, source_attribute, source_of
from evonas.plugins import load, names

ROOT = Path(__file__).parents[1]
PACKAGES = ("evonas", "search_spaces/evonas_spaces", "trainers/evonas_trainers")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PLUGINS = [(kind, name) for kind in CONTRACTS for name in sorted(names(CONTRACTS[kind]))]
RUNS = sorted([*(ROOT / "runs").glob("*.toml"), *(ROOT / "examples").glob("*.toml")])
GENERATORS = {"manual_seed", "seed", "default_rng", "RandomState", "set_rng_state"}
MAY_SEED = {"evonas/seeds.py", "evonas/devices.py"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def loaded(plugin: tuple[str, str]) -> type[Any]:
    kind, name = plugin
    return load(CONTRACTS[kind], name)


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=named)
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= 320, f"{length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            assert length <= 45, f"{node.name} has {length} lines"


@pytest.mark.parametrize("plugin", PLUGINS, ids="/".join)
def test_a_plug_in_is_final_frozen_and_says_where_it_is_from(plugin: tuple[str, str]) -> None:
    cls = loaded(plugin)
    assert getattr(cls, "__final__", False), "write @final"
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen, "write @dataclass(frozen=True)"
    assert source_of(cls) or not source_attribute(cls)


@pytest.mark.parametrize(("kind", "name"), [p for p in PLUGINS if p[0] in {"trainers", "spaces"}])
def test_a_trainer_and_a_space_have_a_row_in_their_catalogue(kind: str, name: str) -> None:
    folder = {"trainers": "trainers", "spaces": "search_spaces"}[kind]
    catalogue = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    assert f"`{name}`" in catalogue


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("path", RUNS, ids=named)
def test_a_committed_run_file_can_be_run(path: Path) -> None:
    assert config.read(path).objectives


@pytest.mark.parametrize("module", ["evonas", "evonas.cli"])
def test_the_command_line_answers_without_the_slow_imports(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    slow = {"torch", "mlflow", "optuna", "sklearn", "networkx", "numpy"}
    assert not slow & set(said.stdout.split())


def global_draws(tree: ast.AST) -> Iterator[str]:
    """Yield every use of a generator that is shared by the whole process."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=imported) if any(one.name == "random" for one in imported):
                yield f"line {node.lineno}: import random"
            case ast.ImportFrom(module="random"):
                yield f"line {node.lineno}: from random import"
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
                yield f"line {node.lineno}: numpy.random"
            case ast.Attribute(value=ast.Name(id="torch"), attr=attr) if attr in GENERATORS:
                yield f"line {node.lineno}: torch.{attr}"
            case _:
                pass


@pytest.mark.parametrize("path", [p for p in SOURCES if named(p) not in MAY_SEED], ids=named)
def test_every_draw_comes_from_a_generator_that_was_passed_in(path: Path) -> None:
    assert not list(global_draws(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "from random import choice",
        "np.random.rand(3)",
        "torch.manual_seed(0)",
        "x = numpy.random.default_rng()",
    ],
)
def test_a_global_draw_is_found(line: str) -> None:
    assert list(global_draws(ast.parse(line)))


UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
MAY_PICKLE = {
    "evonas/executors/travel.py": "what goes to workers of ours, or to a cluster, which is trusted",
    "evonas/executors/ray_place.py": "what comes to a node from the search, its own cluster's",
    "evonas/testing/classes.py": "a plug-in under test, to itself and back",
}


def code_from_data(tree: ast.AST, may_pickle: bool) -> Iterator[str]:
    """Yield every use of what makes code or objects of what was read."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if not may_pickle:
                yield from (f"import {one.name}" for one in names if one.name in UNPICKLING)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNPICKLING:
                yield f"from {module} import"
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile" as name)):
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load"), keywords=k):
                if not any(one.arg == "weights_only" and is_true(one.value) for one in k):
                    yield "torch.load() without weights_only=True"
            case ast.keyword(arg="allow_pickle", value=value) if is_true(value):
                yield "allow_pickle=True"
            case _:
                pass


def is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_that_is_read_becomes_code_or_an_object(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(code_from_data(tree, named(path) in MAY_PICKLE))


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import yaml",
        "eval(text)",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_code_from_data_is_found(line: str) -> None:
    assert list(code_from_data(ast.parse(line), may_pickle=False))
