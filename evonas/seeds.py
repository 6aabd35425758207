"""Every random draw has an address: one run seed and a path such as ("propose", 7)."""

import hashlib
import json

from numpy.random import PCG64, Generator

Rng = Generator


def integer(seed: int, *address: str | int) -> int:
    """Return the 63-bit number at `address` of the run's seed; equal on every machine.

    >>> integer(0, "train", 3) == integer(0, "train", 3) != integer(0, "train", 4)
    True
    """
    text = json.dumps([seed, *address], separators=(",", ":"))
    return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, *address: str | int) -> Rng:
    """Return a fresh generator for the draws at `address`."""
    return Generator(PCG64(integer(seed, *address)))
