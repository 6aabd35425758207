"""Cohorts met on random walks: whatever is edited or crossed can be trained, kept and replayed."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from evonas import plugins
from evonas.cohort_preset import CohortPreset
from evonas.genome import Edit, Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import members
from evonas.morph.always import ALWAYS
from evonas.morph.cohort.check import check
from evonas.morph.cohort.crossover import crossed_cohorts
from evonas.morph.cohort.operators import mutations_for
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired
from evonas.networks import Signature
from evonas.seeds import Rng, stream
from evonas.space import SearchSpace
from evonas.testing.classes import example
from evonas.testing.small_cohorts import SmallCohort, small_cohorts

PICTURES = {"net": Signature((1, 8, 8), (10,))}
SIGNATURES = {
    "Depths": PICTURES,
    "Eena": PICTURES,
    "Mlp": {"net": Signature((5,), (3,))},
}
SHORT, LONG = 24, 500
"""Edits and crossovers of all walks of a space together."""


@cache
def seeds_of(kind: str) -> list[SmallCohort]:
    """Return what every preset makes of one space's seed, all with the same options."""
    classes = [plugins.load(CohortPreset, name) for name in sorted(plugins.names(CohortPreset))]
    presets = [example(cls) for cls in classes]
    made = [one for preset in presets for one in small_cohorts(preset, [SIGNATURES[kind]], 64)]
    made = [one for one in made if type(one.space).__name__ == kind]
    teachers = {name: taps for one in made for name, taps in one.options.teachers.items()}
    sizes = dict.fromkeys(teachers, 100_000)
    return [
        replace(one, options=replace(one.options, teachers=teachers, sizes=sizes, max_edges=32))
        for one in made
    ]


def step(genome: Genome, pool: Sequence[Genome], options: CohortOptions, rng: Rng) -> Edit | None:
    """Return an edit of the cohort, or now and then one that crosses it with another's."""
    if rng.random() < 0.2:
        return crossed_cohorts(genome, pool[int(rng.integers(len(pool)))], options, rng)
    mutations = mutations_for(options)
    operator = sorted(mutations)[int(rng.integers(len(mutations)))]
    return mutations[operator].propose(genome, rng)


def grown(genome: Genome, space: SearchSpace, options: CohortOptions, rng: Rng) -> Genome:
    """Return the genome after an edit of the candidate's architecture, and its cohort repaired."""
    mutations = space.mutations()
    operator = sorted(mutations)[int(rng.integers(len(mutations)))]
    edit = mutations[operator].propose(genome, rng)
    after = genome if edit is None else mutations[operator].apply(genome, edit)
    return repaired(after, options)


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


def walk(kind: str, steps: int) -> Counter[str]:
    """Take steps from the presets' cohorts in turn; return how often each operator had an edit."""
    found = seeds_of(kind)
    space, options = found[0].space, found[0].options
    pool = [one.genome for one in found]
    counts: Counter[str] = Counter()
    for number in range(steps):
        rng = stream(0, kind, number)
        place = number % len(pool)
        genome = pool[place]
        if number % 10 == 9:
            genome = grown(genome, space, options, rng)
        edit = step(genome, pool, options, rng)
        if edit is not None:
            counts[edit.operator] += 1
            genome = ALWAYS[edit.operator].apply(genome, edit)
            assert genome.edits[-1] == edit
            verify(genome, options)
        pool[place] = genome
    return counts


@pytest.mark.parametrize("kind", ["Depths", "Eena", "Mlp"])
def test_every_step_from_a_published_method_is_a_cohort(kind: str) -> None:
    assert walk(kind, SHORT).total() > SHORT / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Depths", "Eena"])
def test_a_thousand_steps_in_two_spaces_lead_to_cohorts_by_every_operator(kind: str) -> None:
    counts = walk(kind, LONG)
    assert counts.total() > LONG / 2
    options = seeds_of(kind)[0].options
    assert counts.keys() == {*mutations_for(options), "cohort-cross"}
