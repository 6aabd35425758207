"""The mutation contract: pure proposals, replayable edits, fitting states, promised exactness."""

import json
from dataclasses import replace
from typing import Any

import torch

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.morph.mutation import Mutation
from evonas.networks import Signatures
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.edits import Bench, bench_for, rng
from evonas.testing.sandbox import (
    TOLERANCE,
    fresh_state,
    loaded,
    outputs,
    same_tensors,
    seeded,
    total_loss,
)


def mutation_checks(mutation: Mutation) -> list[Check]:
    """Return the checks of a mutation, on genomes of an installed space."""
    return [*class_checks(mutation), *edit_checks(bench_for(mutation))]


def listed_mutation_check(
    space: SearchSpace, signatures: Signatures, name: str, mutation: Mutation
) -> Check:
    """Return one check that a mutation keeps its whole contract on genomes of this space."""

    def verify() -> None:
        bench = Bench(mutation, space, signatures)
        for case in bench.edited:
            assert case.edit.operator == name, (
                f"its edits are by {case.edit.operator!r}, and the space lists it as {name!r}; "
                "replay looks it up by the name in the edit"
            )
        for check in edit_checks(bench):
            try:
                check.verify()
            except AssertionError as error:
                raise AssertionError(f"{check.claim}: {error}") from error

    return Check(f"{name} keeps the contract of a mutation on genomes of this space", verify)


def edit_checks(bench: Bench) -> list[Check]:
    """Return the checks of a mutation on one space; exactness where it is promised."""
    functions = [
        _propose_draws_from_its_generator_alone,
        _apply_puts_the_edit_on_record,
        _apply_is_a_function_of_its_arguments,
        _the_child_survives_json,
        _an_edit_of_something_that_is_not_there_is_an_edit_error,
        _inherited_tensors_are_those_of_the_child,
        _inherited_slots_fit_their_parameters,
        _inherited_tensors_keep_their_dtype,
        _inherit_leaves_the_parent_as_it_was,
        _inherit_draws_from_its_generator_alone,
        _the_child_makes_finite_outputs,
    ]
    if bench.mutation.alive:
        functions.append(_new_parameters_move_by_the_second_step)
    if bench.mutation.exact:
        functions.append(_the_child_computes_what_its_parent_computed)
    if bench.mutation.exact_in_training:
        functions.append(_it_does_so_with_batch_statistics_too)
    return checks_of(bench, functions)


def _propose_draws_from_its_generator_alone(bench: Bench) -> None:
    for case in bench.edited:
        for seed in (1, 2):
            with seeded(seed):
                again = bench.mutation.propose(case.before, rng("propose"))
            assert again == case.edit, f"the same generator gave {case.edit} and then {again}"


def _apply_puts_the_edit_on_record(bench: Bench) -> None:
    for case in bench.edited:
        wanted = (*case.before.edits, case.edit)
        assert case.after.edits == wanted, f"{case}: finish `apply` with `.with_edit(edit)`"
        assert case.edit == case.before.edit(
            case.edit.operator, *case.edit.targets, **case.edit.args
        ), f"{case}: make the edit with `genome.edit(...)`, which chains it to earlier ones"


def _apply_is_a_function_of_its_arguments(bench: Bench) -> None:
    for case in bench.edited:
        before = Genome.from_json(_through_json(case.before.to_json()))
        edit = Edit.from_json(_through_json(case.edit.to_json()))
        with seeded(1):
            again = bench.mutation.apply(before, edit)
        assert _text(again) == _text(case.after), (
            f"{case}: applied again, to copies, it gives another genome; draw in `propose` and "
            "write what was drawn into the edit"
        )


def _the_child_survives_json(bench: Bench) -> None:
    for case in bench.edited:
        copy = Genome.from_json(_through_json(case.after.to_json()))
        assert copy.key == case.after.key, (
            f"{case}: the child's key changes on its way through JSON"
        )
        assert _text(copy) == _text(case.after), f"{case}: the child changes in JSON"


def _an_edit_of_something_that_is_not_there_is_an_edit_error(bench: Bench) -> None:
    case = bench.edited[0]
    lost = replace(case.edit, targets=tuple("nowhere/nothing" for _ in case.edit.targets))
    try:
        bench.mutation.apply(case.before, lost)
    except EditError:
        return
    except Exception as error:
        name = type(error).__name__
        raise AssertionError(
            f"`apply` raised {name} ({error}); crossover tries edits on foreign genomes and "
            "expects EditError where one does not apply"
        ) from error
    raise AssertionError("`apply` took an edit of 'nowhere/nothing'; it must raise EditError")


