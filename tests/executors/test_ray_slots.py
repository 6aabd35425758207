"""What of the executor `ray` needs no cluster."""

import sys
from dataclasses import replace
from typing import Any

import pytest
from support.executor_jobs import evaluate

from evonas.errors import ConfigError
from evonas.executors.ray_cluster import Ray


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"workers": 0}, "workers is 0; give 'auto' or at least 1"),
        ({"memory": 0}, "memory is 0; give megabytes"),
        ({"cpus_per_candidate": -1.0}, "cpus_per_candidate is -1.0; give 0 or more"),
        ({"cpus_per_candidate": 0.0}, "neither CPU nor GPU"),
        ({"gpus_per_candidate": 1.5}, "above 1, give a whole number"),
    ],
)
def test_fields_that_no_cluster_can_keep_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Ray(**fields)


def test_where_ray_is_missing_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'evonas\[ray\]'"):
        Ray().start(evaluate, print)


def test_what_cannot_be_pickled_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="define classes at the top of a module"):
        Ray().start(lambda job, _: evaluate(replace(job, number=0), _), print)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1"])
def test_an_address_without_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"give 'local', 'auto' or|there is no Ray cluster at"):
        Ray(address=address).start(evaluate, print)
