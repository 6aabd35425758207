"""One candidate from birth to outcome: build, inherit, train, measure, store."""

import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices, measure, plugins, seeds, store
from evonas.config import Run
from evonas.executors.executor import Job, Reported
from evonas.genome import Genome
from evonas.history import Cost, Evaluation, Failure, Individual, Limit, Objective, Outcome
from evonas.networks import Signatures
from evonas.space import SearchSpace
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer


@final
@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates jobs of one search, in any process.

    Attributes:
        space: Builds the candidates.
        trainer: Trains them; each birth's settings replace its fields.
        folder: Of the run.
        objectives: The first is what early stopping looks at.
        limits: Checked before training.
        inherit: Whether children start from their parents' weights.
        precision: See `evonas.devices.precision`.
    """

    space: SearchSpace
    trainer: Trainer
    folder: Path
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    inherit: bool
    precision: devices.Precision

    @classmethod
    def of(cls, run: Run, folder: Path) -> "Evaluator":
        """Return the evaluator of a run, with its weights in `folder`."""
        return cls(
            space=run.space,
            trainer=run.trainer,
            folder=folder,
            objectives=tuple(run.objectives),
            limits=tuple(run.limits),
            inherit=run.inherit,
            precision=run.precision,
        )

    def __call__(self, job: Job, report: Callable[[Reported], None]) -> Outcome:
        """Evaluate one job. An exception of a plug-in is an outcome."""
        start = time.process_time()
        watch = _Watch(job, report, self.objectives[0])
        try:
            return self._evaluate(job, watch, start)
        except FloatingPointError as error:
            return Failure("diverged", str(error), cost=_spent(start))
        except (MemoryError, torch.OutOfMemoryError) as error:
            return Failure("memory", str(error) or "out of memory", cost=_spent(start))
        except Exception as error:  # noqa: BLE001 - one candidate must not end the search
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            return Failure("error", message, traceback.format_exc(), _spent(start))

    def _evaluate(self, job: Job, watch: "_Watch", start: float) -> Outcome:
        genome = job.birth.genome
        trainer = plugins.with_settings(self.trainer, genome.settings)
        prepared = store.load_prepared(self.folder)
        assert prepared is not None, "the engine prepares before it evaluates"
        signatures = trainer.signatures(prepared)
        model = fresh_model(self.space, genome, job.birth.seed)
        state = self._inherited(job)
        if state is not None:
            model.load_state_dict(dict(state.tensors))
        device = devices.best()
        model = model.to(device)
        sizes = self._sizes(model, signatures, device)
        if broken := over_limits(sizes, self.limits):
            return Failure("infeasible", broken, cost=_spent(start))
        context = self._context(device, job, prepared, state, watch)
        trained = trainer.train(model, context)
        return self._evaluation(trained, sizes, watch, start)

    def _inherited(self, job: Job) -> State | None:
        if not self.inherit or not job.parents:
            return None
        parents = [
            (genome, store.load_state(self.folder, digest)) for genome, digest in job.parents
        ]
        rng = seeds.stream(job.birth.seed, "weights")
        return self.space.inherit(job.birth.genome, parents, rng)

    def _sizes(
        self, model: nn.Module, signatures: Signatures, device: torch.device
    ) -> dict[str, float]:
        """Measure what is always wanted, and the slower measures only where they are asked for."""
        wanted = {objective.name for objective in self.objectives}
        wanted |= {limit.name for limit in self.limits}
        sizes = dict(measure.static(model, signatures))
        if "latency" in wanted:
            sizes["latency"] = measure.latency(model, signatures, device)
        if "memory" in wanted:
            sizes["memory"] = measure.peak_memory(model, signatures, device)
        return sizes

    def _context(
        self,
        device: torch.device,
        job: Job,
        prepared: Mapping[str, Tensor],
        state: State | None,
        watch: "_Watch",
    ) -> Context:
        precision = devices.precision(self.precision, device)
        return Context(device, precision, job.birth.seed, prepared, state, watch)

    def _evaluation(
        self, trained: Trained, sizes: Mapping[str, float], watch: "_Watch", start: float
    ) -> Outcome:
        metrics = {name: float(value) for name, value in {**sizes, **trained.metrics}.items()}
        if broken := [name for name, value in metrics.items() if not math.isfinite(value)]:
            return Failure("diverged", f"{broken[0]} is not finite", cost=_spent(start))
        weights = "" if trained.state is None else store.store_state(self.folder, trained.state)
        macs = 3 * sizes.get("macs", 0.0) * trained.samples
        cost = Cost(trained.samples, macs, time.process_time() - start)
        return Evaluation(metrics, cost, weights, tuple(watch.curve), trained.stopped)


@final
class _Watch:
    """What a trainer's reports go through: the curve, the live view, early stopping."""

    def __init__(self, job: Job, report: Callable[[Reported], None], first: Objective) -> None:
        self._job, self._report, self._first = job, report, first
        self.curve: list[tuple[int, Mapping[str, float]]] = []

    def __call__(self, step: int, /, **metrics: float) -> None:
        if broken := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise FloatingPointError(f"{broken[0]} is not finite at step {step}")
        self.curve.append((step, metrics))
        self._report(Reported(self._job.number, step, metrics))
        worst = self._job.stop_at.get(step)
        if worst is not None and self._first.name in metrics:
            sign = 1 if self._first.direction == "min" else -1
            if sign * metrics[self._first.name] > worst:
                raise Stopped


def fresh_model(space: SearchSpace, genome: Genome, seed: int) -> nn.Module:
    """Build a candidate with weights that depend on `seed` alone."""
    with devices.seeded(seed, torch.device("cpu")):
        return space.build(genome)


def trained_model(space: SearchSpace, folder: Path, one: Individual) -> nn.Module:
    """Build an evaluated individual with its trained weights, ready for inference.

    Raises:
        StoreError: if the weights are not kept.
    """
    assert isinstance(one.outcome, Evaluation), "only what was evaluated has weights"
    model = fresh_model(space, one.birth.genome, 0)
    model.load_state_dict(dict(store.load_state(folder, one.outcome.weights).tensors))
    return model.eval()


def over_limits(sizes: Mapping[str, float], limits: tuple[Limit, ...]) -> str:
    """Say which limit is broken, or nothing."""
    for limit in limits:
        if limit.name in sizes and sizes[limit.name] > limit.maximum:
            return f"{limit.name} {sizes[limit.name]:.6g} exceed the limit {limit.maximum:.6g}"
    return ""


def _spent(start: float) -> Cost:
    return Cost(seconds=time.process_time() - start)
