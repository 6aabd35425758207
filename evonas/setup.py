"""Before the first candidate: the folder, the shared data, the seed genome, every check."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from optuna.distributions import BaseDistribution
from torch import nn

from evonas import devices, measure, plugins
from evonas.aims import OF_VIEW
from evonas.cohort_networks import read_out
from evonas.cohort_setup import Told, with_cohort
from evonas.config import Run, question as question_of
from evonas.controllers.controller import Question
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.settings import holds
from evonas.history import over_limits
from evonas.latency import reference_seconds
from evonas.models import fresh_model, trained_model
from evonas.morph.build import build
from evonas.morph.settings import Settings
from evonas.networks import Signatures, named
from evonas.pruning_setup import pruning_options
from evonas.space import SearchSpace
from evonas.store import (
    CONFIG,
    Store,
    check_prepared,
    load_prepared,
    load_reference,
    read_config,
    read_journal,
    store_prepared,
    store_reference,
    write_config,
)
from evonas.tracking.tracker import Loaded, SearchInfo
from evonas.trainer import Trainer
from evonas.trust import check_births, check_files, sign


@final
@dataclass(frozen=True)
class Setup:
    """What the loop starts from."""

    question: Question
    signatures: Signatures
    seed: Genome


def opened(run: Run, folder: Path, told: Told) -> tuple[Store, Setup]:
    """Open the run folder and prepare the search; a folder made in vain is removed again.

    Args:
        run: The search.
        folder: Its folder.
        told: Hears what takes its time.

    Raises:
        StoreError: if the folder cannot be used.
        ConfigError: if it holds another search, or the run cannot work as configured.
    """
    is_new = not folder.exists()
    store = open_store(run, folder)
    try:
        return store, prepare(run, folder, told)
    except BaseException:
        store.close()
        if is_new:
            shutil.rmtree(folder)
        raise


def open_store(run: Run, folder: Path) -> Store:
    """Open the run folder, or make it.

    Raises:
        StoreError: if it cannot be used.
        ConfigError: if it holds another search.
    """
    check_files(folder)
    store = Store(folder, run.durability)
    try:
        if store.record.births and (folder / CONFIG).exists():
            check_births(store.record.births, run.config)
            _check_question(question_of(read_config(folder)), question_of(run.config), folder)
        write_config(folder, run.config)
        sign(folder)
    except BaseException:
        store.close()
        raise
    return store


def prepare(run: Run, folder: Path, told: Told = lambda _: None) -> Setup:
    """Prepare what the candidates share, and check that the seed can be trained.

    Args:
        run: The search.
        folder: Its folder.
        told: Hears what takes its time.

    Raises:
        ConfigError: saying what does not fit.
    """
    check_prepared(folder)
    prepared = load_prepared(folder)
    if prepared is None:
        prepared = run.trainer.prepare(run.seed)
        store_prepared(folder, prepared)
    if "latency" in {one.name.partition(OF_VIEW)[0] for one in (*run.objectives, *run.limits)}:
        _ = load_reference(folder) or store_reference(folder, reference_seconds(devices.best()))
    signatures = run.trainer.signatures(prepared)
    values = {path: plugins.setting(run.trainer, path) for path in run.genes}
    seed = run.space.seed(signatures).with_settings(values)
    _check_genes(run.genes, values)
    _check_model(fresh_model(run.space, seed, run.seed), signatures, run.trainer)
    sizes = static_sizes(run.space, seed, signatures)
    _check_limits(run, sizes)
    mutations = dict(run.space.mutations())
    if run.genes:
        mutations["settings"] = Settings(run.genes)
    options = None
    if run.pruning is not None:
        options = pruning_options(run, run.pruning, seed, sizes)
        mutations |= run.pruning.mutations(options)
    learning = None
    if run.cohort is not None:
        seed, learning = with_cohort(run, folder, seed, signatures, told)
        _check_limits(run, static_sizes(run.space, seed, signatures))
        mutations |= run.cohort.mutations(learning)
    question = Question(run.space, mutations, run.objectives, run.seed, options, learning)
    return Setup(question, signatures, seed)


def search_info(run: Run, folder: Path, signatures: Signatures) -> SearchInfo:
    """Return what a tracker must know; the record is read when it asks for a trained model."""

    def load(number: int) -> Mapping[str, Loaded]:
        one = read_journal(folder)[0].history(run.order).member(number)
        networks = named(trained_model(run.space, folder, one), signatures)
        return {
            name: (networks[name], np.zeros((2, *signature.inputs), dtype=np.float32))
            for name, signature in signatures.items()
        }

    return SearchInfo(
        run.name, folder, dict(run.config), run.objectives, load if signatures else None
    )


def static_sizes(space: SearchSpace, genome: Genome, signatures: Signatures) -> Mapping[str, float]:
    """Return parameters and MACs of all that is handed over, without allocating a weight."""
    with torch.device("meta"):
        sizes = dict(measure.static(space.build(genome), signatures))
        for ending, view in read_out(genome).items():
            if ending:
                found = measure.static(build(view), signatures)
                sizes |= {f"{name}{ending}": size for name, size in found.items()}
    return sizes


def _check_question(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            raise ConfigError(
                f"{str(folder)!r} holds a search with {key} = {before.get(key)!r}, "
                f"now it is {now.get(key)!r}; give another folder with --out, or remove it"
            )


def _check_limits(run: Run, sizes: Mapping[str, float]) -> None:
    """Check that the seed is within the limits, or can be pruned into them."""
    broken = over_limits(sizes, run.limits)
    if broken and (run.pruning is None or not run.pruning.removes_filters):
        raise ConfigError(f"the seed network is too large: {broken}; raise the limit")


def _check_genes(genes: Mapping[str, BaseDistribution], values: Mapping[str, Any]) -> None:
    for path, gene in genes.items():
        if not holds(gene, values[path]):
            raise ConfigError(
                f"gene {path}: the trainer starts with {values[path]!r}, which is outside {gene}; "
                f"set trainer.{path} to a value inside"
            )


def _check_model(model: nn.Module, signatures: Signatures, trainer: Trainer) -> None:
    """Check that the space makes what the trainer accepts, by one forward pass of each network."""
    if not isinstance(model, trainer.accepts):
        raise ConfigError(
            f"trainer {type(trainer).__name__} accepts {trainer.accepts.__name__}, "
            f"the space makes {type(model).__name__}; choose another space"
        )
    for name, signature in signatures.items():
        network = named(model, signatures)[name]
        with measure.evaluating(network):
            shape = tuple(network(torch.zeros(2, *signature.inputs)).shape)
        if shape != (2, *signature.outputs):
            raise ConfigError(
                f"network {name!r} makes {shape[1:]} of {signature.inputs}, "
                f"the trainer wants {signature.outputs}"
            )
