"""The family tree can be read in a terminal, by other programs, and as a picture."""

from pathlib import Path

import networkx as nx
import pytest
from histories import OBJECTIVES, history, long_history
from pruned_histories import pruned_history

from evonas.lineage import family_tree
from evonas.report.family_picture import to_png
from evonas.report.family_tree import to_graphml, tree_text

EXPECTED = """\
  # error macs  credit  lineage
  0   0.4  100          seed
  1   0.3  140 +0.0500  |- widen net/conv
  4     -    -          |  widen net/conv [timeout]
* 2  0.35  100          |- control
  3  0.36  100 -0.0100  `- perturb settings/optimizer.lr
* 5  0.28  140             crossover of 1 (1 edits)
  6   nan  140             |- perturb settings/optimizer.lr
  7   0.2  140             `- final"""


def test_a_tree_has_a_line_for_every_individual_below_its_parent() -> None:
    assert tree_text(family_tree(history(), OBJECTIVES, front=[2, 5])) == EXPECTED


PRUNED = """\
 # error macs credit  lineage
 0   0.2  800         seed
 1  0.34  500         |- prune (sfp): keeps 5 of 8 channels, compact: -3 channels
 2  0.32  300         |- prune (ghfp): keeps 3 of 8 channels, compact: -5 channels
 3  0.26  400         |- prune-jitter (ghfp): keeps 4 of 8 channels, compact: -4 channels, \
genes of 2
 4  0.21  600         |  widen net/conv
 5   0.5  800         `- prune (set): keeps 2 of 8 weights"""


def test_a_tree_tells_what_was_pruned_and_whose_genes_it_were() -> None:
    assert tree_text(family_tree(pruned_history(), OBJECTIVES)) == PRUNED


def test_a_tree_of_200_births_fits_a_terminal() -> None:
    lines = tree_text(family_tree(long_history(200), OBJECTIVES)).splitlines()
    assert len(lines) == 201
    assert max(map(len, lines)) <= 100


def test_a_line_of_only_children_is_not_indented() -> None:
    _, founder, child = tree_text(family_tree(history(2), OBJECTIVES)).splitlines()
    assert founder.index("seed") == child.index("widen")


def test_graphml_holds_every_node_edge_and_metric(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tree.graphml"
    to_graphml(family_tree(history(), OBJECTIVES), path)
    read = nx.read_graphml(path, node_type=int)
    assert read.nodes[1]["metric.error"] == pytest.approx(0.3)
    assert read.edges[1, 5]["role"] == "donor"
    assert len(read) == 8


@pytest.mark.parametrize("length", [1, 8])
def test_a_picture_is_a_png(tmp_path: Path, length: int) -> None:
    path = tmp_path / "tree.png"
    to_png(family_tree(history(length), OBJECTIVES, front=[0]), path)
    assert path.read_bytes().startswith(b"\x89PNG")
