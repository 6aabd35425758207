"""Neural SDEs: exact gradients and their price, noise, critics, and a search for architectures.

    python benchmarks/neural_sde.py [--quick] [gradients time noise critics search latent]

- `gradients`: of each solver's adjoint against autograd through its own steps, in float64, for
  steps 2^-k, 32 states, 16 noises, 32 paths: sum of absolute differences over sum of gradients;
- `time`: of forward and backward for one unit of time, processor seconds, all solvers in turn in
  each repeat; ratios are within a repeat, and the median is shown;
- `noise`: Brownian Interval against the dyadic tree, for n steps of 2560 numbers each;
- `critics`: clipping against the gradient penalty for as many steps, on the Ornstein-Uhlenbeck
  benchmark: processor time a step, and the distance to test series that nothing was chosen by;
- `search`: the best of a search by validation, its best birth trained once more for four times as
  long, against the default architecture, trained for as many multiply-accumulates as all of that;
  both are judged on the test once;
- `latent`: the same for latent SDEs, by the loss in nats an observed number.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torchsde
from paired import Contrast, Record, contrast_table, summary
from torch import Tensor, nn

from evonas import api, measure, seeds, store
from evonas.history import Cost
from evonas.models import fresh_model
from evonas.plugins import from_table
from evonas.trainer import Context
from evonas_spaces.sde import Sde
from evonas_trainers.generative.neural_sde import NeuralSde
from evonas_trainers.generative.sde import reversible_heun, torch_sde
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Equation, Grid

STATE, NOISE, BATCH = 32, 16, 32
DATA: Mapping[str, Any] = {
    "data": "ornstein-uhlenbeck",
    "hidden": 8,
    "noise": 2,
    "batch_size": 128,
    "judged": 800,
}
Solve = Callable[[Equation, Tensor, Grid, Brownian], Tensor]


def adjoint(solver: str) -> Solve:
    """Return torchsde's solver with its adjoint."""
    return lambda equation, start, grid, noise: torch_sde.solved(
        solver, equation, start, grid, noise.motion
    )


def taped(solver: str) -> Solve:
    """Return torchsde's solver with every step kept."""

    def solve(equation: Equation, start: Tensor, grid: Grid, noise: Brownian) -> Tensor:
        times = torch.arange(grid.observations, dtype=start.dtype)
        sde: Any = torch_sde.Stratonovich(equation)
        found: Any = torchsde.sdeint(
            sde, start, times, bm=noise.motion, method=solver, dt=grid.step
        )
        return found

    return solve


PAIRS: Mapping[str, tuple[Solve, Solve]] = {
    "reversible Heun, ours": (reversible_heun.solved, reversible_heun.unrolled),
    "reversible Heun, torchsde": (adjoint("reversible_heun"), taped("reversible_heun")),
    "midpoint": (adjoint("midpoint"), taped("midpoint")),
    "Heun": (adjoint("heun"), taped("heun")),
    "Euler-Heun": (adjoint("euler_heun"), taped("euler_heun")),
}


def fields(dtype: torch.dtype, width: int) -> Equation:
    """Return an equation whose fields are perceptrons of one hidden layer."""
    torch.manual_seed(0)
    made = [
        nn.Sequential(nn.Linear(1 + STATE, width), nn.SiLU(), nn.Linear(width, out), nn.Tanh())
        for out in (STATE, STATE * NOISE)
    ]
    drift, diffusion = nn.ModuleList(made).to(dtype)

    def at(now: float, state: Tensor) -> tuple[Tensor, Tensor]:
        timed = torch.cat([state.new_full((len(state), 1), now), state], 1)
        return drift(timed), diffusion(timed).unflatten(1, (STATE, NOISE))

    return Equation(at, "general", [p for one in made for p in one.parameters()])


def gradient(solve: Solve, exponent: int) -> Tensor:
    """Return the gradients of the end's sum of squares, as one vector."""
    equation, grid = fields(torch.float64, 32), Grid(2, exponent)
    start = torch.randn(BATCH, STATE, generator=torch.Generator().manual_seed(1)).double()
    start.requires_grad_()
    loss = solve(equation, start, grid, Brownian(grid, NOISE, 0, start))[-1].square().sum()
    found = torch.autograd.grad(loss, (start, *equation.parameters))
    return torch.cat([one.flatten() for one in found])


