"""One candidate from birth to outcome: build, inherit, train, measure, store."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import index
from pathlib import Path
from traceback import format_exception
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices, measure, plugins, seeds, store, teachers
from evonas.cohort_networks import read_out
from evonas.cohort_table import CohortTable
from evonas.cohorts import Cohorts
from evonas.config import Run
from evonas.errors import StoreError
from evonas.executors.executor import Job, Reported
from evonas.genome import Genome
from evonas.history import (
    Cost,
    Evaluation,
    Failure,
    Limit,
    Objective,
    Outcome,
    over_limits,
)
from evonas.latency import latency
from evonas.models import fresh_model
from evonas.morph.build import build
from evonas.morph.density import sparsity
from evonas.networks import Signatures
from evonas.space import SearchSpace
from evonas.state import State
from evonas.teachers import kept_teachers
from evonas.trainer import Context, Stopped, Trained, Trainer
from evonas.trial import Trial, check_prunes, trial


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
        spares_seed: Whether the first candidate may break them, to be pruned into them.
        cohort: With whom candidates learn, if with anyone.
        inherit: Whether children start from their parents' weights.
        precision: See `evonas.devices.precision`.
    """

    space: SearchSpace
    trainer: Trainer
    folder: Path
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    spares_seed: bool
    cohort: CohortTable | None
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
            spares_seed=run.pruning is not None,
            cohort=run.cohort,
            inherit=run.inherit,
            precision=run.precision,
        )

    def __call__(self, job: Job, report: Callable[[Reported], None]) -> Outcome:
        """Evaluate one job. An exception of a plug-in is an outcome."""
        start = time.process_time()
        watch = _Watch(job, report, self.objectives[0])
        try:
            outcome = self._evaluate(job, watch)
        except Exception as error:  # noqa: BLE001 - one candidate must not end the search
            outcome = _failure(error)
        cost = replace(outcome.cost, seconds=time.process_time() - start)
        return replace(outcome, cost=cost, curve=tuple(watch.curve))

    def files(self, job: Job) -> Mapping[str, Path]:
        """Return the files of the run that a job reads, by their paths in its folder."""
        weights = [digest for _, digest in job.parents]
        weights += [teacher.weights for teacher in kept_teachers(self.folder).values()]
        paths = [self.folder / name for name in (*store.SHARED, teachers.FILE)]
        paths += [store.weights_path(self.folder, digest) for digest in weights]
        return {str(path.relative_to(self.folder)): path for path in paths if path.exists()}

    def moved(self, folder: Path) -> "Evaluator":
        """Return the same evaluator with its files in another folder."""
        return replace(self, folder=folder)

    def _evaluate(self, job: Job, watch: "_Watch") -> Outcome:
        """Evaluate one job; the caller adds how long it took and what was reported."""
        trainer = plugins.with_settings(self.trainer, job.birth.genome.settings)
        prepared = store.load_prepared(self.folder)
        assert prepared is not None, "the engine prepares before it evaluates"
        signatures = trainer.signatures(prepared)
        cohorts = self._cohorts(signatures)
        found = trial(self.space, job.birth.genome, self._parent(job, signatures, cohorts))
        if isinstance(found, Failure):
            return found
        if cohorts is not None and (reason := cohorts.refusal(found.genome, trainer)):
            return Failure("infeasible", reason)
        device = devices.best()
        model = fresh_model(self.space, job.birth.genome, job.birth.seed).to(device)
        sizes = self._sizes(job.birth.genome, model, signatures, device)
        broken = over_limits(sizes, self.limits)
        if broken and not (self.spares_seed and job.number == 0):
            return Failure("infeasible", broken)
        macs = sizes["macs"]
        if found.plan is not None:
            check_prunes(trainer, [found.plan.schedule])
            model = fresh_model(self.space, found.genome, job.birth.seed).to(device)
            macs = measure.static(model, signatures)["macs"]
        context = self._context(device, job, found, prepared, watch)
        if context.inherited is not None:
            model.load_state_dict(dict(context.inherited.own.tensors))
        if cohorts is not None:
            context = cohorts.lent(context, found.genome, trainer, model)
        trained = trainer.train(model, context)
        spent = 3 * macs * trained.samples + trained.extra_macs
        cost = Cost(trained.samples, spent)
        return self._evaluation(trained, {**sizes, **_sparsity(found, trained, macs)}, cost, job)

    def _cohorts(self, signatures: Signatures) -> Cohorts | None:
        """Return the cohorts of the search, if it has any."""
        if self.cohort is None:
            return None
        return Cohorts.of(self.cohort, self.space, signatures, self.folder)

    def _parent(self, job: Job, signatures: Signatures, cohorts: Cohorts | None) -> Genome:
        """Return the genome whose edits the candidate's own ones follow."""
        if job.parents:
            return job.parents[0][0]
        seed = self.space.seed(signatures)
        return seed if cohorts is None else cohorts.seed(seed)

    def _sizes(
        self, genome: Genome, model: nn.Module, signatures: Signatures, device: torch.device
    ) -> dict[str, float]:
        """Measure the candidate, and what else its cohort hands over."""
        sizes = self._sizes_of(model, "", signatures, device)
        for ending, view in read_out(genome).items():
            if ending:
                with devices.seeded(0, torch.device("cpu")):  # these weights compute nothing
                    network = build(view).to(device)
                sizes |= self._sizes_of(network, ending, signatures, device)
        return sizes

    def _sizes_of(
        self, model: nn.Module, ending: str, signatures: Signatures, device: torch.device
    ) -> dict[str, float]:
        """Measure what is always wanted, and the slower measures only where they are asked for."""
        wanted = {aim.name for aim in (*self.objectives, *self.limits)}
        sizes = dict(measure.static(model, signatures))
        if f"latency{ending}" in wanted:
            reference = store.load_reference(self.folder)
            assert reference is not None, "the engine measures the reference where latency counts"
            sizes["latency"] = latency(model, signatures, device, reference)
        if f"memory{ending}" in wanted:
            sizes["memory"] = measure.peak_memory(model, signatures, device)
        return {f"{name}{ending}": size for name, size in sizes.items()}

    def _context(
        self,
        device: torch.device,
        job: Job,
        found: Trial,
        prepared: Mapping[str, Tensor],
        watch: "_Watch",
    ) -> Context:
        precision = devices.precision(self.precision, device)
        state = self._inherited(job, found.genome)
        return Context(
            device,
            precision,
            job.birth.seed,
            prepared,
            state,
            watch,
            found.plan,
            parts=job.parts,
        )

    def _inherited(self, job: Job, genome: Genome) -> State | None:
        """Return the state in which the training of `genome` starts, or None for a fresh one."""
        if not self.inherit or not job.parents:
            return None
        parents = [(one, store.load_state(self.folder, digest)) for one, digest in job.parents]
        return self.space.inherit(genome, parents, seeds.stream(job.birth.seed, "weights"))

    def _evaluation(
        self, trained: Trained, sizes: Mapping[str, float], cost: Cost, job: Job
    ) -> Evaluation:
        metrics = {name: float(value) for name, value in {**sizes, **trained.metrics}.items()}
        _check_finite(metrics, "")
        weights = "" if trained.state is None else store.store_state(self.folder, trained.state)
        return Evaluation(metrics, cost, weights, stopped=trained.stopped, parts=job.parts)


