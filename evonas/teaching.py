"""The making of a search's teachers, once, before the first candidate.

A teacher is a network that is there already, with its weights, or a wider copy of the seed network
that the run's trainer trains.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from evonas import devices, plugins, seeds, store
from evonas.cohort_table import Teacher
from evonas.config import Run
from evonas.errors import ConfigError
from evonas.genome import LayerGraph, canonical
from evonas.genome.members import as_genome
from evonas.measure import evaluating
from evonas.morph.adopt import adopt
from evonas.morph.build import build
from evonas.morph.scaled import scaled
from evonas.networks import Signature
from evonas.state import State
from evonas.teachers import Kept, KeptTeacher, called, check_teachers, keep_teachers, kept_teachers
from evonas.trainer import Context

Told = Callable[[str], None]
_Made = tuple[LayerGraph | None, State, int]
"""A teacher's graph, if it has one, its tensors, and how many parameters it has."""


def make_teachers(run: Run, folder: Path, graph: LayerGraph, told: Told) -> Kept:
    """Return the teachers of a run; those that its folder does not have are made.

    Args:
        run: The run.
        folder: Its folder, in which the shared data are.
        graph: The seed network, whose wider copies teach.
        told: Hears what is done.

    Raises:
        ConfigError: naming the teacher, and what of it cannot be used.
    """
    assert run.cohort is not None, "teachers belong to cohorts"
    before, kept = kept_teachers(folder), dict[str, KeptTeacher]()
    check_teachers(before, run.cohort.needed_teachers)
    for name, teacher in run.cohort.needed_teachers.items():
        of_run = {key: run.config.get(key) for key in ("space", "trainer", "seed")}
        made_from = canonical.digest([asdict(teacher), of_run])
        known = before.get(name)
        if known and known.made_from == made_from and not store.trouble_with(folder, known.weights):
            kept[name] = known
            continue
        try:
            found, state, parameters = _made(run, folder, graph, (name, teacher), told)
        except ConfigError as error:
            raise ConfigError(f"teacher {name!r}: {error}") from None
        kept[name] = KeptTeacher(
            weights=store.store_state(folder, state),
            graph=found,
            network=teacher.network,
            arguments=teacher.arguments,
            parameters=parameters,
            made_from=made_from,
        )
        keep_teachers(folder, kept)
    return kept


def _made(
    run: Run, folder: Path, graph: LayerGraph, named: tuple[str, Teacher], told: Told
) -> _Made:
    name, teacher = named
    prepared = store.load_prepared(folder)
    assert prepared is not None, "the engine prepares the data before the teachers"
    if teacher.width:
        return _trained(run, prepared, scaled(graph, teacher.width), named, told)
    with devices.seeded(seeds.integer(run.seed, "teacher", name), torch.device("cpu")):
        network = called(teacher.network, teacher.arguments)
    if teacher.weights:
        _load(network, Path(teacher.weights))
    (signature,) = run.trainer.signatures(prepared).values()
    _check(network, signature)
    return _adopted(network, signature, name, told)


def _load(network: nn.Module, path: Path) -> None:
    """Load a file of tensors into a network.

    Raises:
        ConfigError: naming the first tensor that does not fit.
    """
    try:
        given = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"cannot read the weights {str(path)!r}: {error}") from None
    wanted = network.state_dict()
    for tensor in sorted(wanted.keys() | given.keys()):
        if tensor not in given:
            raise ConfigError(f"{str(path)!r} has no tensor {tensor!r}, which the network has")
        if tensor not in wanted:
            raise ConfigError(f"{str(path)!r} has a tensor {tensor!r}, which the network has not")
        if given[tensor].shape != wanted[tensor].shape:
            raise ConfigError(
                f"{tensor!r} has the shape {tuple(given[tensor].shape)} in {str(path)!r} and"
                f" {tuple(wanted[tensor].shape)} in the network"
            )
    network.load_state_dict(given)


def _check(network: nn.Module, signature: Signature) -> None:
    """Check that a network maps the search's inputs to its outputs.

    Raises:
        ConfigError: if it does not.
    """
    try:
        with evaluating(network):
            outputs = network(torch.zeros(2, *signature.inputs))
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"it does not take inputs of {signature.inputs}: {reason}") from None
    shape = tuple(outputs.shape[1:]) if isinstance(outputs, Tensor) else type(outputs).__name__
    if shape != signature.outputs:
        raise ConfigError(
            f"it makes {shape} of {signature.inputs}, the trainer wants {signature.outputs}"
        )


def _adopted(network: nn.Module, signature: Signature, name: str, told: Told) -> _Made:
    """Return a network as a graph of layers, so that it can be read inside, or as it is."""
    parameters = sum(one.numel() for one in network.parameters())
    try:
        graph, state = adopt(network, torch.zeros(2, *signature.inputs))
    except ConfigError as error:
        told(f"teacher {name!r} can be read at its outputs alone: {error}")
        return None, State.of(network), parameters
    return graph, state, parameters


def _trained(
    run: Run,
    prepared: Mapping[str, Tensor],
    graph: LayerGraph,
    named: tuple[str, Teacher],
    told: Told,
) -> _Made:
    """Train a wider copy of the seed network, as a candidate without parents or cohort is.

    Raises:
        ConfigError: if it cannot be trained with its settings.
    """
    name, teacher = named
    trainer = plugins.with_settings(run.trainer, teacher.settings or run.retrain)
    seed = seeds.integer(run.seed, "teacher", name)
    device = devices.best()
    with devices.seeded(seed, torch.device("cpu")):
        model = build(as_genome(graph)).to(device)

    def report(step: int, /, **metrics: float) -> None:
        if not all(math.isfinite(value) for value in metrics.values()):
            raise FloatingPointError(f"not finite at step {step}")
        shown = {one: metrics[one] for one in trainer.metrics if one in metrics}
        text = ", ".join(f"{one} {value:.4g}" for one, value in shown.items())
        told(f"teacher {name!r}, step {step}: {text}")

    precision = devices.precision(run.precision, device)
    context = Context(device, precision, seed, prepared, None, report)
    try:
        state = trainer.train(model, context).state
    except FloatingPointError as error:
        raise ConfigError(f"its training diverged ({error}); change its settings") from None
    if state is None:
        raise ConfigError(f"trainer {type(trainer).__name__} returns no weights")
    return graph, State(state.own.tensors), sum(one.numel() for one in model.parameters())