def _inherited_tensors_are_those_of_the_child(bench: Bench) -> None:
    for case in bench.edited:
        wanted = _shapes(fresh_state(bench.space, case.after))
        given = _shapes(case.inherited())
        missing, extra = sorted(wanted.keys() - given), sorted(given.keys() - wanted)
        assert not missing, f"{case}: the child's {missing[0]!r} is not inherited"
        assert not extra, f"{case}: {extra[0]!r} is inherited, and the child has no such tensor"
        for name, shape in wanted.items():
            assert given[name] == shape, f"{case}: {name!r} is {given[name]}, not {shape}"


def _inherited_slots_fit_their_parameters(bench: Bench) -> None:
    for case in bench.edited:
        shapes = _shapes(fresh_state(bench.space, case.after))
        for slot, values in case.inherited().slots.items():
            for name, value in values.items():
                assert name in shapes, f"{case}: {slot} for {name!r}, which is no tensor"
                assert value.ndim == 0 or tuple(value.shape) == shapes[name], (
                    f"{case}: {slot} of {name!r} is {tuple(value.shape)}, not {shapes[name]}"
                )


def _inherited_tensors_keep_their_dtype(bench: Bench) -> None:
    for case in bench.edited:
        for dtype in (torch.float64, torch.float32):
            given = case.inherited(_as_dtype(case.state, dtype))
            for name, tensor in given.tensors.items():
                assert not tensor.is_floating_point() or tensor.dtype == dtype, (
                    f"{case}: {name!r} is {tensor.dtype} from a parent in {dtype}"
                )


def _inherit_leaves_the_parent_as_it_was(bench: Bench) -> None:
    for case in bench.edited:
        kept = _as_dtype(case.state, torch.float64)
        case.inherited()
        assert same_tensors(kept.tensors, case.state.tensors), f"{case}: it wrote into the parent"
        for slot, values in kept.slots.items():
            assert same_tensors(values, case.state.slots[slot]), f"{case}: it wrote into {slot}"


def _inherit_draws_from_its_generator_alone(bench: Bench) -> None:
    for case in bench.edited:
        made: list[State] = []
        for seed in (1, 2):
            with seeded(seed):
                before = torch.get_rng_state()
                made.append(case.inherited())
                moved = not torch.equal(before, torch.get_rng_state())
            assert not moved, f"{case}: it drew from torch's global generator; draw from `rng`"
        assert same_tensors(made[0].tensors, made[1].tensors), f"{case}: two states for one `rng`"


def _the_child_makes_finite_outputs(bench: Bench) -> None:
    for case in bench.edited:
        child = loaded(bench.space, case.after, case.inherited())
        for name, made in outputs(child, bench.signatures).items():
            wanted = bench.signatures[name].outputs
            assert tuple(made.shape[1:]) == wanted, f"{case}: {name!r} makes {tuple(made.shape)}"
            assert made.isfinite().all(), f"{case}: {name!r} makes numbers that are not finite"


def _new_parameters_move_by_the_second_step(bench: Bench) -> None:
    for case in bench.edited:
        child = loaded(bench.space, case.after, case.inherited())
        new = {n: p for n, p in child.named_parameters() if n not in case.state.tensors}
        start = {name: parameter.detach().clone() for name, parameter in new.items()}
        optimizer = torch.optim.SGD(child.parameters(), lr=0.1)
        child.train()
        for step in range(2):
            optimizer.zero_grad()
            with seeded(0):
                total_loss(child, bench.signatures, step).backward()
            optimizer.step()
        dead = [name for name, parameter in new.items() if torch.equal(parameter, start[name])]
        assert not dead, f"{case}: {dead[0]!r} is new and did not move in two steps of SGD"


def _the_child_computes_what_its_parent_computed(bench: Bench) -> None:
    for case in bench.edited:
        gap = case.gap()
        assert gap <= TOLERANCE, f"{case}: outputs differ by {gap:.2g}, promised is {TOLERANCE:g}"


def _it_does_so_with_batch_statistics_too(bench: Bench) -> None:
    for case in bench.edited:
        gap = case.gap(training=True)
        assert gap <= TOLERANCE, f"{case}: outputs differ by {gap:.2g}, promised is {TOLERANCE:g}"


def _as_dtype(state: State, dtype: torch.dtype) -> State:
    """Return a copy of a state with its floating-point tensors in another precision."""

    def copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: tensor.to(dtype, copy=True) if tensor.is_floating_point() else tensor.clone()
            for name, tensor in tensors.items()
        }

    slots = {slot: copied(dict(values)) for slot, values in state.slots.items()}
    return State(copied(dict(state.tensors)), slots)


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.tensors.items()}


def _through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


def _text(genome: Genome) -> str:
    return json.dumps(genome.to_json(), sort_keys=True)
