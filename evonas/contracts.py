"""The kinds of plug-ins, by the name that a user gives a kind."""

import inspect
from collections.abc import Mapping
from typing import Any

from evonas.aggregation import Aggregation
from evonas.cohort_preset import CohortPreset
from evonas.controllers.controller import Controller
from evonas.executors.executor import Executor
from evonas.morph.mutation import Mutation
from evonas.preset import Preset
from evonas.sampling import Sampler
from evonas.space import SearchSpace
from evonas.tracking.tracker import Tracker
from evonas.trainer import Trainer
from evonas.transfer import Transfer

CONTRACTS: Mapping[str, type[Any]] = {
    "spaces": SearchSpace,
    "trainers": Trainer,
    "mutations": Mutation,
    "presets": Preset,
    "cohorts": CohortPreset,
    "transfer": Transfer,
    "aggregators": Aggregation,
    "samplers": Sampler,
    "controllers": Controller,
    "executors": Executor,
    "trackers": Tracker,
}


def source_of(cls: type[Any]) -> str:
    """Return the paper or source that a plug-in class names, or the empty string."""
    return str(getattr(cls, source_attribute(cls), ""))


def source_attribute(cls: type[Any]) -> str:
    """Return which attribute the class's contract wants the source in, if any."""
    wanted = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
    return next((name for name in ("paper", "source") if name in wanted), "")
