"""How it is told what has failed, and what was trained in parts lest it fail."""

from collections import Counter
from collections.abc import Iterable, Mapping

from evonas.history import Evaluation, Failure, Outcome


def kinds(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how many failed of each kind."""
    return Counter(outcome.kind for outcome in outcomes if isinstance(outcome, Failure))


def num_failed(counts: Mapping[str, int]) -> str:
    """Return in words how many failed of each kind, the most frequent first.

    >>> num_failed({"lost": 1, "memory": 2}), num_failed({"lost": 1}), num_failed({})
    ('3 failed (2 memory, 1 lost)', '1 failed (lost)', '0 failed')
    """
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    each = ", ".join(f"{number} {kind}" if len(most) > 1 else kind for kind, number in most)
    return f"{sum(counts.values())} failed" + (f" ({each})" if each else "")


def batches(outcome: Outcome) -> str:
    """Return in how many parts batches were trained, or nothing if they were whole."""
    if isinstance(outcome, Evaluation) and outcome.parts > 1:
        return f"in {outcome.parts} parts"
    return ""
