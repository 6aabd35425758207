"""How fast the supervised loop is, against loops written by hand.

    python benchmarks/training_speed.py
    python benchmarks/training_speed.py --accuracy digits

Prints training samples per CPU second on one thread, medians of interleaved repeats; a ratio is the
median of those within a repeat, so that other work on the machine weighs on both sides:

- `evonas`: the trainer, as candidates meet it;
- `by hand`: a plain script doing the same steps with the same settings, to see what the trainer's
  generality costs (wanted: at least 0.97);
- `plain`: the script most people write first, float32 and channels-first, with torch's default
  optimizer step (wanted: evonas at least 1.4 times faster on 28x28 and 32x32);
- `bfloat16`: the trainer in that precision. Faster only where the CPU computes in it.

All ways run in one process that keeps freed memory, as evonas's workers do; without, page faults
take up to a third of the time of any of them, at random.

With `--accuracy DATA` the errors of float32 and bfloat16 are compared instead, over five seeds.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import devices
from evonas.morph.calibrate import reestimate
from evonas.trainer import Context
from evonas_trainers.supervised import Supervised

CPU = torch.device("cpu")
BATCH = 128
RATE, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
CALIBRATION = 512
EPOCHS = 2


@final
@dataclass(frozen=True)
class Task:
    """Data to train on and the network to train."""

    name: str
    data: Mapping[str, Tensor]
    network: Callable[[], nn.Module]


@final
class Residual(nn.Module):
    """A basic block of a CIFAR residual network."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's outputs."""
        inner = F.relu(self.norm1(self.first(x)))
        return F.relu(self.norm2(self.second(inner)) + self.skip(x))


