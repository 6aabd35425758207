"""Runs by arm and seed, kept as JSON lines as they come: what is there is not run again."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paired import Record

Arm = Callable[[int], Mapping[str, Any]]
"""Runs one arm with a seed; returns its numbers by name."""


def add_options(parser: ArgumentParser, seeds: int) -> None:
    """Add the options that `recorded` takes."""
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--record", type=Path, help="file of JSON lines: continued if it is there")


def recorded(arms: Mapping[str, Arm], seeds: int, file: Path | None) -> Sequence[Record]:
    """Run what is not in the file yet, seed by seed; return the runs of these arms and seeds."""
    lines = file.read_text(encoding="utf-8").splitlines() if file and file.exists() else []
    known: list[Record] = [json.loads(line) for line in lines]
    found = {(record["arm"], record["seed"]): record for record in known}
    for seed in range(seeds):
        for name, arm in arms.items():
            if (name, seed) not in found:
                found[name, seed] = {"arm": name, "seed": seed, **arm(seed)}
                if file is not None:
                    with file.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(found[name, seed]) + "\n")
    return [found[name, seed] for seed in range(seeds) for name in arms]
