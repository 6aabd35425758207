"""Every draw has an address."""

import subprocess
import sys

import pytest

from evonas import seeds


def test_equal_addresses_give_equal_draws() -> None:
    first, again = seeds.stream(3, "propose", 7), seeds.stream(3, "propose", 7)
    assert first.random(5).tolist() == again.random(5).tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, "propose", 7), (1, "propose", 7)),
        ((0, "propose", 7), (0, "propose", 8)),
        ((0, "propose", 7), (0, "train", 7)),
        ((0, "propose", 7), (0, "propose", "7")),
        ((0, "propose", 1, 2), (0, "propose", 12)),
        ((0, "a", "b"), (0, "ab")),
    ],
)
def test_different_addresses_give_different_draws(
    one: tuple[int, *tuple[str | int, ...]], other: tuple[int, *tuple[str | int, ...]]
) -> None:
    assert seeds.integer(*one) != seeds.integer(*other)
    assert seeds.stream(*one).random() != seeds.stream(*other).random()


def test_seeds_fit_torch_and_are_never_negative() -> None:
    found = [seeds.integer(0, "train", number) for number in range(200)]
    assert all(0 <= seed < 2**63 for seed in found)
    assert len(set(found)) == 200


def test_the_same_address_gives_the_same_number_in_another_process() -> None:
    program = "from evonas import seeds; print(seeds.integer(5, 'propose', 11))"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(said.stdout) == seeds.integer(5, "propose", 11)


def test_a_journal_written_today_is_continued_with_the_same_draws_tomorrow() -> None:
    assert seeds.integer(0, "propose", 7) == 6445286417879747199
    assert seeds.stream(0, "propose", 7).integers(2**32) == 3858252697
