"""Members of the front are MLflow models that load without evonas."""

import numpy as np
import pytest
import torch
from histories import history
from mlflow import MlflowClient
from mlflow.pytorch import load_model
from mlflow_reading import LONG, candidates, search
from torch import nn

from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.tracker import Loaded, track


def trained(number: int) -> dict[str, Loaded]:
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    for parameter in layers.parameters():
        nn.init.constant_(parameter, 0.1 * number)
    return {"net": (layers.eval(), np.ones((2, 1, 8, 8), np.float32))}


def policy(number: int) -> dict[str, Loaded]:
    torch.manual_seed(number)
    example = np.zeros((2, 3), np.float32)
    return {
        name: (nn.Linear(3, out).eval(), example) for name, out in (("actor", 2), ("critic", 1))
    }


def broken(number: int) -> dict[str, Loaded]:
    raise FileNotFoundError(f"weights of {number} are gone")


@pytest.mark.slow
def test_members_of_the_front_are_logged_with_signature_and_example(uri: str) -> None:
    for _ in range(2):
        assert track(MlflowTracker(uri=uri), search(trained), history(), (2, 5), LONG) == ""
    client, runs = MlflowClient(uri), candidates(uri)
    models = client.search_logged_models([runs[0].info.experiment_id])
    assert sorted(model.name for model in models) == ["candidate-2", "candidate-5"]
    for number in (2, 5):
        model_id = runs[number].data.tags["evonas.model"]
        entry = client.get_logged_model(model_id)
        assert entry.source_run_id == runs[number].info.run_id
        metrics = {metric.key: metric.value for metric in entry.metrics or ()}
        assert metrics["error"] == runs[number].data.metrics["error"]
        files = {file.path for file in client.list_logged_model_artifacts(model_id)}
        assert {"MLmodel", "input_example.json"} <= files
        loaded = load_model(entry.artifact_location)
        model, _ = trained(number)["net"]
        inputs = torch.linspace(-1.0, 1.0, 3 * 64).reshape(3, 1, 8, 8)
        assert torch.allclose(loaded(inputs), model(inputs))


@pytest.mark.slow
def test_a_candidate_of_several_networks_is_a_model_each(uri: str) -> None:
    for _ in range(2):
        assert track(MlflowTracker(uri=uri), search(policy), history(), (2,), LONG) == ""
    client, runs = MlflowClient(uri), candidates(uri)
    models = client.search_logged_models([runs[0].info.experiment_id])
    assert {model.name for model in models} == {"candidate-2-actor", "candidate-2-critic"}
    for model_id, model in zip(
        runs[2].data.tags["evonas.model"].split(), policy(2).values(), strict=True
    ):
        loaded = load_model(client.get_logged_model(model_id).artifact_location)
        assert torch.allclose(loaded(torch.ones(4, 3)), model[0](torch.ones(4, 3)))


def test_a_model_that_cannot_be_loaded_is_told_and_harms_nothing(uri: str) -> None:
    told = track(MlflowTracker(uri=uri), search(broken), history(), (2, 5), LONG)
    assert told.startswith("2 of 2 models are not in MLflow (FileNotFoundError: weights of 5")
    assert len(candidates(uri)) == 8


def test_no_model_is_logged_where_none_is_wanted(uri: str) -> None:
    tracker = MlflowTracker(uri=uri, models=False)
    assert track(tracker, search(broken), history(), (2, 5), LONG) == ""
