"""Random walks over cohorts: the genomes that edits and crossovers of all presets lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from evonas import plugins
from evonas.cohort_preset import CohortPreset
from evonas.genome import Edit, Genome
from evonas.morph.always import ALWAYS
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


def _step(genome: Genome, pool: Sequence[Genome], options: CohortOptions, rng: Rng) -> Edit | None:
    """Return an edit of the cohort, or now and then one that crosses it with another's."""
    if rng.random() < 0.2:
        return crossed_cohorts(genome, pool[int(rng.integers(len(pool)))], options, rng)
    mutations = mutations_for(options)
    operator = sorted(mutations)[int(rng.integers(len(mutations)))]
    return mutations[operator].propose(genome, rng)


def _grown(genome: Genome, space: SearchSpace, options: CohortOptions, rng: Rng) -> Genome:
    """Return the genome after an edit of the candidate's architecture, and its cohort repaired."""
    mutations = space.mutations()
    operator = sorted(mutations)[int(rng.integers(len(mutations)))]
    edit = mutations[operator].propose(genome, rng)
    after = genome if edit is None else mutations[operator].apply(genome, edit)
    return repaired(after, options)


def walk(kind: str, steps: int) -> Iterator[tuple[Genome, SmallCohort]]:
    """Yield every genome met on the way from the presets' cohorts, each of them a step in turn."""
    found = seeds_of(kind)
    space, options = found[0].space, found[0].options
    pool = [one.genome for one in found]
    for number in range(steps):
        rng = stream(0, kind, number)
        place = number % len(pool)
        genome = pool[place]
        if number % 10 == 9:
            genome = _grown(genome, space, options, rng)
        edit = _step(genome, pool, options, rng)
        if edit is not None:
            genome = ALWAYS[edit.operator].apply(genome, edit)
            assert genome.edits[-1] == edit
            yield genome, found[0]
        pool[place] = genome
