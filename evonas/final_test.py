"""The one look at the test data: the best candidate as inherited, and trained from scratch."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from evonas import plugins, rows, seeds, store, strict
from evonas.cohorts import Cohorts
from evonas.config import Run
from evonas.errors import ConfigError
from evonas.history import Evaluation, Individual
from evonas.models import fresh_model, showing, trained_model

FILE = "test.json"
Results = Mapping[str, Mapping[str, float]]


def read_test(folder: Path) -> Results:
    """Return the recorded results by arm (`inherited`, `from scratch`), or nothing."""
    path = folder / FILE
    if not path.exists():
        return {}
    arms = rows.mapping(strict.read(path), FILE)
    return {
        rows.name(arm, FILE): rows.numbers(found, f"{FILE}: {arm}") for arm, found in arms.items()
    }


def test_best(folder: Path, run: Run, best: Individual) -> Results:
    """Judge the best candidate on the test data, once; a second call returns the first's results.

    Selection has inherited weights that were trained along the whole lineage; the same genome
    trained from fresh weights (with the run file's `retrain` fields) tells how much of the result
    is the architecture's.

    Raises:
        ConfigError: if the candidate has no weights.
    """
    if results := read_test(folder):
        return results
    outcome = best.outcome
    if not isinstance(outcome, Evaluation) or not outcome.weights:
        raise ConfigError(f"candidate {best.number} has no weights to test")
    results = {
        "inherited": _inherited(folder, run, best),
        "from scratch": _from_scratch(folder, run, best),
    }
    store.write_text(folder / FILE, json.dumps(results, indent=2) + "\n")
    return results


def _inherited(folder: Path, run: Run, best: Individual) -> dict[str, float]:
    model = trained_model(run.space, folder, best)
    context = showing(folder, run, best.birth.seed)
    trainer = plugins.with_settings(run.trainer, best.birth.genome.settings)
    metrics = trainer.test(model.to(context.device), context)
    return {"candidate": best.number, **metrics}


def _from_scratch(folder: Path, run: Run, best: Individual) -> dict[str, float]:
    seed = seeds.integer(run.seed, "retrain", best.number)
    settings = {**best.birth.genome.settings, **run.retrain}
    trainer = plugins.with_settings(run.trainer, settings)
    context = showing(folder, run, seed)
    model: nn.Module = fresh_model(run.space, best.birth.genome, seed).to(context.device)
    if run.cohort is not None:
        signatures = trainer.signatures(context.prepared)
        cohorts = Cohorts.of(run.cohort, run.space, signatures, folder)
        if reason := cohorts.refusal(best.birth.genome, trainer):
            raise ConfigError(f"the best candidate cannot be retrained in its cohort: {reason}")
        context = cohorts.lent(context, best.birth.genome, trainer, model)
    trained = trainer.train(model, context)
    metrics = trainer.test(model, context)
    return {"candidate": best.number, "samples": trained.samples, **metrics}
