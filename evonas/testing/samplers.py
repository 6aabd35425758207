"""The contract of samplers: endless batches of rows that there are, as the generator has it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import final

import torch
from torch import Tensor

from evonas.sampling import Sampler
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.sandbox import seeded

_SAMPLES = 50
_CLASSES = 4
_BATCH = 16
_EPOCH = 4
"""Batches in an epoch: the fewest that hold all samples."""


@final
@dataclass(frozen=True)
class _Bench:
    """A sampler with labels and losses for it."""

    sampler: Sampler

    @property
    def labels(self) -> Tensor:
        return torch.arange(_SAMPLES) % _CLASSES

    @property
    def losses(self) -> Tensor | None:
        """Losses in no order, if it wants any."""
        return (torch.arange(_SAMPLES) * 7 % _SAMPLES).float() if self.sampler.scores else None

    def batches(self, count: int, seed: int = 0) -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        stream = self.sampler.start(self.labels, _BATCH, generator, self.losses)
        return list(islice(stream, count))


def sampler_checks(sampler: Sampler) -> list[Check]:
    """Return the checks of a sampler, with its fields as they are."""
    functions: list[Callable[[_Bench], None]] = [
        _the_batches_never_end,
        _a_batch_holds_rows_that_there_are,
        _a_batch_is_never_too_large,
        _the_generator_alone_decides,
        _the_global_generator_is_left_alone,
        _what_comes_in_stays_as_it_is,
    ]
    return [*class_checks(sampler), *checks_of(_Bench(sampler), functions)]


def _the_batches_never_end(bench: _Bench) -> None:
    count = 3 * _EPOCH
    made = len(bench.batches(count))
    assert made == count, f"the stream ended after {made} batches; a stage may last for more"


def _a_batch_holds_rows_that_there_are(bench: _Bench) -> None:
    for batch in bench.batches(3 * _EPOCH):
        assert batch.ndim == 1, f"a batch has the shape {tuple(batch.shape)}, not (rows,)"
        assert batch.dtype == torch.int64, f"rows are {batch.dtype}, not torch.int64"
        assert int(batch.min()) >= 0, f"row {int(batch.min())} counts from the end"
        assert int(batch.max()) < _SAMPLES, f"row {int(batch.max())} of {_SAMPLES}"


def _a_batch_is_never_too_large(bench: _Bench) -> None:
    sizes = [len(batch) for batch in bench.batches(3 * _EPOCH)]
    assert min(sizes) > 1, f"a batch of {min(sizes)} has no statistics"
    assert max(sizes) <= _BATCH, f"a batch holds {max(sizes)}, more than {_BATCH}"


def _the_generator_alone_decides(bench: _Bench) -> None:
    drawn: list[list[Tensor]] = []
    for seed in (0, 1):
        with seeded(seed):
            drawn.append(bench.batches(3 * _EPOCH))
    assert all(torch.equal(*pair) for pair in zip(*drawn, strict=True)), "one seed gave two streams"
    other = bench.batches(3 * _EPOCH, seed=1)
    assert not all(torch.equal(*pair) for pair in zip(drawn[0], other, strict=True)), (
        "two seeds gave one stream"
    )


def _the_global_generator_is_left_alone(bench: _Bench) -> None:
    with seeded(0):
        before = torch.get_rng_state()
        _ = bench.batches(_EPOCH)
        after = torch.get_rng_state()
    assert torch.equal(before, after), "it draws from torch's global generator"


def _what_comes_in_stays_as_it_is(bench: _Bench) -> None:
    labels, losses = bench.labels, bench.losses
    stream = bench.sampler.start(labels, _BATCH, torch.Generator().manual_seed(0), losses)
    _ = list(islice(stream, _EPOCH))
    assert torch.equal(labels, bench.labels), "it changes the labels"
    if losses is not None and bench.losses is not None:
        assert torch.equal(losses, bench.losses), "it changes the losses"
