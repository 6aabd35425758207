"""Samplers draw the samples that they say, in epochs of one length."""

from itertools import islice

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.sampling import Sampler
from evonas_trainers.samplers.dealing import dealt
from evonas_trainers.samplers.per_class import PerClass
from evonas_trainers.samplers.pool import Pool
from evonas_trainers.samplers.shuffled import Shuffled

LABELS = torch.arange(50) % 5
LOSSES = torch.arange(50).float() * 7 % 50


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def epoch(
    sampler: Sampler, labels: Tensor = LABELS, batch_size: int = 16, losses: Tensor = LOSSES
) -> list[Tensor]:
    """Return as many batches as it takes to hold all samples."""
    count = -(-len(labels) // batch_size)
    return list(islice(sampler.start(labels, batch_size, generator(), losses), count))


@pytest.mark.parametrize(
    "sampler", [Shuffled(), PerClass(), Pool(share=0.1), Pool(), Pool(share=1, order="hard")]
)
def test_an_epoch_has_the_batches_of_shuffled_samples(sampler: Sampler) -> None:
    assert [len(batch) for batch in epoch(sampler)] == [13, 13, 12, 12]


def test_shuffled_samples_come_once_an_epoch() -> None:
    stream = Shuffled().start(LABELS, 16, generator(), None)
    for _ in range(3):
        assert torch.cat(list(islice(stream, 4))).sort().values.tolist() == list(range(50))


def test_two_epochs_come_in_two_orders() -> None:
    stream = Shuffled().start(LABELS, 50, generator(), None)
    assert not torch.equal(next(stream), next(stream))


def test_a_batch_holds_every_class_equally_often() -> None:
    for batch in epoch(PerClass(count=2)):
        counts = LABELS[batch].bincount(minlength=5)
        assert int(counts.max()) - int(counts.min()) <= 1
        assert int(counts.min()) >= 2


@pytest.mark.parametrize(("count", "classes"), [(2, 6), (3, 4), (4, 3)])
def test_a_batch_of_many_classes_holds_the_samples_of_some(count: int, classes: int) -> None:
    labels = torch.arange(120) % 20
    for batch in epoch(PerClass(count=count), labels, 12):
        counts = labels[batch].bincount()
        assert counts[counts > 0].tolist() == [count] * classes


def test_over_an_epoch_all_classes_come() -> None:
    labels = torch.arange(120) % 20
    stream = PerClass(count=2).start(labels, 12, generator(), None)
    assert labels[torch.cat(list(islice(stream, 40)))].unique().tolist() == list(range(20))


def test_a_batch_holds_no_sample_twice_while_its_class_has_others() -> None:
    assert all(len(batch.unique()) == len(batch) for batch in epoch(PerClass()))


def test_a_class_of_one_sample_is_drawn_twice() -> None:
    labels = torch.tensor([0, 1, 1, 1, 1, 1, 1, 1])
    (batch,) = epoch(PerClass(count=2), labels, 8)
    assert (batch == 0).sum() >= 2


def test_a_batch_without_room_for_a_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="no room for count = 9"):
        PerClass(count=9).start(LABELS, 8, generator(), None)


def rows(sampler: Pool) -> set[int]:
    return set(torch.cat(epoch(sampler)).tolist())


def best(share: float, losses: Tensor) -> set[int]:
    """Return the rows of smallest loss of every class, one after another."""
    found: set[int] = set()
    for label in range(5):
        members = [row for row in range(50) if int(LABELS[row]) == label]
        members.sort(key=lambda row: float(losses[row]))
        found |= set(members[: round(share * len(members))])
    return found


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_easy_pool_is_that_of_the_smallest_losses_of_every_class(share: float) -> None:
    assert rows(Pool(share=share, order="easy")) == best(share, LOSSES)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_hard_pool_is_that_of_the_largest(share: float) -> None:
    assert rows(Pool(share=share, order="hard")) == best(share, -LOSSES)


def test_the_random_pool_is_as_large_and_not_the_easy_one() -> None:
    easy, drawn = rows(Pool(share=0.5)), rows(Pool(share=0.5, order="random"))
    assert len(drawn) == len(easy)
    assert drawn != easy


def test_the_random_pool_does_not_look_at_losses() -> None:
    one, other = (epoch(Pool(order="random"), losses=losses) for losses in (LOSSES, -LOSSES))
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_pool_of_nothing_or_of_more_than_all_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="0 < share <= 1"):
        Pool(share=share)


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="count >= 1"):
        PerClass(count=0)


@pytest.mark.parametrize("count", [3, 7, 20])
def test_no_row_is_dealt_again_before_all_were(count: int) -> None:
    given = torch.tensor([2, 3, 5, 8, 13, 21, 34])
    hand = dealt(given, count, generator())
    assert len(hand) == count
    for part in hand.split(7):
        assert len(part.unique()) == len(part)
        assert set(part.tolist()) <= set(given.tolist())
