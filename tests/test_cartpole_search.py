"""The search of runs/cartpole.toml, cut short; and searches in which an environment goes wrong."""

import tomllib
from pathlib import Path

import pytest
from support.tiny_environments import HERE

from evonas import api
from evonas.errors import ConfigError
from evonas.history import Evaluation, Failure

pytestmark = pytest.mark.usefixtures("workplace")

FRAGILE, AIM = f"{HERE}:Fragile-v0", f"{HERE}:Aim-v0"


def short(environment: str, trainer: str = "ppo", **fields: object) -> dict[str, object]:
    """A search of a second or two."""
    judging = {"times": 1, "episodes": 2, "low": 0.0, "high": 2.0}
    return {
        "births": 6,
        "objectives": {"fitness": "max"},
        "space": {"name": "mlp", "hidden": 4},
        "trainer": {
            "name": trainer, "environment": environment, "steps": 256, "trials": 1,
            "judging": judging, **fields,
        },
        "controller": {"name": "eena", "population": 4},
        "executor": "serial",
        "tracker": "none",
    }  # fmt: skip


@pytest.mark.slow
def test_a_search_for_a_policy_hands_out_what_it_found(root: Path, workplace: Path) -> None:
    table = tomllib.loads((root / "runs/cartpole.toml").read_text(encoding="utf-8"))
    table |= {"births": 3, "executor": "serial", "tracker": "none", "retrain": {"steps": 512}}
    table["trainer"] |= {"steps": 512, "judging": {"times": 1, "episodes": 1}}
    found = api.search(table, out=workplace / "run")
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)
    best = found.best()
    assert best.metrics["final_return"] >= 8, "no pole falls sooner than in 8 steps"
    assert set(dict(best.model().named_children())) == {"actor", "critic"}
    page = found.report(workplace / "report.html", test=True).read_text(encoding="utf-8")
    assert "worst_return" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("raise", "error", f"the environment '{FRAGILE}' failed in a step: ValueError: the wheels"),
        ("nan reward", "diverged", f"a reward of '{FRAGILE}' is "),
    ],
)
def test_what_goes_wrong_in_an_environment_harms_one_candidate(
    workplace: Path, how: str, kind: str, said: str
) -> None:
    """The longer ones of the trainings get as far as that."""
    table = short(FRAGILE, options={"how": how})
    table |= {"births": 8, "genes": {"steps": {"choices": [256, 1024]}}}
    found = api.search(table, out=workplace / "run")
    failures = [one.outcome for one in found.history if isinstance(one.outcome, Failure)]
    assert 0 < len(failures) < len(found.history)
    assert {failure.kind for failure in failures} == {kind}
    assert all(said in failure.message for failure in failures)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (short("CartPol-v1"), "unknown environment 'CartPol-v1'; did you mean 'CartPole-v1'"),
        (short(AIM, "dqn"), "'dqn' chooses among actions"),
        (short("CartPole-v1", wheels=3), "unknown key in trainer: 'wheels'"),
        (short("CartPole-v1", options={"wheels": 3}), "unexpected keyword argument 'wheels'"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_once(
    workplace: Path, table: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        api.search(table, out=workplace / "run")
