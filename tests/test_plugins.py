"""From names and tables to plug-ins, with errors that say what to write."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, final

import pytest

from evonas import plugins
from evonas.controllers.controller import Controller
from evonas.errors import ConfigError
from evonas.executors.executor import Executor
from evonas.executors.serial import Serial


class Shape:
    """A contract of these tests."""

    group: ClassVar[str] = "evonas.shapes"


@final
@dataclass(frozen=True, kw_only=True)
class Pen:
    """A nested table of fields."""

    width: float = 1.0
    colour: Literal["red", "blue"] = "red"


@final
@dataclass(frozen=True, kw_only=True)
class Circle(Shape):
    """A plug-in of these tests."""

    radius: float
    corners: int = 0
    filled: bool = False
    pen: Pen = field(default_factory=Pen)
    sizes: tuple[int, ...] = (1, 2)
    name_of: str | None = None
    inner: Shape | None = None
    nib: Pen = Pen(width=0.5)

    def __post_init__(self) -> None:
        if self.radius <= 0:
            raise ConfigError(f"radius is {self.radius!r}, should be greater than 0")


def circle(**table: object) -> Circle:
    return plugins.from_table(Circle, table, "shape")


def test_a_registered_name_gives_its_class() -> None:
    assert plugins.load(Executor, "serial") is Serial


def test_module_and_class_give_the_class() -> None:
    assert plugins.load(Executor, "evonas.executors.serial:Serial") is Serial


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("serrial", "unknown executor 'serrial'; did you mean 'serial'? (known: "),
        ("evonas.nowhere:Serial", "cannot import 'evonas.nowhere:Serial': No module named"),
        ("evonas.executors.serial:Serrial", "cannot import 'evonas.executors.serial:Serrial'"),
        ("evonas.executors.serial:", "'evonas.executors.serial:' names no code"),
        (":Serial", "':Serial' names no code"),
        ("evonas.plugins:load", "name a class"),
        ("evonas.errors:ConfigError", "is no executor: it must be a subclass of Executor"),
    ],
)
def test_a_name_that_leads_nowhere_is_explained(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load(Executor, name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_what_is_known() -> None:
    with pytest.raises(ConfigError, match=r"known: .*eena.*random"):
        plugins.load(Controller, "nothing-like-it")


def test_a_table_fills_fields_of_every_type() -> None:
    made = circle(
        radius=2,
        corners=3,
        filled=True,
        pen={"width": 2.5},
        sizes=[3, 4],
        name_of="o",
        inner={"name": f"{__name__}:Circle", "radius": 1.0},
    )
    assert made == Circle(
        radius=2.0,
        corners=3,
        filled=True,
        pen=Pen(width=2.5),
        sizes=(3, 4),
        name_of="o",
        inner=Circle(radius=1.0),
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "shape needs a value for 'radius'"),
        ({"radios": 1.0}, "unknown key in shape: 'radios'; did you mean 'radius'?"),
        ({"radius": "wide"}, "shape.radius is 'wide', should be a valid number"),
        ({"radius": 1.0, "corners": 2.5}, "shape.corners is 2.5, should be a valid integer"),
        ({"radius": 1.0, "corners": True}, "shape.corners is True, should be a valid integer"),
        ({"radius": 1.0, "filled": 1}, "shape.filled is 1, should be a valid boolean"),
        (
            {"radius": 1.0, "pen": {"with": 2}},
            "unknown key in shape.pen: 'with'; did you mean 'width'",
        ),
        ({"radius": 1.0, "pen": {"colour": "rad"}}, "colour is 'rad', should be 'red' or 'blue'"),
        ({"radius": 1.0, "nib": {"with": 2}}, "unknown field 'shape.nib.with': 'with'; did you"),
        ({"radius": 1.0, "nib": {"width": "a"}}, "shape.nib.width is 'a', should be a valid"),
        ({"radius": -1.0}, "shape: radius is -1.0, should be greater than 0"),
        ({"radius": float("nan"), "corners": "x"}, "shape.corners is 'x'"),
    ],
)
def test_a_wrong_table_says_what_was_given_and_what_is_allowed(
    table: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        circle(**table)
    assert said in str(caught.value)


def test_a_nested_table_changes_the_default_it_names() -> None:
    assert circle(radius=1.0, nib={"colour": "blue"}).nib == Pen(width=0.5, colour="blue")


@pytest.mark.parametrize("spec", [None, 3, {"radius": 1.0}, {"name": 3}])
def test_a_plug_in_needs_a_name(spec: object) -> None:
    with pytest.raises(ConfigError, match=r"shape: give a name or a table with a name, not"):
        plugins.construct(Shape, spec, "shape")


def test_settings_replace_fields_by_dotted_path() -> None:
    made = plugins.with_settings(circle(radius=1.0), {"pen.width": 3.0, "corners": 4})
    assert made == circle(radius=1.0, pen={"width": 3.0}, corners=4)
    assert plugins.setting(made, "pen.width") == 3.0


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pen.with", 1.0, "unknown field 'pen.with': 'with'; did you mean 'width'"),
        ("pin.width", 1.0, "unknown field"),
        ("corners.count", 1, "unknown field 'corners.count': 'count'"),
        ("pen.width", "wide", "pen.width is 'wide', should be a valid number"),
    ],
)
def test_a_wrong_setting_is_explained(path: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.with_settings(circle(radius=1.0), {path: value})
    assert said in str(caught.value)


def test_a_setting_that_the_plug_in_refuses_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="radius is -2"):
        plugins.with_settings(circle(radius=1.0), {"radius": -2.0})
