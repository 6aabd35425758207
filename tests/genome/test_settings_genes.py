"""Settings genes: read, drawn, moved."""

import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from evonas import seeds
from evonas.errors import ConfigError
from evonas.genome.settings import draw, gene_from_table, holds, jitter

GENES = [
    FloatDistribution(1e-3, 0.3, log=True),
    FloatDistribution(-1.0, 2.0),
    FloatDistribution(0.0, 1.0, step=0.25),
    IntDistribution(1, 3),
    IntDistribution(8, 512, log=True),
    IntDistribution(0, 100, step=20),
    CategoricalDistribution(["sgd", "adam", None]),
    CategoricalDistribution([False, True]),
]


@pytest.mark.parametrize(
    ("table", "gene"),
    [
        ({"low": 1e-3, "high": 0.3, "log": True}, FloatDistribution(1e-3, 0.3, log=True)),
        ({"low": 1, "high": 8}, IntDistribution(1, 8)),
        ({"low": 1, "high": 8.0}, FloatDistribution(1, 8.0)),
        ({"low": 0, "high": 8, "step": 2}, IntDistribution(0, 8, step=2)),
        ({"choices": ["sgd", "adam"]}, CategoricalDistribution(["sgd", "adam"])),
    ],
)
def test_a_table_gives_the_gene_it_describes(table: dict[str, Any], gene: BaseDistribution) -> None:
    assert gene_from_table("optimizer.lr", table) == gene


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"low": 1.0}, "no 'high'"),
        ({"low": 2.0, "high": 1.0}, "low"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low"),
        ({"low": 0.0, "high": math.inf}, "not finite"),
        ({"low": "0", "high": 1.0}, "'0' is no number"),
        ({"low": False, "high": True}, "False is no number"),
        ({"low": 0.0, "hihg": 1.0}, "did you mean 'high'"),
        ({"choices": []}, "at least one"),
        ({"choices": "adam"}, "list"),
        ({"choices": [[1]]}, r"\[1\] is no"),
        ({"choices": [1], "log": True}, "unknown key"),
    ],
)
def test_a_table_that_is_no_gene_says_why(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        gene_from_table("optimizer.lr", table)
    assert "optimizer.lr" in str(caught.value)


@pytest.mark.parametrize("gene", GENES)
@settings(deadline=None, max_examples=50)
@given(number=st.integers(0, 2**32))
def test_draws_and_jitters_stay_in_the_gene(gene: BaseDistribution, number: int) -> None:
    rng = seeds.stream(number, "gene")
    value = draw(gene, rng)
    moved = jitter(gene, value, rng)
    assert holds(gene, value)
    assert holds(gene, moved)
    assert moved != value


@pytest.mark.parametrize(
    ("gene", "values"),
    [
        (FloatDistribution(0.0, 1.0, step=0.25), {0.0, 0.25, 0.5, 0.75, 1.0}),
        (IntDistribution(1, 3), {1, 2, 3}),
        (IntDistribution(0, 100, step=20), {0, 20, 40, 60, 80, 100}),
        (CategoricalDistribution(["sgd", "adam", None]), {"sgd", "adam", None}),
    ],
)
def test_jitters_lead_to_every_value(gene: BaseDistribution, values: set[Any]) -> None:
    rng = seeds.stream(0, "walk")
    value, seen = draw(gene, rng), set[Any]()
    for _ in range(200):
        value = jitter(gene, value, rng)
        seen.add(value)
    assert seen == values


def test_a_log_gene_is_drawn_evenly_by_magnitude() -> None:
    rng = seeds.stream(0, "log")
    gene = FloatDistribution(1e-4, 1.0, log=True)
    below = sum(draw(gene, rng) < 1e-2 for _ in range(2000))
    assert below / 2000 == pytest.approx(0.5, abs=0.04)


def test_a_jitter_is_smaller_than_a_draw() -> None:
    rng = seeds.stream(0, "near")
    gene = FloatDistribution(0.0, 1.0)
    moves = [abs(jitter(gene, 0.5, rng) - 0.5) for _ in range(500)]
    assert 0.05 < sum(moves) / 500 < 0.12


def test_a_gene_of_one_value_keeps_it() -> None:
    rng = seeds.stream(0, "single")
    assert jitter(IntDistribution(3, 3), 3, rng) == 3


@pytest.mark.parametrize(
    ("gene", "value"),
    [
        (FloatDistribution(0.0, 1.0), 1.5),
        (FloatDistribution(0.0, 1.0, step=0.25), 0.3),
        (IntDistribution(1, 3), 2.5),
        (IntDistribution(0, 1), True),
        (CategoricalDistribution(["sgd"]), "adam"),
        (CategoricalDistribution([0, 1]), True),
    ],
)
def test_a_gene_does_not_hold_what_is_outside(gene: BaseDistribution, value: object) -> None:
    assert not holds(gene, value)
