"""How much a latency varies when nothing changes: a network timed alone, and against a reference.

One network is timed again and again, a fifth of a second each time, by torch's benchmark timer, as
the median of single inferences, and as `evonas.latency` does it, in turns with a reference network.

    python benchmarks/latency_noise.py --repeats 20
"""

import argparse
import logging
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter

import torch

from evonas.latency import latency
from evonas.morph.build import build
from evonas.networks import Signature
from evonas_spaces.eena import Eena

SIGNATURES = {"net": Signature((1, 8, 8), (10,))}
SECONDS = 0.2


def ways() -> Mapping[str, Callable[[], float]]:
    """Return the ways to time one network, in seconds; the last in those of its reference."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils.benchmark import Timer  # noqa: PLC0415 - it looks for a compiler, and warns

    genome = Eena(stem=16, width=32, last=64).seed(SIGNATURES)
    net = build(genome).eval().to(memory_format=torch.channels_last)
    inputs = torch.zeros(1, 1, 8, 8)
    timer = Timer("net(inputs)", globals={"net": net, "inputs": inputs})

    def singly() -> float:
        times: list[float] = []
        end = perf_counter() + SECONDS
        while perf_counter() < end:
            start = perf_counter()
            net(inputs)
            times.append(perf_counter() - start)
        return statistics.median(times)

    return {
        "torch's timer": lambda: timer.blocked_autorange(min_run_time=SECONDS).median,
        "median of single inferences": singly,
        "against the reference": lambda: latency(
            net, SIGNATURES, torch.device("cpu"), 1.0, SECONDS
        ),
    }


def main() -> None:
    """Time in turns, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    timings = ways()
    found: dict[str, list[float]] = {way: [] for way in timings}
    with torch.no_grad():
        for _ in range(options.repeats):
            for way, timing in timings.items():
                found[way].append(timing())
    print("| way | standard deviation / mean, % | largest / smallest |")
    print("|---|---|---|")
    for way, values in found.items():
        spread = 100 * statistics.stdev(values) / statistics.mean(values)
        print(f"| {way} | {spread:.1f} | {max(values) / min(values):.2f} |")


if __name__ == "__main__":
    main()
