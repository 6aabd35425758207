"""Names, messages and settings of a folder are shown: no markup, no code, no commands."""

import ast
import io
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from rich.console import Console

from evonas.errors import EditError
from evonas.export.source import module_source
from evonas.genome import Birth, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Failure, History, Individual, Objective
from evonas.lineage import family_tree
from evonas.morph.build import build_graph
from evonas.report.family_tree import to_graphml, tree_text
from evonas.report.html import html
from evonas.report.printable import printable
from evonas.report.terminal import finished_line, front_table

EVIL = "</title><script>alert(1)</script><img src=x onerror=\"alert('1')\">"
NOISY = "\x1b]0;owned\x07\x1b[2J\r\u202e\x9b31m"
OBJECTIVES = [Objective("error", "min"), Objective(EVIL, "min")]


class Elements(HTMLParser):
    """The names of a page's elements and of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


def network(name: str) -> LayerGraph:
    return LayerGraph(
        (
            Node("input", "input", (), {"shape": [4]}),
            Node(name, "linear", ("input",), {"out": 2, "bias": True}),
            Node("output", "output", (name,)),
        )
    )


def shown(text: str) -> History:
    """Return a search that has a text wherever one can be."""
    genome = Genome({text: network(text)}, {text: text, "list": [text]})
    child = genome.with_edit(genome.edit(text, f"settings/{text}", value=text))
    failure = Failure("error", text, f"{text}\n{text}", Cost(), ((1, {text: 1.0}),))
    found = Evaluation({"error": 0.5, text: 1.0, EVIL: 1.0, "macs": 2.0}, curve=((1, {text: 1.0}),))
    outcomes = (found, found, failure)
    births = (Birth(genome, text, (), 0), Birth(child, text, (0,), 1), Birth(child, text, (1,), 2))
    pairs = zip(births, outcomes, strict=True)
    return History([Individual(number, *pair) for number, pair in enumerate(pairs)])


@pytest.fixture
def page() -> str:
    tested = {EVIL: {EVIL: 0.5}}
    return html(shown(EVIL), OBJECTIVES, EVIL, {EVIL: EVIL, "list": [EVIL]}, tested)


def test_a_report_shows_markup_as_text(page: str) -> None:
    found = Elements(page)
    assert found.names.count("script") == 1
    assert "img" not in found.names
    assert not [name for name in found.attributes if name.startswith("on")]
    assert page.count("&lt;script&gt;alert(1)") > 10


def test_a_report_runs_its_own_script_alone(page: str) -> None:
    script = page.partition("<script>")[2].partition("</script>")[0]
    known = b64encode(sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert f"script-src &#x27;sha256-{known}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;")
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script>")


def test_a_family_tree_for_other_programs_shows_markup_as_text(tmp_path: Path) -> None:
    to_graphml(family_tree(shown(EVIL), OBJECTIVES), tmp_path / "tree.graphml")
    elements = [one.tag for one in ET.parse(tmp_path / "tree.graphml").iter()]
    assert not [name for name in elements if "script" in name]


def test_a_terminal_hears_no_commands() -> None:
    history = shown(NOISY)

    class Member:
        def __init__(self, individual: Individual) -> None:
            self.individual = individual

    said = io.StringIO()
    members = [Member(history[0]), Member(history[1])]
    console = Console(file=said, width=400)
    console.print(front_table(members, OBJECTIVES[:1], {NOISY, "list"}))
    said.write(tree_text(family_tree(history, OBJECTIVES[:1])))
    said.write(printable(finished_line(history[2], OBJECTIVES[:1], "3/3")))
    assert not [sign for sign in said.getvalue() if not (sign.isprintable() or sign == "\n")]
    assert r"\x1b[2J" in said.getvalue()


@pytest.mark.parametrize(
    "text", ["red: \x1b[31m", "\x07", "left \u202e right", "\x9b2J", "\u2028", "back\rover"]
)
def test_what_cannot_be_printed_is_written_out(text: str) -> None:
    assert printable(text).isprintable()
    assert printable("plain text, a\nnew line, \u00e9") == "plain text, a\nnew line, \u00e9"


@pytest.mark.parametrize("name", ['x"""\nimport os\n"""', "a\nb", "\\", '"' * 7, "x'); y('"])
def test_an_exported_module_holds_no_code_of_its_names(name: str) -> None:
    about = {name: name, "search": name}
    for graphs in (
        {"net": network(f"block.{name}")},
        {name: network("head"), "other": network("head")},
    ):
        tree = ast.parse(module_source(graphs, about))
        imported = [one for one in ast.walk(tree) if isinstance(one, ast.Import)]
        assert [alias.name for one in imported for alias in one.names] == ["torch"]
        assert [type(one) for one in tree.body if isinstance(one, ast.Expr)] == [ast.Expr]


@pytest.mark.parametrize(
    "name",
    [
        'a"),print("b"),getattr(self,"a',
        "x=print(1)",
        "a b",
        "",
        "a..b",
        "\u00e9",
        "a\n",
        "_" * 2000,
    ],
)
def test_a_layers_name_never_becomes_code(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EditError, match="a layer is called"):
        build_graph(network(name))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["training", "forward", "__class__", "block.forward", "_modules"])
def test_a_layer_does_not_take_the_place_of_what_a_module_has(name: str) -> None:
    with pytest.raises(EditError, match="which a module has for itself"):
        build_graph(network(name))


def test_a_layer_may_have_any_name_of_words() -> None:
    built = build_graph(network("stage1_0.conv_2.3"))
    assert built(torch.zeros(1, 4)).shape == (1, 2)
