"""What a search has found: its history, its front, and what can be done with a candidate."""

import math
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, final

import networkx as nx
from torch import nn

from evonas import store
from evonas.config import Run
from evonas.errors import ConfigError, unknown
from evonas.export import FORMATS, Winner, export, facts, view_of
from evonas.final_test import read_test, test_best
from evonas.genome import Genome
from evonas.genome.params import check_name
from evonas.history import Evaluation, History, Individual, check_metrics
from evonas.lineage import family_tree
from evonas.models import check_fits, trained_model
from evonas.networks import Signatures
from evonas.pictures import pictures_of
from evonas.replay import Replay, replay
from evonas.report.html import html
from evonas.selection import front_of
from evonas.setup import search_info
from evonas.state import State
from evonas.teachers import check_teachers, kept_teachers
from evonas.tracking.tracker import Told, track
from evonas.trust import blaming, check_births, check_extent, check_trusted


@final
@dataclass(frozen=True)
class Found:
    """A search and what it has found so far.

    Attributes:
        folder: The run's folder.
        run: Its question.
        is_trusted: Whether it is the user's own, or trusted like it.
    """

    folder: Path
    run: Run
    is_trusted: bool = True

    @cached_property
    def history(self) -> History:
        """The finished individuals, in the order of the search."""
        history = store.read_journal(self.folder)[0].history(self.run.order)
        check_births((one.birth for one in history), self.run.config)
        check_metrics(history, self.run.objectives)
        return history

    def front(self, limit: Mapping[str, float] | None = None) -> list["Member"]:
        """Return what nothing else beats in every objective, best first objective first."""
        known = self.history.evaluated()
        for name in limit or {}:
            if known and name not in known[0][1].metrics:
                raise unknown("limit", name, known[0][1].metrics)
        inside = [
            one
            for one, evaluation in known
            if all(evaluation.metrics[name] <= top for name, top in (limit or {}).items())
        ]
        with self.blaming():
            front = front_of(inside, self.run.objectives, self.run.limits)
        return [self.member(one.number) for one in front]

    def best(self, limit: Mapping[str, float] | None = None) -> "Member":
        """Return the best by the first objective, within limits on any metric.

        Raises:
            ConfigError: if there is none.
        """
        front = self.front(limit)
        if not front:
            raise ConfigError(f"no candidate of {str(self.folder)!r} is within {limit or 'reach'}")
        return front[0]

    def member(self, number: int) -> "Member":
        """Return one candidate.

        Raises:
            ConfigError: if there is none with this number, or it has no outcome to use.
        """
        try:
            one = self.history.member(number)
        except KeyError:
            latest = max((one.number for one in self.history), default="nowhere yet")
            raise ConfigError(f"there is no candidate {number}; numbers go to {latest}") from None
        if not isinstance(one.outcome, Evaluation):
            raise ConfigError(f"candidate {number} failed ({one.outcome.kind})")
        return Member(self, one, one.outcome)

    def lineage(self, source: Literal["journal", "mlflow"] = "journal") -> "nx.DiGraph[int]":
        """Return the family tree, from the journal or from MLflow alone.

        Raises:
            ConfigError: if the run is not in MLflow.
        """
        history = self.history if source == "journal" else self._mirrored()
        with self.blaming():
            front = front_of(history, self.run.objectives, self.run.limits)
            return family_tree(history, self.run.objectives, [one.number for one in front])

    def report(self, to: Path | None = None, *, test: bool = False) -> Path:
        """Write the HTML report; with `test`, judge the best one on the test data, once a run."""
        run, best = self.run, self.best().individual
        if test:
            self._check_may_train()
        tested = test_best(self.folder, run, best) if test else read_test(self.folder)
        with self.blaming():
            aims = run.objectives
            shown = pictures_of(self.folder, run, best, is_trusted=self.is_trusted)
            page = html(
                self.history, aims, run.name, run.config, tested, limits=run.limits, shown=shown
            )
        path = to or self.folder / "report.html"
        store.write_text(path, page)
        return path

    def replay(self, number: int, told: Callable[[str], None] = lambda _: None) -> Replay:
        """Re-create a candidate from its ancestors and compare it with the record."""
        self._check_may_train()
        with tempfile.TemporaryDirectory() as scratch:
            return replay(self.run, self.folder, self.history, number, Path(scratch), told)

    def track(self, timeout: float = math.inf, told: Told | None = None) -> str:
        """Log to the run's tracking system whatever it does not hold; say what is still missing.

        Raises:
            ConfigError: if the run has no tracker.
        """
        if self.run.tracker is None:
            raise ConfigError(f"run {self.run.name!r} has no tracker; set one in its run file")
        check_trusted(self.folder, self.is_trusted, "its run file says where the data go")
        front = [one.number for one in front_of(self.history, self.run.objectives, self.run.limits)]
        info = search_info(self.run, self.folder, self.signatures)
        missing = track(self.run.tracker, info, self.history, front, timeout, told=told)
        return missing or f"all {len(self.history)} candidates are in the tracking system"

    @property
    def signatures(self) -> Signatures:
        """The networks that a candidate consists of."""
        prepared = store.load_prepared(self.folder)
        if prepared is None:
            raise ConfigError(f"{str(self.folder)!r} has no prepared.safetensors; run it again")
        with self.blaming():
            return self.run.trainer.signatures(prepared)

    def _check_may_train(self) -> None:
        check_trusted(self.folder, self.is_trusted, "this trains as its run file says")
        if self.run.cohort is not None:
            check_teachers(kept_teachers(self.folder), self.run.cohort.needed_teachers)

    def blaming(self) -> AbstractContextManager[None]:
        """Say of whatever goes wrong in a folder of somebody else's that the folder is wrong."""
        return blaming(self.folder, self.is_trusted)

    def _mirrored(self) -> History:
        from evonas.tracking.from_mlflow import history_from_mlflow  # noqa: PLC0415 - slow
        from evonas.tracking.mlflow_tracker import MlflowTracker  # noqa: PLC0415

        tracker = self.run.tracker
        if not isinstance(tracker, MlflowTracker):
            raise ConfigError(f"run {self.run.name!r} is not tracked in MLflow")
        check_trusted(self.folder, self.is_trusted, "its run file says which server is asked")
        return history_from_mlflow(tracker.uri, tracker.experiment, self.run.name)


