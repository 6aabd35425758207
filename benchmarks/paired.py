"""Arms compared seed by seed: exact signed-rank tests, bootstrap intervals, Holm's correction.

"Individual Comparisons by Ranking Methods" (Wilcoxon, 1945) with midranks for ties, zeros dropped,
and the exact distribution of all sign patterns, which ties do not spoil; "A Simple Sequentially
Rejective Multiple Test Procedure" (Holm, 1979) over the contrasts that were named beforehand. That
an arm is no worse is shown by a test against a margin, never by a large p.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from evonas.seeds import Rng

Record = Mapping[str, Any]
"""What one run came to: `arm`, `seed`, and numbers by name."""

RESAMPLES = 10_000


@final
@dataclass(frozen=True)
class Contrast:
    """A question asked before the runs: does `arm` differ from `base`?

    Attributes:
        metric: By which.
        arm: The one.
        base: The other, with the same seeds.
        margin: Ask instead whether `arm` is higher than `base` less this much.
    """

    metric: str
    arm: str
    base: str
    margin: float | None = None

    def p(self, differences: Sequence[float]) -> float:
        """Return the p-value of the test that the question asks for."""
        if self.margin is None:
            return signed_rank(differences)
        return signed_rank([value + self.margin for value in differences], "greater")

    @property
    def question(self) -> str:
        """The contrast in words."""
        asked = "" if self.margin is None else f", no worse by {self.margin:g}"
        return f"{self.arm} - {self.base}: {self.metric}{asked}"


def differences(records: Iterable[Record], contrast: Contrast) -> list[float]:
    """Return arm minus base for each seed that both have, in the order of seeds."""
    values: dict[str, dict[int, float]] = {contrast.arm: {}, contrast.base: {}}
    for record in records:
        if record["arm"] in values:
            values[record["arm"]][record["seed"]] = record[contrast.metric]
    arm, base = values[contrast.arm], values[contrast.base]
    return [arm[seed] - base[seed] for seed in sorted(arm.keys() & base.keys())]


def signed_rank(
    values: Sequence[float], alternative: Literal["two-sided", "greater"] = "two-sided"
) -> float:
    """Return the exact p-value of Wilcoxon's signed-rank test that the values centre on 0.

    >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0]), signed_rank([1.0, -1.0]), signed_rank([0.0])
    (0.0625, 1.0, 1.0)
    >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0], "greater")
    0.03125
    """
    sizes = sorted(abs(value) for value in values if value)
    twice_rank = {size: 2 * sizes.index(size) + sizes.count(size) + 1 for size in sizes}
    ways = [1]  # of reaching each sum of the positive values' doubled ranks
    for size in sizes:
        shifted = [0] * twice_rank[size] + ways
        ways = [a + b for a, b in zip(shifted, ways + [0] * twice_rank[size], strict=True)]
    reached = sum(twice_rank[abs(value)] for value in values if value > 0)
    above, below = sum(ways[reached:]) / 2 ** len(sizes), sum(ways[: reached + 1]) / 2 ** len(sizes)
    return above if alternative == "greater" else min(1.0, 2 * min(above, below))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for asking so many questions.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def interval(values: Sequence[float], rng: Rng) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean, 95 percent."""
    found = np.asarray(values)
    means = found[rng.integers(len(found), size=(RESAMPLES, len(found)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def summary(records: Sequence[Record], arms: Iterable[str], digits: Mapping[str, int]) -> str:
    """Return a table: mean and standard deviation of each metric for each arm.

    Args:
        records: Of all runs.
        arms: The rows; an arm without a run is left out.
        digits: The metrics, with how many digits each is shown.
    """
    lines = [f"| arm | n | {' | '.join(digits)} |", "|---" * (len(digits) + 2) + "|"]
    for arm in arms:
        own = [record for record in records if record["arm"] == arm]
        if own:
            cells = [_spread([one[name] for one in own], places) for name, places in digits.items()]
            lines.append(f"| {arm} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def contrast_table(records: Sequence[Record], contrasts: Sequence[Contrast], rng: Rng) -> str:
    """Return a table: mean difference, its interval, p, and p after Holm's correction."""
    found = [(contrast, differences(records, contrast)) for contrast in contrasts]
    asked = [(contrast, values) for contrast, values in found if values]
    p_values = [contrast.p(values) for contrast, values in asked]
    lines = ["| contrast | n | mean (95 %) | p | p, Holm |", "|---|---|---|---|---|"]
    for (contrast, values), p, adjusted in zip(asked, p_values, holm(p_values), strict=True):
        low, high = interval(values, rng)
        mean = f"{statistics.mean(values):+.2f} ({low:+.2f} to {high:+.2f})"
        row = (contrast.question, str(len(values)), mean, f"{p:.2g}", f"{adjusted:.2g}")
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float], places: int) -> str:
    """Return mean and standard deviation; metrics that an arm cannot have are not a number."""
    if any(math.isnan(value) for value in values):
        return ""
    mean = f"{statistics.mean(values):.{places}f}"
    return mean if len(values) == 1 else f"{mean} +- {statistics.stdev(values):.{places}f}"
