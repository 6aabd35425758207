"""The six kinds of plug-ins, by the name that a user gives a kind."""

from collections.abc import Mapping
from typing import Any

from evonas.controllers.controller import Controller
from evonas.executors.executor import Executor
from evonas.morph.mutation import Mutation
from evonas.space import SearchSpace
from evonas.tracking.tracker import Tracker
from evonas.trainer import Trainer

CONTRACTS: Mapping[str, type[Any]] = {
    "spaces": SearchSpace,
    "trainers": Trainer,
    "mutations": Mutation,
    "controllers": Controller,
    "executors": Executor,
    "trackers": Tracker,
}