@final
@dataclass(frozen=True)
class Member:
    """One evaluated candidate of a search."""

    found: Found
    individual: Individual
    evaluation: Evaluation

    @property
    def number(self) -> int:
        """The candidate's number."""
        return self.individual.number

    @property
    def genome(self) -> Genome:
        """What it is."""
        return self.individual.birth.genome

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its validation metrics and sizes."""
        return self.evaluation.metrics

    def state(self) -> State:
        """Return its trained weights.

        Raises:
            StoreError: if they are not kept.
        """
        return store.load_state(self.found.folder, self.evaluation.weights)

    def model(self, view: str | None = None) -> nn.Module:
        """Return the trained network, or a view that its cohort hands over, ready for inference.

        Raises:
            ConfigError: if there is no such view.
        """
        with self.found.blaming():
            if view is None:
                return trained_model(self.found.run.space, self.found.folder, self.individual)
            state = self.state()
            check_fits(self.found.run.space, self.genome, state.own)
            return view_of(self.genome, state, view)[0]

    def export(
        self,
        to: Path | str | None = None,
        form: str | None = None,
        view: str | None = None,
        network: str | None = None,
    ) -> tuple[Path, ...]:
        """Write the trained network, load it back and compare it before returning.

        Args:
            to: The file; by default in the run's folder. The formats `torch` and `onnx`, which hold
                one network a file, add `-NAME` where there are more.
            form: One of `evonas.export.FORMATS`; by default what the file's ending says.
            view: Of the cohort's readout, to be written as a plain network of its own.
            network: Of a candidate of several, to be written as one of its own.

        Returns:
            The files, sorted by name.

        Raises:
            ConfigError: if there is no such view or network.
            ExportError: if the file does not compute what the searched model computes.
        """
        if view and network:
            raise ConfigError("a view is a network of its own; give a view or a network")
        if to is None:
            form = form or "safetensors"
            if form not in FORMATS:
                raise unknown("export format", form, FORMATS)
            check_name(view or network or "candidate")
            name = "-".join(["candidate", str(self.number), *filter(None, (view, network))])
            to = self.found.folder / f"{name}{FORMATS[form].suffix}"
        with self.found.blaming():
            if not self.found.is_trusted:
                check_extent(self.genome.architecture)
            winner = self._winner(view)
            return export(winner if network is None else winner.alone(network), Path(to), form)

    def _winner(self, view: str | None) -> Winner:
        about = facts(self.found.run.name, self.number, self.metrics, view)
        genome = self.genome if view is None else view_of(self.genome, self.state(), view)[1]
        return Winner.of(self.model(view), genome, self.found.signatures, about)
