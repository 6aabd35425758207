"""The search of runs/meee.toml, cut short: networks and what imagines for them evolve together."""

import tomllib
from pathlib import Path

import pytest

from evonas import api
from evonas.history import Evaluation

SHORT = {
    "steps": 60,
    "start_steps": 40,
    "trials": 1,
    "updates": 1,
    "options": {"max_episode_steps": 20},
    "judging": {"times": 2, "episodes": 1},
}


@pytest.mark.slow
def test_a_search_of_imagining_policies_varies_what_imagines(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/meee.toml").read_text(encoding="utf-8"))
    table |= {"births": 6, "executor": "serial", "tracker": "none"}
    table["trainer"] |= SHORT
    table["trainer"]["branching"] |= {"rollouts": 50, "interval": 10}
    table["controller"]["population"] = 4
    history = api.search(table, out=tmp_path / "run").history
    metrics = [one.outcome.metrics for one in history if isinstance(one.outcome, Evaluation)]
    assert len(metrics) == 6
    assert min(one["imagined_steps"] for one in metrics) >= 150, "at steps 40, 50 and 60"
    assert len({str(one.birth.genome.settings) for one in history}) > 1
    assert len({str(one.birth.genome.architecture) for one in history}) > 1
