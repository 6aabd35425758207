"""The space contract: a fitting seed, pure building, exact crossover, a decoder, mutations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from evonas.errors import ConfigError, EditError
from evonas.genome import Genome
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.members import NETWORK
from evonas.models import fresh_model
from evonas.networks import Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.edits import rng, stepped, walks
from evonas.testing.mutations import listed_mutation_check
from evonas.testing.sandbox import (
    SAMPLES,
    TOLERANCE,
    accepts,
    distance,
    loaded,
    outputs,
    same_tensors,
    seeded,
    signatures_for,
    trained,
)


@final
@dataclass(frozen=True)
class _Bench:
    space: SearchSpace
    signatures: Signatures

    @property
    def seed(self) -> Genome:
        return self.space.seed(self.signatures)

    def walked(self, number: int, steps: int = 8) -> Genome:
        """Return the end of a random walk by the space's mutations."""
        genome = self.seed
        for step in range(steps):
            genome = stepped(genome, self.space.mutations(), rng("far walk", number, step))
        return genome


def space_checks(space: SearchSpace) -> list[Check]:
    """Return the checks of a space and of its mutations."""
    bench = _Bench(space, signatures_for(space))
    functions = [
        _the_seed_is_one_genome_without_edits,
        _signatures_it_has_no_candidate_for_are_a_config_error,
        _candidates_make_the_outputs_that_are_asked_for,
        _every_common_signature_that_it_takes_has_candidates,
        _building_draws_from_the_seeded_generator_alone,
        _candidates_survive_json,
        _inheritance_replays_the_later_edits,
        _a_stranger_inherits_nothing_but_an_edit_error,
        _a_crossover_computes_what_its_first_parent_computed,
        _taps_are_tensors_of_the_one_network,
        _the_names_of_taps_outlive_exact_edits,
        _every_draw_of_the_knobs_is_a_candidate,
    ]
    checks = [*class_checks(space), *checks_of(bench, functions)]
    return checks + [
        listed_mutation_check(space, bench.signatures, name, mutation)
        for name, mutation in space.mutations().items()
    ]


def _the_seed_is_one_genome_without_edits(bench: _Bench) -> None:
    assert bench.seed.edits == (), "the seed is where edits start; it has none itself"
    assert bench.seed.to_json() == bench.seed.to_json(), "two calls of `seed` gave two genomes"


def _signatures_it_has_no_candidate_for_are_a_config_error(bench: _Bench) -> None:
    for signatures in SAMPLES:
        try:
            bench.space.seed(signatures)
        except ConfigError:
            continue
        except Exception as error:
            raise AssertionError(
                f"`seed` raised {type(error).__name__} ({error}) for {dict(signatures)}; raise "
                "ConfigError and say what the space is for"
            ) from error


def _candidates_make_the_outputs_that_are_asked_for(bench: _Bench) -> None:
    for genome in (bench.seed, *walks(bench.space, bench.signatures, 2, 4)):
        made = outputs(fresh_model(bench.space, genome, 0).double(), bench.signatures)
        for name, signature in bench.signatures.items():
            given = tuple(made[name].shape[1:])
            assert given == signature.outputs, (
                f"network {name!r} makes {given}, asked for is {signature.outputs}"
            )


def _every_common_signature_that_it_takes_has_candidates(bench: _Bench) -> None:
    for signatures in SAMPLES:
        if accepts(bench.space, signatures):
            seed = bench.space.seed(signatures)
            made = outputs(fresh_model(bench.space, seed, 0).double(), signatures)
            for name, signature in signatures.items():
                assert tuple(made[name].shape[1:]) == signature.outputs, f"{name!r}: {signatures}"
            try:
                _ = bench.space.knobs(seed)
            except ConfigError:
                continue


def _building_draws_from_the_seeded_generator_alone(bench: _Bench) -> None:
    first, again, other = (State.of(fresh_model(bench.space, bench.seed, n)) for n in (0, 0, 1))
    assert same_tensors(first.tensors, again.tensors), "one seed gave two sets of weights"
    assert not same_tensors(first.tensors, other.tensors), (
        "two seeds gave the same weights; draw them from torch's global generator, seeded before"
    )


def _candidates_survive_json(bench: _Bench) -> None:
    genome = bench.walked(0)
    copy = Genome.from_json(json.loads(json.dumps(genome.to_json())))
    assert copy.key == genome.key, "the key changes on the genome's way through JSON"
    state = trained(bench.space, genome, bench.signatures)
    gap = distance(
        outputs(loaded(bench.space, genome, state), bench.signatures),
        outputs(loaded(bench.space, copy, state), bench.signatures),
    )
    assert gap == 0.0, f"the copy's outputs differ by {gap:.2g}"


