"""How long an inference takes, timed against a reference network in the same moment.

Machines that others use too, and processors that follow their load, give one network half a
millisecond now and a whole one a minute later. What runs in the same moment shares the slowdown, so
the network takes turns with a small reference network, and their ratio counts. Times the seconds of
the reference, measured once a search, that is a latency which candidates can be compared by.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from evonas.measure import evaluating, runnable
from evonas.networks import Signatures

_REFERENCE = (16, 8, 8)


def reference_seconds(device: torch.device, seconds: float = 1.0) -> float:
    """Return the median wall-clock seconds of the reference network's inference on `device`.

    Args:
        device: Where to measure; a CPU's one thread, as candidates have.
        seconds: How long to repeat it, after a warm-up.
    """
    run, threads = _reference(device), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            _ = _turns(seconds / 10, run)
            return median(_turns(seconds, run)[0])
    finally:
        torch.set_num_threads(threads)


def latency(
    model: nn.Module,
    signatures: Signatures,
    device: torch.device,
    reference: float,
    seconds: float = 0.2,
) -> float:
    """Return the seconds of an inference on `device` while the reference takes `reference`.

    Batch size 1, in eval mode. The model is moved to `device` and to channels-last, as it is
    trained. A model of several networks takes the sum.

    Args:
        model: The candidate.
        signatures: Of its networks.
        device: Where to measure.
        reference: What `reference_seconds` returned.
        seconds: How long to repeat each network with the reference, after a warm-up.
    """
    model.to(device).to(memory_format=torch.channels_last)
    yardstick, total = _reference(device), 0.0
    with evaluating(model):
        for net, inputs in runnable(model, signatures):
            run = _synchronised(net, inputs)
            own, other = (median(times) for times in _turns(seconds / 10, run, yardstick))
            repeats = max(1, round(own / other))
            rows = zip(*_turns(seconds, run, *[yardstick] * repeats), strict=True)
            total += median(repeats * took / sum(others) for took, *others in rows)
    return total * reference


def _turns(seconds: float, *runs: Callable[[], None]) -> tuple[list[float], ...]:
    """Run all in turn, again and again, and return what each took every time."""
    took: tuple[list[float], ...] = tuple([] for _ in runs)
    end = perf_counter() + seconds
    while not took[0] or perf_counter() < end:
        for run, times in zip(runs, took, strict=True):
            start = perf_counter()
            run()
            times.append(perf_counter() - start)
    return took


def _reference(device: torch.device) -> Callable[[], None]:
    """Return an inference of the reference network: two convolutions with batch norm and ReLU."""
    channels = _REFERENCE[0]
    with torch.random.fork_rng(devices=()):
        layers = [
            layer
            for width in (channels, 2 * channels)
            for layer in (
                nn.Conv2d(width, 2 * channels, 3, padding=1),
                nn.BatchNorm2d(2 * channels),
                nn.ReLU(),
            )
        ]
    net = nn.Sequential(*layers).eval().to(device).to(memory_format=torch.channels_last)
    inputs = torch.zeros(1, *_REFERENCE, device=device)
    return _synchronised(net, inputs.to(memory_format=torch.channels_last))


def _synchronised(net: nn.Module, inputs: Tensor) -> Callable[[], None]:
    """Return an inference that ends when the device is done."""

    def run() -> None:
        net(inputs)
        if inputs.device.type != "cpu":
            torch.accelerator.synchronize(inputs.device)

    return run