def residual_network(channels: int) -> nn.Module:
    """Return ResNet-20."""
    blocks: list[nn.Module] = []
    width = 16
    for outputs, stride in ((16, 1), (32, 2), (64, 2)):
        for place in range(3):
            blocks.append(Residual(width, outputs, stride if place == 0 else 1))
            width = outputs
    stem = [nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def small_network(channels: int) -> nn.Module:
    """Return three convolutions, 46 thousand parameters wide at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((channels, 32, 1), (32, 32, 2), (32, 64, 1), (64, 32, 2)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)]
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def synthetic(channels: int, size: int, samples: int) -> dict[str, Tensor]:
    """Return noise with labels, in the shape that `Supervised.prepare` returns."""
    draws = torch.Generator().manual_seed(0)
    found = {"mean": torch.full((channels,), 128.0), "std": torch.full((channels,), 64.0)}
    for part, number in (("train", samples), ("valid", samples // 4)):
        shape = (number, channels, size, size)
        found[f"{part}_x"] = torch.randint(256, shape, generator=draws, dtype=torch.uint8)
        found[f"{part}_y"] = torch.randint(10, (number,), generator=draws)
    return {**found, "classes": torch.tensor(10)}


def tasks() -> list[Task]:
    """Return the three sizes of pictures."""
    digits = Supervised(data="digits").prepare(0)
    return [
        Task("digits, 8x8, CNN", digits, lambda: small_network(1)),
        Task("28x28, CNN", synthetic(1, 28, 1024), lambda: small_network(1)),
        Task("32x32, ResNet-20", synthetic(3, 32, 512), lambda: residual_network(3)),
    ]


def trained(task: Task, model: nn.Module, precision: torch.dtype) -> None:
    """Train with evonas."""
    trainer = Supervised(data="", epochs=EPOCHS, batch_size=BATCH, calibration_samples=CALIBRATION)
    trainer.train(model, Context(CPU, precision, 0, task.data, None, lambda *_, **__: None))


def by_hand(task: Task, model: nn.Module) -> None:
    """Do the same by hand: the same layout, fused step, batches, calibration, validation."""
    data = task.data
    mean, std = data["mean"][:, None, None], data["std"][:, None, None]
    model.to(memory_format=torch.channels_last)
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, nesterov=True, fused=True)
    last = torch.channels_last
    for _ in range(EPOCHS):
        model.train()
        total = torch.zeros(())
        order = torch.randperm(len(data["train_y"]))
        for rows in order.tensor_split(-(-len(order) // BATCH)):
            inputs = data["train_x"][rows].contiguous(memory_format=last)
            inputs = inputs.float().sub(mean).div_(std)
            loss = F.cross_entropy(model(inputs), data["train_y"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        seen = data["train_x"][:CALIBRATION].contiguous(memory_format=last)
        batches = seen.tensor_split(-(-len(seen) // BATCH))
        reestimate(model, (batch.float().sub(mean).div_(std) for batch in batches))
        held_out = data["valid_x"].contiguous(memory_format=last).split(BATCH)
        validate(model, (batch.float().sub(mean).div_(std) for batch in held_out), data["valid_y"])
    {name: tensor.clone() for name, tensor in model.state_dict().items()}
    [state["momentum_buffer"].clone() for state in optimizer.state.values()]


def plain(task: Task, model: nn.Module) -> None:
    """Train as most scripts do, on inputs normalised beforehand; calibrate and validate alike."""
    data = task.data
    mean, std = data["mean"][:, None, None], data["std"][:, None, None]
    train_x = (data["train_x"].float() - mean) / std
    valid_x = (data["valid_x"].float() - mean) / std
    optimizer = torch.optim.SGD(
        model.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY
    )
    for _ in range(EPOCHS):
        model.train()
        order = torch.randperm(len(train_x))
        for rows in order.tensor_split(-(-len(order) // BATCH)):
            loss = F.cross_entropy(model(train_x[rows]), data["train_y"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seen = train_x[:CALIBRATION]
        reestimate(model, seen.tensor_split(-(-len(seen) // BATCH)))
        validate(model, valid_x.split(BATCH), data["valid_y"])


def validate(model: nn.Module, batches: Iterable[Tensor], targets: Tensor) -> float:
    """Return the loss on held-out data."""
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(torch.cat([model(batch) for batch in batches]), targets).item()


def seconds(task: Task, repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of every way, by repeat; the order turns around every time."""
    ways: dict[str, Callable[[nn.Module], None]] = {
        "evonas": lambda model: trained(task, model, torch.float32),
        "by hand": lambda model: by_hand(task, model),
        "plain": lambda model: plain(task, model),
        "bfloat16": lambda model: trained(task, model, torch.bfloat16),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way in sorted(ways, reverse=repeat % 2 == 1):
            torch.manual_seed(0)
            model = task.network()
            start = time.process_time()
            ways[way](model)
            if repeat:
                found[way].append(time.process_time() - start)
    return found


def ratio(times: Mapping[str, list[float]], fast: str, slow: str) -> float:
    """Return how many times faster one way is: the median over the repeats."""
    return statistics.median(b / a for a, b in zip(times[fast], times[slow], strict=True))


def errors(data: str, epochs: int, samples: int | None) -> dict[str, list[float]]:
    """Return the validation errors of both precisions over five seeds."""
    trainer = Supervised(
        data=data, epochs=epochs, batch_size=BATCH, schedule="cosine", train_samples=samples
    )
    prepared = trainer.prepare(0)
    found: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for seed in range(5):
        for name, values in found.items():
            torch.manual_seed(seed)
            model = small_network(prepared["train_x"].shape[1])
            precision = torch.float32 if name == "float32" else torch.bfloat16
            context = Context(CPU, precision, seed, prepared, None, lambda *_, **__: None)
            values.append(trainer.train(model, context).metrics["error"])
    return found


def print_errors(data: str, epochs: int, samples: int | None) -> None:
    """Print a line for each precision, and the paired difference."""
    found = errors(data, epochs, samples)
    print(f"validation error in percent on {data}, {epochs} epochs, five seeds: mean +- deviation")
    pairs = zip(found["bfloat16"], found["float32"], strict=True)
    found["difference"] = [half - full for half, full in pairs]
    for name, values in found.items():
        mean, spread = statistics.mean(values), statistics.stdev(values)
        print(f"{name:10} {100 * mean:6.2f} +- {100 * spread:.2f}")


def print_speeds(repeats: int) -> None:
    """Print a line for each task."""
    print(f"training samples per CPU second, one thread, torch {torch.__version__}")
    ways = ("evonas", "by hand", "plain", "bfloat16")
    heads = (*ways, "/ by hand", "/ plain", "bf16 / plain")
    print(f"{'task':18}" + "".join(f"{head:>13}" for head in heads))
    for task in tasks():
        times = seconds(task, repeats)
        samples = EPOCHS * len(task.data["train_y"])
        row = "".join(f"{samples / statistics.median(times[way]):13.0f}" for way in ways)
        for fast, slow in (("evonas", "by hand"), ("evonas", "plain"), ("bfloat16", "plain")):
            row += f"{ratio(times, fast, slow):13.2f}"
        print(f"{task.name:18}{row}", flush=True)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="speed of the supervised loop")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--accuracy", metavar="DATA", help="compare errors on this data set")
    parser.add_argument("--epochs", type=int, default=5, help="of --accuracy")
    parser.add_argument("--samples", type=int, help="of --accuracy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    if given.accuracy:
        print_errors(given.accuracy, given.epochs, given.samples)
    else:
        print_speeds(given.repeats)


if __name__ == "__main__":
    main()
