"""What a long search holds in the controller does not grow with it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from soak import soaked

BIRTHS, EVERY = 300, 50
MEGABYTES = 50 * BIRTHS / 9_000
"""What it may take more after the first rows: 50 for 9,000 candidates."""


@pytest.mark.slow
def test_a_long_search_holds_little_more_at_its_end_than_after_its_first_candidates(
    tmp_path: Path,
) -> None:
    fresh = multiprocessing.get_context("spawn")  # this process may have a server of other workers
    with ProcessPoolExecutor(1, mp_context=fresh) as process:
        rows = process.submit(soaked, {"births": BIRTHS}, tmp_path / "run", EVERY).result()
    sizes = [size for _, size in rows]
    assert len(sizes) == BIRTHS // EVERY
    assert sizes[-1].memory - sizes[1].memory < MEGABYTES
    assert max(size.files for size in sizes[1:]) <= sizes[0].files + 2
    assert len({size.threads for size in sizes[1:]}) == 1
    assert max(size.children for size in sizes) <= sizes[0].children + 2
