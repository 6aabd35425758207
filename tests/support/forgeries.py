"""What may be wrong with a run folder: journals that no search has written, and code by name."""

from collections.abc import Mapping
from typing import Any

from support.hostile import BIRTH, OUTCOME, Change, evaluation, first, graph, renamed

MARK = 'open("mark", "w")'
CODE = f"x={MARK}"


def deep(levels: int) -> Any:
    made: Any = 0
    for _ in range(levels):
        made = [made]
    return made


JOURNALS: Mapping[str, tuple[int, Change]] = {
    "birth is a list": (BIRTH, lambda line: line.update(birth=[])),
    "genome is missing": (BIRTH, lambda line: line["birth"].pop("genome")),
    "genome is null": (BIRTH, lambda line: line["birth"].update(genome=None)),
    "operator is a number": (BIRTH, lambda line: line["birth"].update(operator=7)),
    "operator moves the cursor": (BIRTH, lambda line: line["birth"].update(operator="\x1b[2J")),
    "operator is endless": (BIRTH, lambda line: line["birth"].update(operator="x" * 10**6)),
    "seed is true": (BIRTH, lambda line: line["birth"].update(seed=True)),
    "seed is negative": (BIRTH, lambda line: line["birth"].update(seed=-1)),
    "seed is absurd": (BIRTH, lambda line: line["birth"].update(seed=10**400)),
    "parents are text": (BIRTH, lambda line: line["birth"].update(parents="01")),
    "own parent": (BIRTH, lambda line: line["birth"].update(parents=[0])),
    "parent of the future": (BIRTH, lambda line: line["birth"].update(parents=[10**9])),
    "parent before the first": (BIRTH, lambda line: line["birth"].update(parents=[-1])),
    "notes are too deep": (BIRTH, lambda line: line["birth"].update(notes={"a": deep(100)})),
    "number is true": (BIRTH, lambda line: line.update(number=True)),
    "number is text": (BIRTH, lambda line: line.update(number="0")),
    "graph is empty": (BIRTH, lambda line: graph(line).update(nodes=[])),
    "layers are missing": (BIRTH, lambda line: graph(line).pop("nodes")),
    "layer is too short": (BIRTH, lambda line: graph(line)["nodes"][1].pop()),
    "layer is unknown": (BIRTH, lambda line: graph(line)["nodes"][1].__setitem__(1, "system")),
    "layer reads itself": (
        BIRTH,
        lambda line: first(line, "conv").__setitem__(2, [first(line, "conv")[0]]),
    ),
    "layer reads nothing there": (BIRTH, lambda line: first(line, "conv").__setitem__(2, ["?"])),
    "layer reads the output": (BIRTH, lambda line: first(line, "conv").__setitem__(2, ["output"])),
    "layer twice": (BIRTH, lambda line: graph(line)["nodes"].append(graph(line)["nodes"][1])),
    "layer is code": (BIRTH, lambda line: renamed(line, "conv", f'a"),{MARK},getattr(self,"a')),
    "input is code": (BIRTH, lambda line: renamed(line, "input", CODE)),
    "layer is a path": (BIRTH, lambda line: renamed(line, "conv", "../../x")),
    "graph is a path": (
        BIRTH,
        lambda line: line["birth"]["genome"]["architecture"].update({"../x": graph(line)}),
    ),
    "channels are code": (BIRTH, lambda line: first(line, "conv")[3].update(out=MARK)),
    "channels are too many": (BIRTH, lambda line: first(line, "conv")[3].update(out=10**12)),
    "channels are none": (BIRTH, lambda line: first(line, "conv")[3].update(out=0)),
    "channels are true": (BIRTH, lambda line: first(line, "conv")[3].update(out=True)),
    "groups are none": (BIRTH, lambda line: first(line, "conv")[3].update(groups=0)),
    "stride is none": (BIRTH, lambda line: first(line, "conv")[3].update(stride=[0, 0])),
    "kernel is missing": (BIRTH, lambda line: first(line, "conv")[3].pop("kernel")),
    "parameter too many": (BIRTH, lambda line: first(line, "conv")[3].update(hook=MARK)),
    "activation is code": (BIRTH, lambda line: first(line, "act")[3].update(kind=MARK)),
    "edits are an object": (BIRTH, lambda line: line["birth"]["genome"].update(edits={})),
    "edit is too short": (BIRTH, lambda line: line["birth"]["genome"].update(edits=[["a"]])),
    "settings are a list": (BIRTH, lambda line: line["birth"]["genome"].update(settings=[])),
    "setting is code": (
        BIRTH,
        lambda line: line["birth"]["genome"].update(settings={"optimizer": "hostile:Code"}),
    ),
    "chromosome is code": (
        BIRTH,
        lambda line: line["birth"]["genome"].update(pruning={"rule": {"name": "hostile:Code"}}),
    ),
    "edit is code": (
        BIRTH,
        lambda line: line["birth"]["genome"].update(
            edits=[["settings", ["settings/x"], {"value": "hostile:Code"}, ""]]
        ),
    ),
    "outcome is null": (OUTCOME, lambda line: line.update(outcome=None)),
    "outcome is neither": (OUTCOME, lambda line: line.update(outcome={})),
    "metrics are a list": (OUTCOME, lambda line: evaluation(line).update(metrics=[1])),
    "metric is text": (OUTCOME, lambda line: evaluation(line)["metrics"].update(error="0.1")),
    "metric is true": (OUTCOME, lambda line: evaluation(line)["metrics"].update(error=True)),
    "metric is missing": (OUTCOME, lambda line: evaluation(line)["metrics"].pop("error")),
    "metric moves the cursor": (
        OUTCOME,
        lambda line: evaluation(line)["metrics"].update({"\r": 0}),
    ),
    "cost is missing": (OUTCOME, lambda line: evaluation(line).pop("cost")),
    "cost is negative": (OUTCOME, lambda line: evaluation(line)["cost"].update(macs=-1.0)),
    "samples are a fraction": (OUTCOME, lambda line: evaluation(line)["cost"].update(samples=0.5)),
    "curve is a number": (OUTCOME, lambda line: evaluation(line).update(curve=3)),
    "point of a curve is short": (OUTCOME, lambda line: evaluation(line).update(curve=[[1]])),
    "stopped is a number": (OUTCOME, lambda line: evaluation(line).update(stopped=1)),
    "same as the future": (OUTCOME, lambda line: evaluation(line).update(same_as=99)),
    "no parts": (OUTCOME, lambda line: evaluation(line).update(parts=0)),
    "weights are a path": (OUTCOME, lambda line: evaluation(line).update(weights="../../x")),
    "weights are absolute": (OUTCOME, lambda line: evaluation(line).update(weights="/etc/passwd")),
    "weights are a number": (OUTCOME, lambda line: evaluation(line).update(weights=1)),
    "clock is missing": (OUTCOME, lambda line: line.pop("clock")),
    "clock goes backwards": (OUTCOME, lambda line: line["clock"].update(elapsed=-1)),
    "failure is of no kind": (
        OUTCOME,
        lambda line: line.update(
            outcome={"failure": {"kind": "?", "message": "", "traceback": "", "cost": {}}}
        ),
    ),
    "failure has no cost": (
        OUTCOME,
        lambda line: line.update(
            outcome={"failure": {"kind": "error", "message": "", "traceback": ""}}
        ),
    ),
    "failure of the disk": (
        OUTCOME,
        lambda line: line.update(
            outcome={"failure": {"kind": 1, "message": [], "traceback": "", "cost": {}}}
        ),
    ),
}
TEXTS: Mapping[str, tuple[int, str, str]] = {
    "NaN": (OUTCOME, '"error":', '"other":NaN,"error":'),
    "infinity": (OUTCOME, '"error":', '"other":-Infinity,"error":'),
    "a number beyond all": (OUTCOME, '"error":', '"other":1e999,"error":'),
    "a whole number of 5000 digits": (OUTCOME, '"samples":', f'"other":{"9" * 5000},"samples":'),
    "a key twice": (OUTCOME, '"error":', '"error":0,"error":'),
    "another key twice": (BIRTH, '"seed":', '"seed":1,"seed":'),
    "deeper than Python": (BIRTH, '"parents":', f'"notes":{"[" * 10**5}{"]" * 10**5},"parents":'),
    "half a character": (BIRTH, '"operator":"', '"operator":"\\ud800'),
    "no UTF-8": (BIRTH, '"operator":"', '"operator":"\udcff'),
    "a zero": (BIRTH, '"operator":"', '"operator":"\\u0000'),
    "code in disguise": (
        BIRTH,
        '"settings":{',
        '"settings":{"o\\u0070timizer":{"n\\u0061me":"hostile\\u003aCode"}',
    ),
}


CODES: Mapping[str, Mapping[str, Any]] = {
    "space": {"space": {"name": "adopted", "network": "hostile:Code"}},
    "arguments": {"space": {"name": "adopted", "network": "os:system", "arguments": {"a": "ls"}}},
    "operators": {"space": {"name": "eena", "operators": ["hostile:Code"]}},
    "trainer": {"trainer": {"name": "hostile:Code"}},
    "part of the trainer": {"trainer": {"name": "supervised", "augment": "hostile:Code"}},
    "controller": {"controller": "hostile:Code"},
    "executor": {"executor": {"name": "hostile:Code"}},
    "tracker": {"tracker": "hostile:Code"},
    "teacher": {"cohort": {"preset": "kd", "teachers": {"t": {"network": "hostile:Code"}}}},
    "preset": {"pruning": {"preset": "hostile:Code"}},
    "another run": {
        "space": {"name": "adopted", "network": "evonas.api:trained_network"},
    },
}
