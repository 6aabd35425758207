"""Random genomes times random histories: what must hold after every edit of every operator."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from torch import Tensor

from evonas.genome import Genome
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.plugins import construct, names
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]
Gradients = Callable[[Genome, State], dict[str, Tensor]]

EDITS = 8
FOUND = {name: construct(Mutation, name, "mutations") for name in names(Mutation)}
EXACT = {name: mutation for name, mutation in FOUND.items() if mutation.exact}
DEAD = {"eena-shortcut", "eena-dense"}
"""Exact operators whose new layers never get a gradient; they are kept to show just that."""
SLOT = "momentum_buffer"


@final
@dataclass(frozen=True)
class Past:
    """A genome after some edits: every genome and float64 state on the way, the last one last."""

    genomes: tuple[Genome, ...]
    states: tuple[State, ...]

    @property
    def stays_exact_in_training(self) -> bool:
        edits = self.genomes[-1].edits
        return all(EXACT[edit.operator].exact_in_training for edit in edits)


@pytest.fixture(scope="session")
def past(random_genome: Draw, trained: Train) -> Callable[[int], Past]:
    """A function that draws a genome and a history of eight exact edits."""

    def drawn(seed: int) -> Past:
        rng = stream(seed, "history")
        genomes = [random_genome(rng)]
        states = [trained(genomes[0], seed)]
        while len(genomes) <= EDITS:
            mutation = EXACT[str(rng.choice(list(EXACT)))]
            edit = mutation.propose(genomes[-1], rng)
            if edit is not None:
                genomes.append(mutation.apply(genomes[-1], edit))
                states.append(inherit(EXACT, genomes[-1], [(genomes[-2], states[-1])], rng))
        return Past(tuple(genomes), tuple(states))

    return drawn


def relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / (1 + one.abs().max()))


def histories(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on `count` seeds of histories."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        bounded = settings(
            max_examples=count,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        return pytest.mark.slow(bounded(given(seed=st.integers(0, 2**32))(test)))

    return decorate


@histories(12)
def test_the_function_stays_the_same(seed: int, past: Callable[[int], Past], outputs: Compute):
    history = past(seed)
    ends = (0, EDITS // 2, EDITS)
    for training in (False, True) if history.stays_exact_in_training else (False,):
        first, *later = (outputs(history.genomes[k], history.states[k], training) for k in ends)
        assert max(relative(first, after) for after in later) < 1e-9


@histories(6)
def test_the_function_stays_the_same_in_float32(
    seed: int, past: Callable[[int], Past], outputs: Compute
):
    history = past(seed)
    first = history.genomes[0], State(cast(history.states[0].tensors, torch.float32))
    last = history.genomes[-1]
    state = inherit(EXACT, last, [first], stream(seed))
    assert relative(outputs(*first, False), outputs(last, state, False)) < 1e-5


def cast(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


@histories(8)
def test_new_parameters_are_alive_by_the_second_step(
    seed: int, past: Callable[[int], Past], trained: Train, gradients: Gradients
):
    history = past(seed)
    for before, after in itertools.pairwise(history.genomes):
        if after.edits[-1].operator in DEAD:
            continue
        parent = trained(before, seed)
        state = inherit(EXACT, after, [(before, parent)], stream(seed))
        first = gradients(after, state)
        moved = {name: state.tensors[name] - 0.05 * gradient for name, gradient in first.items()}
        second = gradients(after, State({**state.tensors, **moved}))
        new = first.keys() - parent.tensors.keys()
        assert not {name for name in new if not (first[name].any() or second[name].any())}


@histories(8)
def test_momentum_is_mapped_as_the_gradient_of_the_child(
    seed: int, past: Callable[[int], Past], gradients: Gradients
):
    history = past(seed)
    for before, after, state in zip(
        history.genomes[:-1:3], history.genomes[1::3], history.states[:-1:3], strict=True
    ):
        if not EXACT[after.edits[-1].operator].exact_in_training:
            continue
        given_ = State(state.tensors, {SLOT: gradients(before, state)})
        child = inherit(EXACT, after, [(before, given_)], stream(seed))
        found = gradients(after, child)
        for name, mapped in child.slots[SLOT].items():
            old = mapped != 0
            assert mapped.shape == child.tensors[name].shape
            torch.testing.assert_close(mapped[old], found[name][old], rtol=1e-7, atol=1e-9)


@histories(8)
def test_genomes_stay_valid_and_survive_json_and_replay(
    seed: int, past: Callable[[int], Past], outputs: Compute
):
    history = past(seed)
    replayed = history.genomes[0]
    for genome in history.genomes[1:]:
        genome.architecture["net"].validate()
        replayed = EXACT[genome.edits[-1].operator].apply(replayed, genome.edits[-1])
        assert replayed == genome
    last = history.genomes[-1]
    read = Genome.from_json(json.loads(json.dumps(last.to_json())))
    assert read == last
    assert read.key == last.key
    assert [edit.id for edit in read.edits] == [edit.id for edit in last.edits]
    state = history.states[-1]
    assert outputs(read, state, False).equal(outputs(last, state, False))
