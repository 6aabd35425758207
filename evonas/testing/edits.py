"""Edits to check a mutation by: genomes met on random walks, and what each edit makes of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from evonas import seeds
from evonas.errors import ConfigError
from evonas.genome import Edit, Genome
from evonas.morph.mutation import Mutation
from evonas.networks import Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.sandbox import (
    distance,
    loaded,
    outputs,
    registered_spaces,
    signatures_for,
    trained,
)

_WALKS, _STEPS, _CASES = 6, 5, 3


@final
@dataclass(frozen=True)
class Bench:
    """A mutation, and the space whose genomes it is tried on."""

    mutation: Mutation
    space: SearchSpace
    signatures: Signatures

    @cached_property
    def edited(self) -> "list[Edited]":
        """A few edits that the mutation proposes.

        Raises:
            AssertionError: if it proposes none.
        """
        found: list[Edited] = []
        known: set[str] = set()
        for met in walks(self.space, self.signatures, _WALKS, _STEPS):
            genome = posed(self.mutation, met)
            edit = self.mutation.propose(genome, rng("propose"))
            if edit is not None and edit.id not in known:
                known.add(edit.id)
                found.append(Edited(self, genome, edit))
            if len(found) == _CASES:
                return found
        assert found, (
            f"`propose` returned None for each of {_WALKS * _STEPS} genomes of "
            f"{type(self.space).__name__}; it must have an edit for some"
        )
        return found


@final
@dataclass(frozen=True)
class Edited:
    """One edit of one genome."""

    bench: Bench
    before: Genome
    edit: Edit

    @cached_property
    def after(self) -> Genome:
        """The child's genome."""
        return self.bench.mutation.apply(self.before, self.edit)

    @cached_property
    def state(self) -> State:
        """The parent's state after a little training, in float64."""
        return trained(self.bench.space, self.before, self.bench.signatures)

    def inherited(self, state: State | None = None) -> State:
        """Return the child's state at birth, from the parent's own or from `state`."""
        return self.bench.mutation.inherit(
            self.before, self.after, self.edit, state or self.state, rng("inherit")
        )

    def gap(self, *, training: bool = False) -> float:
        """Return how far the child's outputs are from its parent's, relative to their size."""
        space, signatures = self.bench.space, self.bench.signatures
        parent = loaded(space, self.before, self.state)
        child = loaded(space, self.after, self.inherited())
        return distance(
            outputs(parent, signatures, training=training),
            outputs(child, signatures, training=training),
        )

    def __str__(self) -> str:
        """Say which edit this is."""
        args = ", ".join(f"{name}={value!r}" for name, value in self.edit.args.items())
        past = f" after {len(self.before.edits)} edits" if self.before.edits else ""
        return f"{self.edit.operator} {' '.join(self.edit.targets)} ({args}){past}"


def bench_for(mutation: Mutation) -> Bench:
    """Return a bench for a mutation: an installed space that lists it, else one it has edits for.

    Raises:
        ConfigError: if there is no such space.
    """
    spaces = list(registered_spaces())
    kind = type(mutation)
    for space in spaces:
        listed = [one for one in space.mutations().values() if type(one) is kind]
        if listed:
            return Bench(listed[0], space, signatures_for(space))
    for space in spaces:
        signatures = signatures_for(space)
        genomes = walks(space, signatures, _WALKS, _STEPS)
        if any(mutation.propose(posed(mutation, one), rng("propose")) for one in genomes):
            return Bench(mutation, space, signatures)
    raise ConfigError(f"no installed space has a genome for which {kind.__name__} has an edit")


def posed(mutation: Mutation, genome: Genome) -> Genome:
    """Return a genome as a mutation wants it: what its `example_genome` makes of it, if it has one.

    So an operator on a chromosome that no space makes can be checked, too.
    """
    pose = getattr(mutation, "example_genome", None)
    return genome if pose is None else pose(genome)


def walks(
    space: SearchSpace, signatures: Signatures, num_walks: int, steps: int
) -> Iterator[Genome]:
    """Yield the genomes of random walks by the space's mutations, each from the seed."""
    for number in range(num_walks):
        genome = space.seed(signatures)
        yield genome
        for step in range(steps - 1):
            genome = stepped(genome, space.mutations(), rng("walk", number, step))
            yield genome


def stepped(genome: Genome, mutations: Mapping[str, Mutation], draws: Rng) -> Genome:
    """Return the genome after one drawn edit, or as it is if none is proposed."""
    for name in draws.permutation(sorted(mutations)):
        edit = mutations[str(name)].propose(genome, draws)
        if edit is not None:
            return mutations[str(name)].apply(genome, edit)
    return genome


def rng(*address: str | int) -> Rng:
    """Return the generator of one kind of draw in the checks."""
    return seeds.stream(0, "check", *address)
