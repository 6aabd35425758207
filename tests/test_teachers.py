"""The teachers of a search: made once, kept in its folder, refused by name if they cannot teach."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.cohort_search import COHORT, network, started, taught

from evonas import api
from evonas.errors import ConfigError
from evonas.teachers import KeptTeacher, kept_teachers

NETWORK = {"network": "support.cohort_search:network"}


def test_a_teacher_is_trained_as_a_candidate_is_but_for_its_settings(tmp_path: Path) -> None:
    errors: list[str] = []
    _ = started(tmp_path, taught({"width": 3.0, "settings": {"steps": 2}}), errors.append)
    assert [text.partition(":")[0] for text in errors] == [
        "teacher 'master', step 0",
        "teacher 'master', step 1",
    ]
    assert kept_teachers(tmp_path)["master"].parameters == 2 * 12 + 12 + 12 * 4 + 4


def test_a_teacher_is_not_made_again_but_where_it_would_be_another(tmp_path: Path) -> None:
    told: list[str] = []
    for settings in ({"steps": 1}, {"steps": 1}, {"steps": 2}):
        _ = started(tmp_path, taught({"width": 2.0, "settings": settings}), told.append)
    assert len(told) == 1 + 0 + 2


def test_teachers_weights_depend_on_the_runs_seed(tmp_path: Path) -> None:
    digests = [
        kept(tmp_path / folder, taught({"width": 2.0}), seed=seed).weights
        for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert digests[0] == digests[1] != digests[2]


def kept(folder: Path, cohort: object, **changes: Any) -> KeptTeacher:
    _ = started(folder, cohort, **changes)
    return kept_teachers(folder)["master"]


def test_a_network_of_plain_layers_can_be_read_inside(tmp_path: Path) -> None:
    weights = tmp_path / "master.safetensors"
    trained = network(hidden=5)
    save_file(trained.state_dict(), weights)
    teacher = {**NETWORK, "arguments": {"hidden": 5}, "weights": str(weights)}
    found = kept(tmp_path / "run", taught(teacher))
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert found.graph is not None
    assert torch.allclose(found.module(tmp_path / "run")(x), trained(x))


def test_any_other_network_can_be_read_at_its_outputs(tmp_path: Path) -> None:
    told: list[str] = []
    found = started(tmp_path, taught({"network": "support.cohort_search:Doubled"}), told.append)
    assert found.question.cohort is not None
    assert set(found.question.cohort.teachers["master"]) == {"logits"}
    assert "'master' can be read at its outputs alone" in told[0]
    teacher = kept_teachers(tmp_path)["master"]
    x = torch.ones(1, 2)
    assert torch.equal(teacher.module(tmp_path)(x), teacher.module(tmp_path)(x))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"2.bias": None}, "has no tensor '2.bias', which the network has"),
        ({"3.bias": torch.zeros(1)}, "has a tensor '3.bias', which the network has not"),
        ({"2.bias": torch.zeros(9)}, "'2.bias' has the shape (9,) in "),
    ],
)
def test_a_file_that_does_not_fit_the_teacher_is_refused(
    tmp_path: Path, tensors: Mapping[str, torch.Tensor | None], said: str
) -> None:
    weights = tmp_path / "master.safetensors"
    given = {**network().state_dict(), **tensors}
    save_file({name: one for name, one in given.items() if one is not None}, weights)
    refused(
        tmp_path / "run", taught({**NETWORK, "weights": str(weights)}), "teacher 'master': ", said
    )


def refused(folder: Path, cohort: object, *said: str, **changes: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        api.search({**COHORT, "cohort": cohort, **changes}, out=folder)
    for part in said:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({**NETWORK, "arguments": {"outputs": 9}}, "it makes (9,) of (2,), the trainer wants (4,)"),
        ({**NETWORK, "arguments": {"inputs": 7}}, "it does not take inputs of (2,)"),
        ({**NETWORK, "arguments": {"hid": 7}}, "cannot make the network"),
        ({**NETWORK, "weights": "nowhere.safetensors"}, "cannot read the weights 'nowhere"),
        ({"network": "nowhere:network"}, "cannot import 'nowhere:network'"),
        ({"network": "support.cohort_search:taught"}, "cannot make the network"),
        ({"width": 2.0, "settings": {"lr": 1e30}}, "its training diverged"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused_by_name(
    tmp_path: Path, teacher: Mapping[str, Any], said: str
) -> None:
    refused(tmp_path / "run", taught(teacher), "teacher 'master': ", said)
