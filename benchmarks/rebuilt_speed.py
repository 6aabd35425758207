"""What pruning is worth in seconds: networks rebuilt at half the MACs against the dense ones.

    python benchmarks/rebuilt_speed.py

Batches of 64 on one thread, CPU time, dense and rebuilt in turns (wanted: 1.6 times as fast). All
groups keep one share of their channels: of channels inside blocks alone (`inner`) or of all of them
(`coupled`). `of 8` has the same counts rounded to multiples of 8, which vector units like better;
its MACs differ. Ratios are those of neighbours in time: medians, and quartiles in brackets.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from halved import Task, fresh, in_turns, plain_task, plan_of, ratio, residual_task
from torch import Tensor, nn

from evonas import devices
from evonas.genome import Genome
from evonas.genome.cost import macs
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.compact import closed
from evonas.state import State

MULTIPLE = 8


def tasks() -> list[Task]:
    """Return what is looked at."""
    resnet20, resnet18 = (16, 32, 64), (64, 128, 256, 512)
    return [
        plain_task(28, 1, 64),
        plain_task(32, 3, 64),
        plain_task(32, 3, 128),
        residual_task("ResNet-20", resnet20, 3, "inner"),
        residual_task("ResNet-20", resnet20, 3, "coupled"),
        residual_task("ResNet-18", resnet18, 2, "inner"),
        residual_task("ResNet-18", resnet18, 2, "coupled"),
    ]


def rounded(genome: Genome) -> Genome:
    """Return the genome with counts that are multiples."""
    genes = PruningGenes.of(genome)
    assert genes is not None, "a halved network has genes"
    kept = {
        name: Kept(min(one.width, max(1, round(one.keep / MULTIPLE)) * MULTIPLE), one.width)
        for name, one in genes.kept.items()
    }
    return replace(genes, kept=kept).put_into(genome)


def rebuilt(genome: Genome) -> nn.Module:
    """Return the network that pruning hands over."""
    model, _ = plan_of(genome).compacted(State.of(fresh(genome)))
    return model.to(memory_format=torch.channels_last)


def way(network: nn.Module, inputs: Tensor) -> Callable[[], object]:
    """Return what is timed."""
    return lambda: network(inputs)


def times(genomes: Mapping[str, Genome], task: Task, repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of a batch."""
    networks = {name: rebuilt(genome).eval() for name, genome in genomes.items()}
    networks["dense"] = fresh(task.genome).eval()
    inputs = task.pictures()
    with torch.inference_mode():
        return in_turns({name: way(net, inputs) for name, net in networks.items()}, repeats)


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    heads = ("network", "million MACs", "ms a batch", "share of MACs", "times as fast")
    print(f"| {' | '.join((*heads, 'of 8: share of MACs', 'times as fast'))} |")
    print("|---" * 7 + "|")
    for task in tasks():
        half = task.halved(Schedule())
        genomes = {"half": half, "of 8": rounded(half)}
        found = times(genomes, task, given.repeats)
        cells = [task.name, f"{task.macs / 1e6:.0f}"]
        cells.append(f"{1000 * statistics.median(found['dense']):.0f}")
        for name, genome in genomes.items():
            cells.append(f"{macs(closed(genome).architecture['net']) / task.macs:.3f}")
            cells.append(ratio(found["dense"], found[name]))
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
