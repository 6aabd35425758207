"""Plans: every place of a channel in every tensor, and the counts of single weights."""

import numpy as np
import pytest
from support.gene_edits import genes_for, with_genes

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.build import build
from evonas.morph.keep import fitted
from evonas.morph.planned import planned
from evonas.pruning_plan import PlannedGroup, PruningPlan

WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
CONV = {**WINDOW, "groups": 1, "bias": True}
NORM = {"eps": 1e-5, "momentum": 0.1}


def joined() -> Genome:
    """Return a network with a sum, a concatenation, and a flatten behind them."""
    nodes = (
        Node("x", "input", (), {"shape": [3, 2, 2]}),
        Node("a", "conv", ("x",), {**CONV, "out": 2}),
        Node("abn", "bn", ("a",), NORM),
        Node("b", "conv", ("abn",), {**CONV, "out": 2}),
        Node("sum", "add", ("abn", "b")),
        Node("c", "conv", ("sum",), {**CONV, "out": 3}),
        Node("dw", "depthwise", ("c",), {**WINDOW, "bias": True}),
        Node("both", "concat", ("dw", "sum")),
        Node("se", "se", ("both",), {"squeeze": 2}),
        Node("flat", "flatten", ("se",)),
        Node("fc", "linear", ("flat",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


def plan_of(genome: Genome, **kept: tuple[int, int]) -> PruningPlan:
    """Return the plan for genes that prune tied channels too."""
    counts = {name: Kept(*pair) for name, pair in kept.items()}
    genes = PruningGenes(schedule=Schedule(residual="coupled"), kept=counts)
    plan = planned(with_genes(genome, genes), build)
    assert plan is not None
    return plan


def group_of(plan: PruningPlan) -> PlannedGroup:
    (group,) = plan.groups
    return group


def places(of: dict[str, list[list[int]]], found: object) -> bool:
    assert isinstance(found, dict)
    return {name: value.tolist() for name, value in found.items()} == of


def test_a_channel_has_its_run_of_columns_behind_flatten_and_a_concatenation() -> None:
    group = group_of(plan_of(joined(), **{"net/c:0": (1, 3)}))
    assert (group.size, group.keep) == (3, 1)
    assert places({"c.weight": [[0], [1], [2]]}, group.weights)
    runs = np.arange(12).reshape(3, 4).tolist()
    assert places({"se.reduce.weight": [[0], [1], [2]], "fc.weight": runs}, group.columns)


def test_all_that_follows_a_channel_has_rows_but_running_statistics() -> None:
    plan = plan_of(joined(), **{"net/c:0": (1, 3)})
    assert sorted(group_of(plan).rows) == [
        *("c.bias", "c.weight", "dw.bias", "dw.weight", "se.expand.bias", "se.expand.weight")
    ]
    tied = group_of(plan_of(joined(), **{"net/a:0": (1, 2)}))
    assert "abn.weight" in tied.rows
    assert not any("running" in name for name in tied.rows)
    assert tied.norms == ("abn.weight",)


def test_what_a_sum_ties_is_one_group_with_all_its_makers() -> None:
    tied = group_of(plan_of(joined(), **{"net/a:0": (1, 2)}))
    assert sorted(tied.weights) == ["a.weight", "b.weight"]
    assert sorted(tied.columns) == ["b.weight", "c.weight", "fc.weight", "se.reduce.weight"]
    assert tied.columns["fc.weight"].tolist() == np.arange(12, 20).reshape(2, 4).tolist()
    assert tied.rows["se.expand.weight"].tolist() == [[3], [4]]


def test_groups_that_keep_all_their_channels_are_not_planned() -> None:
    assert not plan_of(joined(), **{"net/c:0": (3, 3)}).groups


def test_a_channel_that_is_read_twice_has_two_places() -> None:
    nodes = (
        Node("x", "input", (), {"shape": [3, 2, 2]}),
        Node("a", "conv", ("x",), {**CONV, "out": 2}),
        Node("twice", "concat", ("a", "a")),
        Node("bn", "bn", ("twice",), NORM),
        Node("gap", "gap", ("bn",)),
        Node("fc", "linear", ("gap",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    group = group_of(plan_of(Genome({"net": LayerGraph(nodes)}), **{"net/a:0": (1, 2)}))
    assert group.rows["bn.weight"].tolist() == group.columns["fc.weight"].tolist()
    assert group.columns["fc.weight"].tolist() == [[0, 2], [1, 3]]


def mirrored() -> Genome:
    """Return a network of two mirrored blocks, of which the first reads fewer channels."""
    nodes = (
        Node("x", "input", (), {"shape": [3, 2, 2]}),
        Node("one.conv", "conv", ("x",), {**CONV, "out": 4}),
        Node("two.conv", "conv", ("one.conv",), {**CONV, "out": 4}),
        Node("gap", "gap", ("two.conv",)),
        Node("fc", "linear", ("gap",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes, ("one", "two"))})


def test_every_mirrored_block_is_a_group_of_its_own() -> None:
    plan = plan_of(mirrored(), **{"net/*.conv:0": (3, 4)})
    assert [list(group.weights) for group in plan.groups] == [
        ["one.conv.weight"],
        ["two.conv.weight"],
    ]
    assert {(group.name, group.keep) for group in plan.groups} == {("net/*.conv:0", 3)}


def test_mirrored_layers_keep_one_share_of_their_single_weights() -> None:
    genome = mirrored()
    ((name, (_, width)),) = fitted(genome, genes_for("weight")).items()
    assert name == "net/*.conv"
    plan = planned(with_genes(genome, genes_for("weight", **{name: (width // 4, width)})), build)
    assert plan is not None
    assert not plan.groups
    assert plan.weights == {"one.conv.weight": 27, "two.conv.weight": 36}


def test_a_layer_that_would_keep_no_weight_is_refused() -> None:
    genes = genes_for("weight", **{"net/*.conv": (0, 108)})
    with pytest.raises(EditError, match="keeps 0 of 108"):
        planned(with_genes(mirrored(), genes), build)


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_without_pending_genes_there_is_no_plan(granularity: str) -> None:
    assert planned(joined(), build) is None
    schedule = Schedule(granularity="weight" if granularity == "weight" else "filter")
    assert planned(with_genes(joined(), PruningGenes(schedule=schedule)), build) is None
