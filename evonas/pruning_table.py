"""The run file's table `[pruning]`: by which methods, down to what, and how that may vary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from evonas import plugins
from evonas.errors import ConfigError, unknown
from evonas.genome.schedule import Schedule
from evonas.history import Limit
from evonas.morph.mutation import Mutation
from evonas.morph.prune_operators import mutations_for
from evonas.morph.prune_options import PruningOptions, Ratios, Target
from evonas.preset import Preset

MEASURES = ("macs", "parameters")
"""What a target may be of: the first that the run limits is the default."""

Spec = str | Mapping[str, Any]
Bounds = float | tuple[float, float]


@final
@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What a run asks of its pruning genes. The attributes are the table's keys.

    Attributes:
        preset: The method, as a name or a table of `name` and fields; or give `presets`.
        presets: Several, among which genes may jump.
        ratios: See `evonas.morph.prune_options.PruningOptions`, as for the next two.
        pruned_ratio: Not with a target.
        least_ratio: See there.
        target: What all rebuilt networks are brought down to, `macs` or `parameters`: a number, or
            from which to which it is drawn; up to 1 they are shares of the seed network's. By
            default the run's limit, if it has one and filters are pruned.
        operators: Which mutations of the genes there are; empty for all that make sense.
    """

    preset: Spec | None = None
    presets: tuple[Spec, ...] = ()
    ratios: Ratios = "free"
    pruned_ratio: tuple[float, float] | None = None
    least_ratio: float = PruningOptions.least_ratio
    target: Mapping[str, Bounds] = field(default_factory=dict)
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.removes_weights and self.ratios == "affine":
            raise ConfigError(
                'ratios = "affine" ranks filters; leave out presets of single weights'
            )
        if self.removes_weights and self.target:
            measure = "MACs" if "macs" in self.target else "parameters"
            raise ConfigError(f"single weights leave the {measure} as they are; give pruned_ratio")
        if self.target and self.pruned_ratio:
            raise ConfigError("a target says how much is pruned; give it or pruned_ratio, not both")
        _ = _target(self.target)
        _ = self.mutations(self.options(None))

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules of the presets.

        Raises:
            ConfigError: naming the preset that is not known, or makes no sense.
        """
        if (self.preset is None) == (not self.presets):
            raise ConfigError('give a method: preset = "ghfp", or presets = ["ghfp", "sfp"]')
        specs = self.presets if self.preset is None else (self.preset,)
        return tuple(_schedule(spec) for spec in specs)

    @property
    def removes_weights(self) -> bool:
        """Whether a method prunes single weights, after which a network costs what it did."""
        return any(one.granularity == "weight" for one in self.schedules)

    @property
    def removes_filters(self) -> bool:
        """Whether a method prunes filters, and so can bring a network within limits."""
        return any(one.granularity == "filter" for one in self.schedules)

    def options(
        self, target: Target | None, norms: Mapping[str, Sequence[float]] | None = None
    ) -> PruningOptions:
        """Return what genes may become, given a target in numbers."""
        return PruningOptions(
            schedules=self.schedules,
            target=target,
            ratios=self.ratios,
            pruned_ratio=self.pruned_ratio or PruningOptions.pruned_ratio,
            least_ratio=self.least_ratio,
            norms={name: tuple(values) for name, values in (norms or {}).items()},
        )

    def mutations(self, options: PruningOptions) -> Mapping[str, Mutation]:
        """Return the mutations of genes that there are.

        Raises:
            ConfigError: if `operators` names one that has no edits for these options.
        """
        known = mutations_for(options)
        for name in self.operators:
            if name not in known:
                raise unknown("pruning operator", name, known)
        return {name: known[name] for name in self.operators or known}

    def wanted(self, limits: Sequence[Limit], seed: Mapping[str, float]) -> Target | None:
        """Return the target in numbers, or None if nothing says how much is to go.

        Args:
            limits: Of the run.
            seed: What the seed network has of each of `MEASURES`.
        """
        target = _target(self.target)
        if target is not None:
            share = seed[target.measure] if target.high <= 1 else 1.0
            return Target(target.measure, target.low * share, target.high * share)
        if self.pruned_ratio or self.removes_weights:
            return None
        maxima = {limit.name: limit.maximum for limit in limits}
        for measure in MEASURES:
            if measure in maxima:
                return Target(measure, maxima[measure], maxima[measure])
        return None


def _schedule(spec: Spec) -> Schedule:
    preset = plugins.construct(Preset, spec, "preset")
    try:
        return preset.schedule()
    except ConfigError as error:
        name = spec if isinstance(spec, str) else spec["name"]
        raise ConfigError(f"preset {name!r}: {error}") from None


def _target(table: Mapping[str, Bounds]) -> Target | None:
    """Return the target as it is written, shares included."""
    if not table:
        return None
    for name in table:
        if name not in MEASURES:
            raise unknown("target", name, MEASURES)
    if len(table) > 1:
        raise ConfigError(f"a target has one measure, given {', '.join(sorted(table))}")
    measure, bounds = next(iter(table.items()))
    low, high = bounds if isinstance(bounds, tuple) else (bounds, bounds)
    if low <= 1 < high:
        raise ConfigError(f"target {measure} is {[low, high]!r}; give two numbers or two shares")
    return Target("macs" if measure == "macs" else "parameters", low, high)