def show_gradients(exponents: Sequence[int]) -> None:
    """Print the errors of the gradients."""
    print(f"| solver | {' | '.join(f'k = {k}' for k in exponents)} |")
    print("|---" * (1 + len(exponents)) + "|")
    for name, (goes_back, keeps) in PAIRS.items():
        errors = []
        for exponent in exponents:
            one, other = gradient(goes_back, exponent), gradient(keeps, exponent)
            errors.append(f"{float((one - other).abs().sum() / other.abs().sum()):.1e}")
        print(f"| {name} | {' | '.join(errors)} |", flush=True)


def seconds(solve: Solve, equation: Equation, grid: Grid) -> tuple[float, int]:
    """Return the processor time of forward and backward, and the evaluations in them."""
    equation.evaluations = 0
    start = torch.zeros(BATCH, STATE, requires_grad=True)
    begun = time.process_time()
    path = solve(equation, start, grid, Brownian(grid, NOISE, 0, start))
    _ = torch.autograd.grad(path[-1].square().sum(), (start, *equation.parameters))
    return time.process_time() - begun, equation.evaluations


def show_time(exponents: Sequence[int], repeats: int) -> None:
    """Print the times, and midpoint's over each."""
    print("| steps | width | solver | evaluations | ms | midpoint's time over it |")
    print("|---|---|---|---|---|---|")
    names = list(PAIRS)[:3]
    for exponent in exponents:
        for width in (32, 256):
            equation = fields(torch.float32, width)
            rows = [
                {name: seconds(PAIRS[name][0], equation, Grid(2, exponent)) for name in names}
                for _ in range(repeats + 1)
            ][1:]
            for name in names:
                spent = statistics.median(row[name][0] for row in rows)
                ratio = statistics.median(row["midpoint"][0] / row[name][0] for row in rows)
                cells = (2**exponent, width, name, rows[0][name][1], f"{1000 * spent:.0f}")
                print(f"| {' | '.join(map(str, cells))} | {ratio:.2f} |", flush=True)


def access(motion: Any, order: str, number: int) -> float:
    """Return the processor time of asking for all increments."""
    steps = list(range(number))
    if order == "there and back":
        steps += steps[::-1]
    if order == "random":
        seeds.stream(0, "order").shuffle(steps)
    begun = time.process_time()
    for step in steps:
        _ = motion(step / number, (step + 1) / number)
    return time.process_time() - begun


def show_noise(numbers: Sequence[int]) -> None:
    """Print the times of the interval and the tree."""
    print("| steps | order | interval, ms | tree, ms | ratio |\n|---|---|---|---|---|")
    zero = torch.zeros(2560, 1)
    for number in numbers:
        for order in ("in turn", "there and back", "random"):
            spent: list[float] = []
            for tree in (False, True):
                motion: Any = (
                    torchsde.BrownianTree(0.0, zero, 1.0, entropy=0, tol=1e-6)
                    if tree
                    else torchsde.BrownianInterval(
                        0.0, 1.0, size=(2560, 1), dtype=zero.dtype, entropy=0, dt=1 / number
                    )
                )
                spent.append(1000 * access(motion, order, number))
            print(
                f"| {number} | {order} | {spent[0]:.1f} | {spent[1]:.1f} |"
                f" {spent[1] / spent[0]:.1f} |",
                flush=True,
            )


def context(prepared: Mapping[str, Tensor], seed: int) -> Context:
    """Return what a trainer wants, on the CPU and without anyone to report to."""
    device = torch.device("cpu")
    return Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)


def trained(trainer: NeuralSde, seed: int) -> tuple[Mapping[str, float], Cost, float]:
    """Train the default architecture; return test metrics, cost, and processor time of a step."""
    prepared, space = trainer.prepare(seed), Sde()
    signatures = trainer.signatures(prepared)
    model = fresh_model(space, space.seed(signatures), seed)
    begun = time.process_time()
    found = trainer.train(model, context(prepared, seed))
    spent = time.process_time() - begun
    macs = 3 * measure.static(model, signatures)["macs"] * found.samples + found.extra_macs
    cost = Cost(found.samples, macs)
    return trainer.test(model, context(prepared, seed)), cost, 1000 * spent / trainer.steps


