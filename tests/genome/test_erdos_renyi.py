"""Layers get the densities of Erdos and Renyi, and together the number of weights asked for."""

import math

import pytest

from evonas.errors import ConfigError
from evonas.genome.erdos_renyi import erk


def test_densities_are_proportional_to_the_sum_of_dimensions_over_their_product() -> None:
    shapes = {"a": (80, 40, 3, 3), "b": (200, 200), "c": (64, 80, 5, 5)}
    counts = erk(shapes, 0.1)
    units = {
        name: counts[name] / math.prod(shape) / (sum(shape) / math.prod(shape))
        for name, shape in shapes.items()
    }
    assert units["a"] == pytest.approx(units["b"], rel=2e-3)
    assert units["a"] == pytest.approx(units["c"], rel=2e-3)


def test_a_layer_that_would_need_more_than_it_has_is_dense_and_the_rest_share_what_is_left() -> (
    None
):
    shapes = {"small": (3, 2), "one": (30, 40), "two": (50, 40)}
    counts = erk(shapes, 0.1)
    left = 321 - 6
    assert counts["small"] == 6
    assert counts["one"] == round(left * 70 / 160)
    assert counts["two"] == round(left * 90 / 160)


@pytest.mark.parametrize(
    ("first", "second", "density"),
    [
        ((2, 3), (2, 3), 0.5),
        ((1, 1, 2, 3), (1, 1, 2, 3), 0.7),
        ((8, 6), (4, 3), 0.3),
        ((80, 4), (20, 20), 0.2),
        ((2, 6), (2, 3), 0.2),
    ],
)
def test_the_counts_add_up_in_the_cases_of_the_authors_tests(
    first: tuple[int, ...], second: tuple[int, ...], density: float
) -> None:
    counts = erk({"first": first, "second": second}, density)
    total = math.prod(first) + math.prod(second)
    assert sum(counts.values()) == math.floor(density * total + 0.5)
    assert all(
        1 <= counts[name] <= math.prod(shape)
        for name, shape in (("first", first), ("second", second))
    )


def test_everything_is_kept_at_density_one() -> None:
    assert erk({"a": (4, 3, 3, 3), "b": (5, 4)}, 1.0) == {"a": 108, "b": 20}


def test_every_layer_keeps_a_weight() -> None:
    assert min(erk({"a": (2, 2), "b": (500, 500)}, 1e-4).values()) >= 1


@pytest.mark.parametrize("density", [0.0, -0.5, 1.5])
def test_impossible_densities_are_refused(density: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 1"):
        erk({"a": (2, 2)}, density)
