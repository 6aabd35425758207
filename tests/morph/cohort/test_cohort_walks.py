"""Cohorts met on random walks: whatever is edited or crossed can be checked, kept and replayed."""

import json
from collections import Counter

import pytest
from support.method_walks import seeds_of, walk

from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import members
from evonas.morph.cohort.check import check
from evonas.morph.cohort.operators import mutations_for
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired

SHORT, LONG = 24, 500
"""Edits and crossovers of all walks of a space together."""


def verify(genome: Genome, options: CohortOptions) -> None:
    """Check what every cohort of a search is."""
    check(genome, options)
    assert repaired(genome, options) == genome
    copy = Genome.from_json(json.loads(json.dumps(genome.to_json())))
    assert copy == genome
    assert copy.key == genome.key
    cohort = Cohort.of(genome)
    assert cohort is not None
    assert cohort.to_json() == genome.chromosomes["cohort"]
    named = {name for name, node in cohort.nodes.items() if node.kind == "member"}
    assert members(genome).keys() == named


def counted(kind: str, steps: int) -> Counter[str]:
    """Verify what a walk leads to; return how often each operator had an edit."""
    counts: Counter[str] = Counter()
    for genome, small in walk(kind, steps):
        verify(genome, small.options)
        counts[genome.edits[-1].operator] += 1
    return counts


@pytest.mark.parametrize("kind", ["Depths", "Eena", "Mlp"])
def test_every_step_from_a_published_method_is_a_cohort(kind: str) -> None:
    assert counted(kind, SHORT).total() > SHORT / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Depths", "Eena"])
def test_a_thousand_steps_in_two_spaces_lead_to_cohorts_by_every_operator(kind: str) -> None:
    counts = counted(kind, LONG)
    assert counts.total() > LONG / 2
    options = seeds_of(kind)[0].options
    assert counts.keys() == {*mutations_for(options), "cohort-cross"}
