"""Cohorts met on random walks can be trained: a step, after which what is frozen is as it was."""

from collections.abc import Mapping
from functools import cache

import pytest
import torch
from support.method_walks import walk
from torch import Tensor

from evonas import devices
from evonas.cohort_networks import Start, cohort_plan
from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.models import fresh_model
from evonas.state import State
from evonas.testing.sandbox import same_tensors
from evonas.testing.small_cohorts import SmallCohort
from evonas.trainer import Context
from evonas_trainers.supervised import Supervised

STEPS = 30
TRAINER = Supervised(data="digits", epochs=1, batch_size=64, train_samples=64)


@cache
def pictures() -> Mapping[str, Tensor]:
    """Return a batch to train on, and few pictures to judge by."""
    prepared = TRAINER.prepare(0)
    few = {name: prepared[name][:32] for name in ("valid_x", "valid_y")}
    return {**prepared, **few}


def train_one_step(genome: Genome, small: SmallCohort) -> None:
    cohort = Cohort.of(genome)
    assert cohort is not None
    nodes = {name for name, node in cohort.nodes.items() if node.kind == "teacher"}
    teachers = {
        name: fresh_model(small.space, small.seed, number).requires_grad_(False).eval()
        for number, name in enumerate(sorted(nodes))
    }
    taught = {name: State.of(teacher).tensors for name, teacher in teachers.items()}
    model = fresh_model(small.space, genome, 0).to(devices.best())
    start = Start(model=model, state=State({}), teachers=teachers, seed=0)
    plan = cohort_plan(genome, cohort, small.options, small.signatures, start)
    context = Context(
        devices.best(), torch.float32, 0, pictures(), None, lambda *_, **__: None, cohort=plan
    )
    trained = TRAINER.train(model, context)
    assert trained.samples == 64
    for name, teacher in teachers.items():
        assert same_tensors(taught[name], State.of(teacher).tensors), name
    assert trained.state is not None
    assert same_tensors(trained.state.own.tensors, State.of(model).tensors)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["Depths", "Eena"])
def test_every_cohort_on_a_walk_can_be_trained(kind: str) -> None:
    for genome, small in walk(kind, STEPS):
        train_one_step(genome, small)
