"""How much faster two workers are than one, and what a process for each candidate costs.

Run on an idle machine with at least two cores: `python benchmarks/executor_speed.py`. The same
candidates, each a real training of about two seconds, are evaluated in turns by the calling
process, by one worker and by two; the best of three rounds counts.
"""

import time

import torch
from torch import nn
from torch.nn import functional as F

from evonas.executors.executor import Evaluate, Executor, Job, Listener, Reported
from evonas.executors.processes import Processes
from evonas.executors.serial import Serial
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Outcome

EXECUTORS: dict[str, Executor] = {
    "serial": Serial(),
    "processes, 1 worker": Processes(workers=1),
    "processes, 2 workers": Processes(workers=2),
}
CANDIDATES, EPOCHS, ROUNDS = 4, 15, 3
STARTS = 40


def train(job: Job, listener: Listener) -> Outcome:
    """Train a small convolutional network on noise the size of scikit-learn's digits."""
    torch.set_num_threads(1)
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
    """Print both tables."""
    walls: dict[str, list[float]] = {name: [] for name in EXECUTORS}
    for _ in range(ROUNDS):
        for name, executor in EXECUTORS.items():
            walls[name].append(seconds(executor, train, CANDIDATES))
    one = min(walls["processes, 1 worker"])
    print(f"| executor | seconds for {CANDIDATES} trainings | times one worker |\n|---|---|---|")
    for name, found in walls.items():
        print(f"| {name} | {min(found):.2f} | {one / min(found):.2f} |")
    print("\n| executor | ms a candidate that does nothing |\n|---|---|")
    for name, executor in EXECUTORS.items():
        print(f"| {name} | {1000 * seconds(executor, nothing, STARTS) / STARTS:.2f} |")


def seconds(executor: Executor, evaluate: Evaluate, num_jobs: int) -> float:
    """Return the wall-clock seconds of `num_jobs` jobs, the executor's own start left out."""
    pool = executor.start(evaluate, ignore)
    try:
        pool.submit(job(0))
        pool.next_finished()
        start = time.perf_counter()
        for number in range(num_jobs):
            pool.submit(job(number))
        for _ in range(num_jobs):
            pool.next_finished()
        return time.perf_counter() - start
    finally:
        pool.close()


def job(number: int) -> Job:
    """Return a job without a genome."""
    return Job(number, Birth(Genome(), "seed", (), number))


if __name__ == "__main__":
    main()