def record(arm: str, seed: int, metrics: Mapping[str, float], **others: float) -> Record:
    """Return one row, distances in thousandths."""
    shown = {"distance": 1000 * metrics["distance"], "energy": 1000 * metrics["energy"]}
    if "loss" in metrics:
        shown["loss"] = metrics["loss"]
    return {"arm": arm, "seed": seed, **shown, **others}


def show_critics(num_seeds: int, steps: int) -> None:
    """Print clipping against the penalty."""
    records: list[Record] = []
    warm = {**DATA, "steps": 1, "reports": 1}
    _ = trained(from_table(NeuralSde, warm, "trainer"), 0)  # what is imported late
    for seed in range(num_seeds):
        for arm in ("clip", "penalty"):
            table = {**DATA, "steps": steps, "reports": 1, "adversaries": {"lipschitz": arm}}
            metrics, _, spent = trained(from_table(NeuralSde, table, "trainer"), seed)
            records.append(record(arm, seed, metrics, ms=spent))
    print(summary(records, ("clip", "penalty"), {"ms": 1, "distance": 1, "energy": 1}), "\n")
    asked = [Contrast(metric, "clip", "penalty") for metric in ("ms", "distance", "energy")]
    print(contrast_table(records, asked, seeds.stream(0, "critics")))


def searched(model: str, seed: int, births: int, steps: int) -> tuple[Mapping[str, float], float]:
    """Search; return the test metrics of the best by validation, and the cost of all births."""
    run = {
        "births": births,
        "seed": seed,
        "lookahead": 1,
        "objectives": {"fitness": "max"},
        "space": "sde",
        "trainer": {
            **DATA,
            "name": "neural-sde",
            "model": model,
            "steps": steps,
            "reports": 1,
        },
        "controller": {"name": "eena", "population": 5},
        "final": {"members": 1, "steps": 4 * steps},
        "executor": "serial",
        "tracker": "none",
        "durability": "flush",
    }
    with tempfile.TemporaryDirectory() as folder:
        found = api.search(run, out=Path(folder) / "run")
        prepared = store.load_prepared(found.folder)
        assert prepared is not None
        trainer = from_table(NeuralSde, {**DATA, "model": model}, "trainer")
        metrics = trainer.test(found.best().model(), context(prepared, seed))
        return metrics, sum(one.outcome.cost.macs for one in found.history)


def show_search(model: str, num_seeds: int, births: int, steps: int) -> None:
    """Print the search against the default architecture."""
    judged = ("loss", "distance") if model == "latent" else ("distance", "energy")
    records: list[Record] = []
    for seed in range(num_seeds):
        metrics, macs = searched(model, seed, births, steps)
        records.append(record("evolved", seed, metrics, gigamacs=macs / 1e9))
        table = {**DATA, "model": model, "steps": 1, "reports": 1}
        _, one_step, _ = trained(from_table(NeuralSde, table, "trainer"), seed)
        table["steps"] = round(macs / one_step.macs)
        metrics, cost, _ = trained(from_table(NeuralSde, table, "trainer"), seed)
        records.append(record("default", seed, metrics, gigamacs=cost.macs / 1e9))
    digits = {"gigamacs": 1, **{name: 2 if name == "loss" else 1 for name in judged}}
    print(summary(records, ("evolved", "default"), digits), "\n")
    asked = [Contrast(metric, "evolved", "default") for metric in judged]
    print(contrast_table(records, asked, seeds.stream(0, "search")))


def main() -> None:
    """Print the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all by default")
    parser.add_argument("--quick", action="store_true", help="see whether it runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in options.parts or PARTS:
        print(f"\n{part}\n")
        PARTS[part](options.quick)


PARTS: Mapping[str, Callable[[bool], None]] = {
    "gradients": lambda quick: show_gradients((0, 2) if quick else (0, 2, 4, 6, 8)),
    "time": lambda quick: show_time((2,) if quick else (4, 6, 8), 1 if quick else 5),
    "noise": lambda quick: show_noise((10,) if quick else (10, 100, 1000)),
    "critics": lambda quick: show_critics(*((2, 2) if quick else (8, 150))),
    "search": lambda quick: show_search("gan", *((2, 3, 2) if quick else (5, 12, 40))),
    "latent": lambda quick: show_search("latent", *((2, 3, 2) if quick else (5, 12, 40))),
}

if __name__ == "__main__":
    main()
