"""The run file: TOML in, constructed frozen parts out, with errors that say what to write."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

from optuna.distributions import BaseDistribution

from evonas import plugins
from evonas.aims import limits_of, objectives_of
from evonas.cohort_table import CohortTable
from evonas.controllers.controller import Controller
from evonas.errors import ConfigError, unknown
from evonas.executors.executor import Executor
from evonas.genome.settings import gene_from_table
from evonas.history import Limit, Objective, Order
from evonas.overrides import put
from evonas.pruning_table import Pruning
from evonas.space import SearchSpace
from evonas.store import Durability
from evonas.tracking.tracker import Tracker
from evonas.trainer import Trainer, check_rule

Table = Mapping[str, Any]

DEFAULTS: Table = {
    "seed": 0,
    "lookahead": 8,
    "space": "eena",
    "controller": "eena",
    "executor": "processes",
    "tracker": "mlflow",
}


@final
@dataclass(frozen=True, kw_only=True)
class Median:
    """Stop a candidate early whose first objective is worse than most had it at the same step.

    The rule of the median (Golovin et al., Google Vizier, KDD 2017), on what is in the history when
    the candidate is born.

    Attributes:
        after: Number of evaluated candidates before anything is stopped.
        warmup: Reports of a candidate before it may be stopped; an edit needs time to settle.
    """

    after: int = 10
    warmup: int = 1


@final
@dataclass(frozen=True, kw_only=True)
class Final:
    """What becomes of the front when the last birth is evaluated.

    Attributes:
        members: How many of the front's members, best first, are cloned and trained once more.
        settings: Trainer fields of this last training: the learning rate's one anneal, more epochs.
    """

    members: int
    settings: Table = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """One search, ready to start. The attributes are the run file's keys.

    Attributes:
        name: Of the search and of its folder.
        births: How many candidates, the seed included; None for no bound.
        hours: How long at most; nothing is proposed after that.
        seed: Of every draw of the search.
        lookahead: Births proposed ahead of the oldest unfinished one. Part of the question, not of
            the machine: as many workers can be busy at most.
        order: Of the history. `birth`: a birth depends on births so far before it, whatever
            finishes first, so the search can be repeated on any machine. `finish`: on all that is
            finished when it is proposed, `lookahead` births being in flight at most; no worker
            waits for a slow candidate, and no search can be repeated.
        space: Where to search.
        trainer: How candidates are trained and judged.
        controller: What is born next.
        executor: Where candidates are evaluated.
        tracker: Which tracking system mirrors the search, if any.
        objectives: What to improve.
        limits: Upper bounds on what is known before training.
        genes: Trainer fields that evolve, by dotted path.
        pruning: How networks are pruned while they train, if they are.
        cohort: With whom candidates learn, if with anyone.
        inherit: Whether children start from their parents' weights (otherwise from scratch).
        precision: Of forward passes: auto, float32 or bfloat16.
        deadline: Seconds a candidate may take.
        stop: Early stopping, if any.
        final: A last training of the front, if any.
        retrain: Trainer fields of the report's training from scratch.
        max_failures: This many failures in a row stop the search.
        durability: Whether each journal line waits for the disk.
        config: The resolved run file, plain data.
    """

    name: str
    births: int | None
    hours: float | None
    seed: int
    lookahead: int
    order: Order
    space: SearchSpace
    trainer: Trainer
    controller: Controller
    executor: Executor
    tracker: Tracker | None
    objectives: Sequence[Objective]
    limits: Sequence[Limit]
    genes: Mapping[str, BaseDistribution]
    pruning: Pruning | None
    cohort: CohortTable | None
    inherit: bool
    precision: Literal["auto", "float32", "bfloat16"]
    deadline: float | None
    stop: Median | None
    final: Final | None
    retrain: Table
    max_failures: int
    durability: Durability
    config: Table


@final
@dataclass(frozen=True, kw_only=True)
class _Plain:
    """The keys of a run file that are plain values, with their defaults."""

    births: int | None = None
    hours: float | None = None
    seed: int = 0
    lookahead: int = 8
    order: Order = "birth"
    inherit: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    deadline: float | None = None
    max_failures: int = 8
    durability: Durability = "fsync"

    def __post_init__(self) -> None:
        if self.births is None and self.hours is None:
            raise ConfigError("give births, hours or both; without a bound a search never ends")
        for name in ("births", "hours", "lookahead", "deadline", "max_failures"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value!r}, should be greater than 0")


_PARTS = ("space", "trainer", "controller", "executor", "tracker")
_TABLES = ("objectives", "limits", "genes", "pruning", "cohort", "stop", "final", "retrain")


def read(path: Path, overrides: Sequence[str] = ()) -> Run:
    """Read a run file, with `a.b=value` overrides; the run is named after it.

    Raises:
        ConfigError: if the file, a key, a name or a value cannot be used.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the run file {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{str(path)!r} is no TOML: {error}") from None
    for override in overrides:
        put(table, override)
    return from_table(table, path.stem)


def from_table(table: Table, name: str) -> Run:
    """Make a run from the table of a run file.

    Raises:
        ConfigError: if a key, a name or a value cannot be used.
    """
    plain = set(_Plain.__dataclass_fields__)
    for key in table:
        if key not in {*plain, *_PARTS, *_TABLES}:
            raise unknown(f"key in {name}:", key, {*plain, *_PARTS, *_TABLES})
    config = {**DEFAULTS, **{key: value for key, value in table.items() if value is not None}}
    tables = {key: _table(key, config.get(key, {})) for key in _TABLES}
    if "trainer" not in config:
        raise ConfigError(f"{name}: there is no trainer; write `[trainer]` with `name` and `data`")
    values = plugins.from_table(_Plain, {k: v for k, v in config.items() if k in plain}, name)
    trainer = plugins.construct(Trainer, config["trainer"], "trainer")
    controller = plugins.construct(Controller, config["controller"], "controller")
    tracker = config["tracker"]
    return Run(
        name=name,
        **{key: getattr(values, key) for key in plain},
        space=plugins.construct(SearchSpace, config["space"], "space"),
        trainer=trainer,
        controller=controller,
        executor=plugins.construct(Executor, config["executor"], "executor"),
        tracker=plugins.construct(Tracker, tracker, "tracker") if tracker != "none" else None,
        objectives=objectives_of(tables["objectives"], trainer, of_views="cohort" in config),
        limits=limits_of(tables["limits"], of_views="cohort" in config),
        genes=_genes(tables["genes"], trainer),
        pruning=_pruning(tables["pruning"], trainer, controller) if "pruning" in config else None,
        cohort=_cohort(tables["cohort"], trainer, controller) if "cohort" in config else None,
        stop=plugins.from_table(Median, tables["stop"], "stop") if "stop" in config else None,
        final=_final(tables["final"], trainer) if "final" in config else None,
        retrain=_trainer_fields(tables["retrain"], trainer),
        config=config,
    )


def question(config: Table) -> Table:
    """Return the part of a resolved run file that a continued search must not change."""
    free = {"births", "hours", "executor", "tracker", "durability", "max_failures", "retrain"}
    return {key: value for key, value in config.items() if key not in free}


def _table(key: str, value: object) -> Table:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}, should be a table: [{key}] or {{ ... }}")
    return {str(name): one for name, one in value.items()}