@final
class _Watch:
    """What a trainer's reports go through: the curve, the live view, early stopping."""

    def __init__(self, job: Job, report: Callable[[Reported], None], first: Objective) -> None:
        self._job, self._report, self._first = job, report, first
        self.curve: list[tuple[int, Mapping[str, float]]] = []

    def __call__(self, step: int, /, **metrics: float) -> None:
        told = {name: float(value) for name, value in metrics.items()}
        _check_finite(told, f" at step {step}")
        self._report(Reported(self._job.number, index(step), told))
        self.curve.append((index(step), told))
        worst = self._job.stop_at.get(step)
        if worst is not None and self._first.name in told:
            sign = 1 if self._first.direction == "min" else -1
            if sign * told[self._first.name] > worst:
                raise Stopped


def _sparsity(found: Trial, trained: Trained, macs: float) -> Mapping[str, float]:
    """Return what `evonas.morph.density` says of a candidate that has lost single weights."""
    if found.plan is None or not found.plan.weights or trained.state is None:
        return {}
    return sparsity(found.genome, found.plan.weights, trained.state.tensors, macs)


def _check_finite(metrics: Mapping[str, float], when: str) -> None:
    """Check that every metric is a number.

    Raises:
        FloatingPointError: naming the first that is none.
    """
    if broken := [name for name, value in metrics.items() if not math.isfinite(value)]:
        raise FloatingPointError(f"{broken[0]} is not finite{when}")


def _failure(error: Exception) -> Failure:
    """Return an exception as what it means for the search."""
    message = (str(error).splitlines() or [""])[0]
    match error:
        case FloatingPointError():
            return Failure("diverged", message)
        case MemoryError() | torch.OutOfMemoryError():
            return Failure("memory", message or "out of memory")
        case RuntimeError() if "DefaultCPUAllocator" in message:  # torch has no type for it
            return Failure("memory", message)
        case StoreError():
            return Failure("storage", message)
        case _:
            return Failure(
                "error", f"{type(error).__name__}: {message}", "".join(format_exception(error))
            )
