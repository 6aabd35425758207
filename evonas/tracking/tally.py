"""What a mirror was given, what has arrived, and the line that says the difference."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final


@final
@dataclass
class Tally:
    """Counts of one mirror, filled in by its thread and read when the search ends.

    Attributes:
        candidates: Numbers of the individuals that are there.
        models: Numbers of the individuals whose models are there.
        is_closed: Whether the front is marked and the search's run is ended.
        trouble: The last thing that went wrong.
    """

    candidates: set[int] = field(default_factory=set)
    models: set[int] = field(default_factory=set)
    is_closed: bool = False
    trouble: str = ""

    def missing(
        self, candidates: Sequence[int], models: Sequence[int], system: str, folder: Path
    ) -> str:
        """Return the line about what is not there of what should be; empty if all is."""
        parts = [
            f"{lost} of {len(wanted)} {name}"
            for name, wanted, there in (
                ("candidates", candidates, self.candidates.copy()),
                ("models", models, self.models.copy()),
            )
            if (lost := len(set(wanted) - there))
        ]
        if not parts and not self.is_closed:
            parts = ["the marks of the front"]
        if not parts:
            return ""
        why = f" ({self.trouble})" if self.trouble else " yet"
        return f"{' and '.join(parts)} are not in {system}{why}; run `evonas track {folder}`"
