"""One factor on all kept shares, bisected until the network meets its target."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cost import macs, parameters
from evonas.genome.pruning import Kept
from evonas.morph.keep import Prunable
from evonas.morph.repair import KEPT, TOLERANCE, Budget, repaired
from evonas.seeds import Rng, stream

COUNTED = {"macs": macs, "parameters": parameters}
TRAPS = [(10, 0.1), (20, 0.2), (30, 0.1), (3, 0.1), (1, 0.5), (512, 1 / 512), (100, 0.07)]
"""Widths and shares of which `int(N * share)` or `int(N * (1 - share))` is one off."""


def stack(*widths: int) -> Genome:
    """Return a network of linear layers with these widths, from 8 numbers to 3."""
    nodes = [Node("x", "input", (), {"shape": [8]})]
    for number, width in enumerate((*widths, 3)):
        source = nodes[-1].id
        nodes.append(Node(f"fc{number}", "linear", (source,), {"out": width, "bias": True}))
    nodes.append(Node("y", "output", (nodes[-1].id,)))
    return Genome({"net": LayerGraph(tuple(nodes))})


def cost(prunable: Prunable, kept: dict[str, Kept], measure: str) -> int:
    """Return what the thinned network costs."""
    return COUNTED[measure](prunable.thinned(kept).architecture["net"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    share=st.floats(0.05, 1.2),
    measure=st.sampled_from(["macs", "parameters"]),
)
def test_the_cost_is_within_the_tolerance_below_the_target_or_no_channel_fits(
    random_genome: Callable[[Rng], Genome], seed: int, share: float, measure: str
) -> None:
    rng = stream(seed)
    prunable = Prunable.of(random_genome(rng), "coupled")
    sizes = prunable.sizes
    start = {name: Kept(int(rng.integers(1, size + 1)), size) for name, size in sizes.items()}
    whole = {name: Kept(size, size) for name, size in sizes.items()}
    smallest = {name: Kept(1, size) for name, size in sizes.items()}
    target = max(share * cost(prunable, whole, measure), cost(prunable, smallest, measure))
    found = dict(repaired(prunable, start, (measure, target), 0.0))
    assert found.keys() == sizes.keys()
    assert all(type(gene.keep) is int and 1 <= gene.keep <= gene.width for gene in found.values())
    assert cost(prunable, found, measure) <= target
    if cost(prunable, found, measure) < (1 - TOLERANCE) * target:
        for name, (keep, width) in found.items():
            more = {**found, name: Kept(min(keep + 1, width), width)}
            assert keep == width or cost(prunable, more, measure) > target


def test_shares_keep_their_proportions() -> None:
    prunable = Prunable.of(stack(400, 400), "inner")
    start = {"net/fc0:0": Kept(200, 400), "net/fc1:0": Kept(50, 400)}
    found = repaired(prunable, start, ("macs", 0.5 * cost(prunable, start, "macs")), 0.0)
    assert found["net/fc0:0"].keep == pytest.approx(4 * found["net/fc1:0"].keep, abs=4)


def test_counts_below_the_target_grow_to_meet_it() -> None:
    prunable = Prunable.of(stack(100, 100), "inner")
    start = {"net/fc0:0": Kept(10, 100), "net/fc1:0": Kept(10, 100)}
    found = dict(repaired(prunable, start, ("macs", 4000), 0.1))
    assert 0.98 * 4000 <= cost(prunable, found, "macs") <= 4000


def test_a_network_below_the_target_stays_whole() -> None:
    prunable = Prunable.of(stack(20, 20), "inner")
    start = {"net/fc0:0": Kept(10, 20)}
    assert repaired(prunable, start, ("macs", 1e9), 0.1) == {
        "net/fc0:0": Kept(20, 20),
        "net/fc1:0": Kept(20, 20),
    }


@pytest.mark.parametrize("measure", ["macs", "parameters"])
def test_a_target_below_the_smallest_network_is_refused_with_what_that_has(measure: str) -> None:
    prunable = Prunable.of(stack(20, 20), "inner")
    smallest = {"net/fc0:0": Kept(2, 20), "net/fc1:0": Kept(2, 20)}
    least = cost(prunable, smallest, measure)
    assert dict(repaired(prunable, {}, (measure, least), 0.1)) == smallest
    with pytest.raises(EditError, match=rf"smallest possible network has {least} {measure}"):
        repaired(prunable, {}, (measure, least - 1), 0.1)


def test_a_target_of_something_else_is_refused() -> None:
    with pytest.raises(EditError, match="'latency' is no measure"):
        repaired(Prunable.of(stack(20), "inner"), {}, ("latency", 1.0), 0.1)


@pytest.mark.parametrize(("width", "share"), TRAPS)
def test_the_least_count_is_the_share_rounded_up_and_never_nothing(
    width: int, share: float
) -> None:
    prunable = Prunable.of(stack(width, 7), "inner")
    budget = Budget(prunable, KEPT, share)
    wanted = {10: 1, 20: 4, 30: 3, 3: 1, 1: 1, 512: 1, 100: 7}
    assert budget.prunable.sizes.get("net/fc0:0", 1) == width
    assert dict(zip(prunable.sizes, budget.least, strict=True)).get("net/fc0:0", 1) == wanted[width]


@settings(max_examples=60, deadline=None)
@given(width=st.integers(2, 512), other=st.integers(2, 512), tenths=st.integers(1, 10))
def test_no_width_is_rounded_away_or_past_itself(width: int, other: int, tenths: int) -> None:
    prunable = Prunable.of(stack(width, other), "inner")
    most = max(2, (width + other) * tenths / 10)
    found = repaired(prunable, {}, (KEPT, most), 0.0)
    assert all(1 <= gene.keep <= gene.width for gene in found.values())
    assert sum(gene.keep for gene in found.values()) == int(most + 1e-9)


def test_single_weights_are_scaled_to_a_number_of_them() -> None:
    prunable = Prunable.of(stack(20, 30), "inner", "weight")
    start = {"net/fc0": Kept(160, 160), "net/fc1": Kept(300, 600)}
    found = repaired(prunable, start, (KEPT, 230), 0.01)
    assert found == {"net/fc0": Kept(80, 160), "net/fc1": Kept(150, 600)}
