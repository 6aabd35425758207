"""Data sets for learning offline: made by a controller, or read from a file.

A file `.npz` has `observations` (steps, numbers), `actions` (steps, actions) as the environment
takes them, and `next_observations` (steps, numbers): what the actions led to, of a step that ended
an episode too. Rewards are not read; they are known.
"""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from evonas import seeds
from evonas.errors import ConfigError, unknown
from evonas_trainers.reinforcement.controllers import Controller, controller
from evonas_trainers.reinforcement.dynamics.experience import Act, Experience, collect
from evonas_trainers.reinforcement.environments import Environments, Facts

NAMES = ("observations", "actions", "next_observations")
"""The arrays of a file."""


RANDOM, SCRIPTED = "random", "scripted"


def check(data: str) -> None:
    """Check that this names a data set.

    Raises:
        ConfigError: if not.
    """
    if data not in {RANDOM, SCRIPTED} and not data.endswith(".npz"):
        raise unknown("data", data, ["deployed", RANDOM, SCRIPTED, "FILE.npz"])


def offline(
    data: str, environments: Environments, noise: float, steps: int, seed: int
) -> Experience:
    """Make or read a data set.

    Args:
        data: `random` or `scripted`, by a controller, or the path of a file.
        environments: Fresh ones.
        noise: Deviation of the noise in what a scripted controller does.
        steps: So many; of a file at most.
        seed: Of every draw.

    Raises:
        ConfigError: if there is no such data set.
    """
    facts, drawn = environments.facts, seeds.integer(seed, "controller")
    if data == RANDOM:
        return collect(uniform(facts.actions, drawn), environments, steps)
    if data == SCRIPTED:
        act = noisy(controller(environments.name), noise, drawn)
        return collect(act, environments, steps)
    return read(Path(data).expanduser(), facts, steps, seed)


def uniform(actions: int, seed: int) -> Act:
    """Return how one acts at random."""
    draws = torch.Generator().manual_seed(seed)

    def act(observations: Tensor) -> Tensor:
        return torch.rand(len(observations), actions, generator=draws) * 2 - 1

    return act


def noisy(scripted: Controller, noise: float, seed: int) -> Act:
    """Return how a controller acts with a trembling hand: with noise of this deviation."""
    draws = torch.Generator().manual_seed(seed)

    def act(observations: Tensor) -> Tensor:
        meant = scripted(observations)
        return (meant + noise * torch.randn(meant.shape, generator=draws)).clamp(-1, 1)

    return act


def read(path: Path, facts: Facts, steps: int, seed: int) -> Experience:
    """Return the steps of a file, so many of them, drawn, at most.

    Raises:
        ConfigError: if it is no such file, or of another environment.
    """
    observations, actions, reached = (_rows(path, name) for name in NAMES)
    numbers = facts.observation[0]
    wanted = ((len(observations), numbers), (len(observations), facts.actions))
    shapes = (tuple(observations.shape), tuple(actions.shape), tuple(reached.shape))
    if shapes != (wanted[0], wanted[1], wanted[0]):
        raise ConfigError(
            f"{str(path)!r} has observations, actions and next_observations of {shapes!r}; the"
            f" environment has {numbers} numbers to observe and {facts.actions} to act by"
        )
    low, high = actions.new_tensor(facts.low), actions.new_tensor(facts.high)
    units = ((actions - low) / (high - low) * 2 - 1).clamp(-1, 1)
    order = torch.from_numpy(seeds.stream(seed, "rows").permutation(len(observations))[:steps])
    return Experience(observations[order], units[order], reached[order])


def _rows(path: Path, name: str) -> Tensor:
    try:
        with np.load(path, allow_pickle=False) as file:
            found: Any = file[name]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ConfigError(
            f"cannot read {name!r} from {str(path)!r}: {error}; an .npz of {NAMES} is wanted"
        ) from error
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise ConfigError(f"{name!r} in {str(path)!r} should be finite numbers")
    return torch.as_tensor(found.astype(np.float32))