def _genes(table: Table, trainer: Trainer) -> dict[str, BaseDistribution]:
    for path in table:
        _ = plugins.setting(trainer, path)
        _check_free(path, trainer)
    return {path: gene_from_table(path, _table(f"genes.{path}", table[path])) for path in table}


def _pruning(table: Table, trainer: Trainer, controller: Controller) -> Pruning:
    pruning = plugins.from_table(Pruning, table, "pruning")
    for part, name, can in (
        ("trainer", type(trainer).__name__, bool(trainer.prunes)),
        ("controller", type(controller).__name__, controller.mutates),
    ):
        if not can:
            raise ConfigError(
                f"{part} {name} does not prune; choose one that does, or leave out [pruning]"
            )
    for schedule in pruning.schedules:
        check_rule(trainer, schedule)
    return pruning


def _cohort(table: Table, trainer: Trainer, controller: Controller) -> CohortTable:
    cohort = plugins.from_table(CohortTable, table, "cohort")
    if not trainer.distils:
        raise ConfigError(
            f"trainer {type(trainer).__name__} trains no cohorts; choose one that does, or leave"
            " out [cohort]"
        )
    if not (controller.mutates or cohort.is_fixed):
        raise ConfigError(
            f"controller {type(controller).__name__} does not vary cohorts; choose one that does,"
            " or write operators = [] into [cohort]"
        )
    for name, teacher in cohort.teachers.items():
        try:
            _ = _trainer_fields(teacher.settings, trainer)
        except ConfigError as error:
            raise ConfigError(f"cohort.teachers.{name}.settings: {error}") from None
    return cohort


def _final(table: Table, trainer: Trainer) -> Final:
    settings = {key: value for key, value in table.items() if key != "members"}
    members = table.get("members", 1)
    if type(members) is not int or members < 1:
        raise ConfigError(f"final.members is {members!r}, should be a whole number from 1")
    return Final(members=members, settings=_trainer_fields(settings, trainer))


def _trainer_fields(table: Table, trainer: Trainer) -> Table:
    _ = plugins.with_settings(trainer, table)
    for path in table:
        _check_free(path, trainer)
    return table


def _check_free(path: str, trainer: Trainer) -> None:
    if (name := path.partition(".")[0]) in trainer.fixed:
        raise ConfigError(
            f"field {name!r} of the trainer is the same for all candidates of a search, which would"
            " else neither inherit from nor compare with each other: one search is one species; set"
            " it in [trainer], and make a search for each value"
        )
