"""A drawing shows every layer and every connection of a network."""

from xml.etree import ElementTree as ET

import pytest
from histories import seed_genome

from evonas.drawing import label, svg
from evonas.genome import LayerGraph, Node

GRAPH = seed_genome().architecture["net"]
SPLIT = LayerGraph(
    (
        Node("in<&>", "input", (), {"shape": [4]}),
        Node("left", "act", ("in<&>",), {"kind": "relu"}),
        Node("right", "act", ("in<&>",), {"kind": "tanh"}),
        Node("sum", "add", ("left", "right", "in<&>")),
        Node("end", "output", ("sum",)),
    )
)


@pytest.mark.parametrize(("graph", "num_edges"), [(GRAPH, 6), (SPLIT, 6)])
def test_a_drawing_has_a_box_a_layer_and_a_line_an_input(graph: LayerGraph, num_edges: int) -> None:
    tags = [element.tag.rpartition("}")[2] for element in ET.fromstring(svg(graph)).iter()]
    assert (tags.count("rect"), tags.count("path")) == (len(graph.nodes), num_edges)


def test_no_two_boxes_of_a_drawing_overlap() -> None:
    boxes = [
        (float(element.attrib["x"]), float(element.attrib["y"]))
        for element in ET.fromstring(svg(SPLIT)).iter()
        if element.tag.endswith("rect")
    ]
    apart = [
        abs(x1 - x2) >= 132 or abs(y1 - y2) >= 22
        for place, (x1, y1) in enumerate(boxes)
        for x2, y2 in boxes[:place]
    ]
    assert all(apart)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (GRAPH["conv"], "conv 3x3, 8"),
        (GRAPH["act"], "relu"),
        (GRAPH["head"], "linear 10"),
        (Node("p", "maxpool", (), {"kernel": [2, 2], "stride": [2, 2]}), "maxpool 2x2 /2"),
    ],
)
def test_a_label_names_what_matters_of_a_layer(node: Node, text: str) -> None:
    assert label(node) == text
