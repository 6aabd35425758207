"""The cohorts that a preset makes of the installed spaces' seeds, with toy teachers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from evonas import plugins
from evonas.aggregation import Aggregation
from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import NETWORK, with_members
from evonas.genome.nested import depths
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.scaled import scaled
from evonas.networks import Signatures
from evonas.sampling import Sampler
from evonas.space import SearchSpace
from evonas.testing.sandbox import registered_spaces
from evonas.transfer import Transfer


@final
@dataclass(frozen=True, kw_only=True)
class SmallCohort:
    """A seed with a preset's cohort.

    Attributes:
        space: Of the seed.
        signatures: Of its network.
        seed: The genome without a cohort; the toy teachers are networks of it.
        genome: The genome with the cohort, and its members.
        cohort: The cohort, as the preset returned it.
        options: What the search would allow.
    """

    space: SearchSpace
    signatures: Signatures
    seed: Genome
    genome: Genome
    cohort: Cohort
    options: CohortOptions


def small_cohorts(
    preset: CohortPreset, wanted: Iterable[Signatures], batch_size: int
) -> Iterator[SmallCohort]:
    """Yield the cohort of every installed space's seed that suits the preset."""
    spaces = list(registered_spaces())
    for signatures in wanted:
        for space in spaces if set(signatures) == {NETWORK} else ():
            try:
                seed = space.seed(signatures)
                cohort = preset.cohort(available(preset, space, seed))
            except ConfigError:
                continue
            yield _small(space, signatures, seed, cohort, batch_size)


def available(preset: CohortPreset, space: SearchSpace, seed: Genome) -> Available:
    """Return what the preset may refer to: the seed, and as many teachers like it as it needs."""
    taps = space.taps(seed)
    names = [f"teacher{number}" for number in range(1, preset.teachers + 1)]
    return Available(
        taps=taps, depths=depths(seed.architecture[NETWORK]), teachers=dict.fromkeys(names, taps)
    )


def _small(
    space: SearchSpace, signatures: Signatures, seed: Genome, cohort: Cohort, batch_size: int
) -> SmallCohort:
    graph, taps = seed.architecture[NETWORK], space.taps(seed)
    graphs = {
        name: scaled(graph, node.width)
        for name, node in cohort.nodes.items()
        if node.kind == "member"
    }
    return SmallCohort(
        space=space,
        signatures=signatures,
        seed=seed,
        genome=with_members(cohort.put_into(seed), graphs),
        cohort=cohort,
        options=CohortOptions(
            losses={name: plugins.load(Transfer, name).kind for name in plugins.names(Transfer)},
            aggregators={
                name: plugins.load(Aggregation, name).kind for name in plugins.names(Aggregation)
            },
            samplers=tuple({"name": name} for name in sorted(plugins.names(Sampler))),
            scorers=frozenset(
                name for name in plugins.names(Sampler) if plugins.load(Sampler, name).scores
            ),
            teachers={name: taps for name, node in cohort.nodes.items() if node.kind == "teacher"},
            taps=space.taps,
            batch_size=batch_size,
            max_edges=max(CohortOptions.max_edges, len(cohort.edges)),
        ),
    )