def _inheritance_replays_the_later_edits(bench: _Bench) -> None:
    mutations = bench.space.mutations()
    parent = bench.walked(1, steps=2)
    state = trained(bench.space, parent, bench.signatures)
    child = parent
    for step in range(4):
        child = stepped(child, mutations, rng("later", step))
    given = bench.space.inherit(child, [(parent, state)], rng("inherit"))
    gap = distance(
        outputs(loaded(bench.space, parent, state), bench.signatures),
        outputs(loaded(bench.space, child, given), bench.signatures),
    )
    later = [edit.operator for edit in child.edits[len(parent.edits) :]]
    if all(mutations[name].exact for name in later):
        assert gap <= TOLERANCE, f"after {', '.join(later)} the outputs differ by {gap:.2g}"


def _a_stranger_inherits_nothing_but_an_edit_error(bench: _Bench) -> None:
    parent = bench.walked(2, steps=2)
    if not parent.edits:
        return
    state = trained(bench.space, parent, bench.signatures)
    try:
        bench.space.inherit(bench.seed, [(parent, state)], rng("inherit"))
    except EditError:
        return
    raise AssertionError(
        "`inherit` took a child that does not stem from its first parent; raise EditError"
    )


def _a_crossover_computes_what_its_first_parent_computed(bench: _Bench) -> None:
    for number in range(3):
        first, second = bench.walked(2 * number, 4), bench.walked(2 * number + 1, 4)
        child = bench.space.crossover(first, second, rng("cross", number))
        if child is None:
            continue
        assert child.edits[: len(first.edits)] == first.edits, (
            "the first parent's edits must be a prefix of the child's"
        )
        states = [trained(bench.space, parent, bench.signatures) for parent in (first, second)]
        parents = list(zip((first, second), states, strict=True))
        given = bench.space.inherit(child, parents, rng("inherit"))
        gap = distance(
            outputs(loaded(bench.space, first, states[0]), bench.signatures),
            outputs(loaded(bench.space, child, given), bench.signatures),
        )
        assert gap <= TOLERANCE, f"crossover {number}: the outputs differ by {gap:.2g}"


def _taps_are_tensors_of_the_one_network(bench: _Bench) -> None:
    for genome in (bench.seed, *(bench.walked(number) for number in range(3))):
        taps = _taps(bench.space, genome)
        if set(genome.architecture) != {NETWORK}:
            assert taps is None, f"only a candidate of one network {NETWORK!r} has taps"
            continue
        assert taps is not None, f"a candidate of one network {NETWORK!r} has taps, this had none"
        graph, wanted = genome.architecture[NETWORK], bench.signatures[NETWORK].outputs
        for name, tap in taps.items():
            assert tap.layer in graph, f"tap {name!r} is at {tap.layer!r}, which is no layer"
            given = graph.shapes[tap.layer]
            assert tap.shape == given, f"tap {name!r} has the shape {given}, not {tap.shape}"
        assert LOGITS in taps, f"the outputs are a tap {LOGITS!r}"
        assert taps[LOGITS].shape == wanted, f"{LOGITS!r} has {taps[LOGITS].shape}, not {wanted}"


def _the_names_of_taps_outlive_exact_edits(bench: _Bench) -> None:
    exact = {name: one for name, one in bench.space.mutations().items() if one.exact}
    for number in range(3):
        genome = bench.seed
        names = list(_taps(bench.space, genome) or ())
        for step in range(8 if exact and names else 0):
            genome = stepped(genome, exact, rng("taps", number, step))
            given = list(_taps(bench.space, genome) or ())
            assert given == names, f"{genome.edits[-1].operator} made taps {given} of {names}"


def _taps(space: SearchSpace, genome: Genome) -> Mapping[str, Tap] | None:
    """Return the taps, or None if the space has none for such a genome."""
    try:
        return space.taps(genome)
    except EditError:
        return None


def _every_draw_of_the_knobs_is_a_candidate(bench: _Bench) -> None:
    seed = bench.seed
    knobs = bench.space.knobs(seed)
    for number in range(4 if knobs else 0):
        values = _drawn(knobs, rng("knobs", number))
        with seeded(number):
            genome = bench.space.decode(seed, values)
        again = bench.space.decode(seed, values)
        assert genome.to_json() == again.to_json(), f"{values} was decoded in two ways"
        made = outputs(fresh_model(bench.space, genome, 0).double(), bench.signatures)
        for name, signature in bench.signatures.items():
            given = tuple(made[name].shape[1:])
            assert given == signature.outputs, f"{values}: network {name!r} makes {given}"
        state = State.of(fresh_model(bench.space, seed, 0).double())
        given = bench.space.inherit(genome, [(seed, state)], rng("inherit"))
        _ = loaded(bench.space, genome, given)


def _drawn(knobs: Mapping[str, BaseDistribution], draws: Rng) -> dict[str, Any]:
    """Return one value a knob, drawn over its range."""
    values: dict[str, Any] = {}
    for name, knob in knobs.items():
        match knob:
            case CategoricalDistribution():
                values[name] = knob.choices[int(draws.integers(len(knob.choices)))]
            case IntDistribution():
                steps = (knob.high - knob.low) // knob.step
                values[name] = knob.low + knob.step * int(draws.integers(steps + 1))
            case FloatDistribution():
                values[name] = float(draws.uniform(knob.low, knob.high))
            case _:
                raise AssertionError(f"knob {name!r} is a {type(knob).__name__}")
    return values
