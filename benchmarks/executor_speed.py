"""What an executor takes for a candidate, and how much faster two workers are than one.

Run on an idle machine with at least two cores: `python benchmarks/executor_speed.py`. Every round
goes through all executors in turn: candidates that do nothing, then the same real trainings, of
about a second each. The table has medians over the rounds, and of the ratio within each round. An
executor that is not installed has no rows; `--rounds 1` is a quick look.
"""

import argparse
import contextlib
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from evonas import plugins
from evonas.errors import ConfigError
from evonas.executors.executor import Evaluate, Executor, Job, Listener, Pool, Reported
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Outcome

WORKERS = (1, 2)
TRAININGS, EPOCHS = 8, 10
STARTS = 40

Row = tuple[str, int]
"""An executor's name and its number of workers."""


def train(job: Job, listener: Listener) -> Outcome:
    """Train a small convolutional network on noise the size of scikit-learn's digits."""
    torch.manual_seed(job.birth.seed)
    images = torch.randn(1797, 1, 8, 8)
    labels = torch.randint(10, (1797,))
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss = torch.zeros(())
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        listener(Reported(job.number, epoch, {"loss": loss.item()}))
    return Evaluation({"loss": loss.item()})


def nothing(_: Job, __: Listener) -> Outcome:
    """Cost nothing but the executor's own time."""
    return Evaluation({})


def ignore(_: Reported) -> None:
    """Hear nothing."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    overheads: dict[Row, list[float]] = {}
    walls: dict[Row, list[float]] = {}
    for _ in range(rounds):
        for row, executor in executors().items():
            with contextlib.suppress(ConfigError):  # not installed
                overheads.setdefault(row, []).append(seconds(executor, nothing, STARTS) / STARTS)
                walls.setdefault(row, []).append(seconds(executor, train, TRAININGS))
    print(f"| executor | workers | ms a candidate | s for {TRAININGS} trainings | times one |")
    print("|---|---|---|---|---|")
    for (name, workers), found in walls.items():
        overhead = 1000 * statistics.median(overheads[name, workers])
        ones = walls[name, WORKERS[0]]
        ratio = statistics.median(one / wall for one, wall in zip(ones, found, strict=True))
        wall = statistics.median(found)
        print(f"| {name} | {workers} | {overhead:.2f} | {wall:.2f} | {ratio:.2f} |")


def executors() -> dict[Row, Executor]:
    """Return what is registered, with one worker and with two where that can be said."""
    made: dict[Row, Executor] = {("serial", 1): plugins.construct(Executor, "serial", "executor")}
    for name in sorted(set(plugins.names(Executor)) - {"serial"}):
        for workers in WORKERS:
            table = {"name": name, "workers": workers}
            made[name, workers] = plugins.construct(Executor, table, "executor")
    return made


def seconds(executor: Executor, evaluate: Evaluate, num_jobs: int) -> float:
    """Return the wall-clock seconds of `num_jobs` jobs, the executor's own start left out."""
    with contextlib.closing(executor.start(evaluate, ignore)) as pool:
        finish(pool, max(WORKERS))
        start = time.perf_counter()
        finish(pool, num_jobs)
        return time.perf_counter() - start


def finish(pool: Pool, num_jobs: int) -> None:
    """Evaluate so many jobs, all submitted at once."""
    for number in range(num_jobs):
        pool.submit(Job(number, Birth(Genome(), "seed", (), number)))
    for _ in range(num_jobs):
        outcome = pool.next_finished().outcome
        assert isinstance(outcome, Evaluation), outcome


if __name__ == "__main__":
    import executor_speed  # by its name, as workers on other machines import it

    executor_speed.main()
