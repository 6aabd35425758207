from pathlib import Path

import pytest

from evonas.executors.cores import usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000", 1), ("150000 100000", 1), ("50000 100000", 1)]
)
def test_a_container_may_use_what_its_quota_gives(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(quota, encoding="ascii")
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_a_quota_all_cores_of_the_process_are_usable(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n", encoding="ascii")
    assert usable_cores(tmp_path / "cpu.max") == usable_cores(tmp_path / "missing") >= 1
