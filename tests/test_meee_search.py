"""The search of runs/meee.toml, cut short: networks and what imagines for them evolve together."""

import tomllib
from pathlib import Path

import pytest

from evonas import api
from evonas.history import Evaluation

SHORT = {
    "steps": 20,
    "start_steps": 10,
    "trials": 1,
    "updates": 1,
    "options": {"max_episode_steps": 10},
    "judging": {"times": 1, "episodes": 1},
}


@pytest.mark.slow
def test_a_search_of_imagining_policies_varies_what_imagines(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/meee.toml").read_text(encoding="utf-8"))
    table |= {"births": 7, "executor": "serial", "tracker": "none"}
    table["trainer"] |= SHORT
    table["trainer"]["branching"] |= {
        "rollouts": 20,
        "interval": 5,
        "growth_begin": 0,
        "growth_end": 1,
    }
    table["trainer"]["ensemble"] |= {"fitting": {"epochs": 2}}
    history = api.search(table, out=tmp_path / "run").history
    metrics = [one.outcome.metrics for one in history if isinstance(one.outcome, Evaluation)]
    assert len(metrics) == 7
    assert min(one["imagined_steps"] for one in metrics) >= 60, "at steps 10, 15 and 20"
    assert len({str(one.birth.genome.settings) for one in history}) > 1
    assert len({str(one.birth.genome.architecture) for one in history}) > 1
