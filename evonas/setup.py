"""Before the first candidate: the folder, the shared data, the seed genome, every check."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from optuna.distributions import BaseDistribution
from torch import nn

from evonas import measure, plugins
from evonas.candidate import fresh_model, over_limits
from evonas.config import Run, question as question_of
from evonas.controllers.controller import Question
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.networks import Signature, Signatures
from evonas.store import Store, load_prepared, store_prepared, write_config


def open_store(run: Run, folder: Path) -> Store:
    """Open the run folder, or make it.

    Raises:
        StoreError: if it cannot be used.
        ConfigError: if it holds another search.
    """
    store = Store(folder, run.durability)
    path = folder / "run.toml"
    if path.exists() and store.record.births:
        before = question_of(tomllib.loads(path.read_text(encoding="utf-8")))
        now = question_of(run.config)
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                store.close()
                raise ConfigError(
                    f"{str(folder)!r} holds a search with {key} = {before.get(key)!r}, "
                    f"now it is {now.get(key)!r}; give another folder with --out, or remove it"
                )
    write_config(folder, run.config)
    return store


def prepare(run: Run, folder: Path) -> Question:
    """Prepare what the candidates share, and check that the seed can be trained.

    Raises:
        ConfigError: saying what does not fit.
    """
    prepared = load_prepared(folder)
    if prepared is None:
        prepared = run.trainer.prepare(run.seed)
        store_prepared(folder, prepared)
    signatures = run.trainer.signatures(prepared)
    seed = run.space.seed(signatures).with_settings(_start_values(run))
    model = fresh_model(run.space, seed, run.seed)
    _check_model(model, signatures, run.trainer.accepts)
    sizes = static_sizes(run, seed, signatures)
    if broken := over_limits(sizes, tuple(run.limits)):
        raise ConfigError(f"the seed network is too large: {broken}; raise the limit")
    return Question(run.space, run.objectives, run.seed, seed, run.genes)


def static_sizes(run: Run, genome: Genome, signatures: Signatures) -> Mapping[str, float]:
    """Return a candidate's parameters and MACs without allocating a weight."""
    with torch.device("meta"):
        return measure.static(run.space.build(genome), signatures)
