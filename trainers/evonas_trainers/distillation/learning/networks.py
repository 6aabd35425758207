"""The networks of a cohort in one training: which of them learn now, what they say, what they cost.

A network that does not train now is in eval mode, without gradients; one that shares parameters
with another that trains is as that one is.
"""

from collections.abc import Iterable, Mapping
from typing import final

import torch
from torch import Tensor, nn

from evonas.cohort_plan import CohortPlan
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Stage, split_end
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas_trainers.distillation.learning.tapped import Tapped
from evonas_trainers.slots import Batch

_FORWARD, _TRAINED = 1, 3
"""Passes that a network takes; a backward pass costs two forward ones."""


@final
class Networks:
    """Runs the networks, each at most once for a batch.

    Attributes:
        models: By node, the candidate included, as they were given.
        macs: What has been spent, beyond three passes of the candidate for every sample.
    """

    def __init__(self, plan: CohortPlan, model: nn.Module, ends: Iterable[str]) -> None:
        """Prepare to read these ends; aggregators among them are passed over."""
        self._plan = plan
        self.models: Mapping[str, nn.Module] = {CANDIDATE: model, **plan.networks}
        self.macs = 0.0
        wanted = _wanted(plan, ends)
        for one in self.models.values():
            one.to(memory_format=torch.channels_last)
        self._tapped = {node: Tapped(one, wanted[node], node) for node, one in self.models.items()}
        self._trained: frozenset[str] = frozenset()
        self._flags = {
            tensor: tensor.requires_grad
            for one in self.models.values()
            for tensor in one.parameters()
        }

    @property
    def candidate(self) -> nn.Module:
        """What is run in place of the candidate's model."""
        return self._tapped[CANDIDATE].network

    @property
    def running(self) -> Iterable[nn.Module]:
        """What is run in place of all models; these have the parameters of those."""
        return [tapped.network for tapped in self._tapped.values()]

    @property
    def trained(self) -> frozenset[str]:
        """The nodes that train now."""
        return self._trained

    def begin(self, stage: Stage) -> None:
        """Take the stage's snapshots; let its nodes train, and no others."""
        for node in stage.snapshots:
            source = self.models[self._plan.cohort.nodes[node].of]
            self.models[node].load_state_dict(source.state_dict())
        self._trained = frozenset(stage.train) & self.models.keys()
        for tensor in self._flags:
            tensor.requires_grad_(False)
        for node in self._trained:
            self.models[node].requires_grad_(True)
        self.set_modes()

    def set_modes(self) -> None:
        """Put what trains into training mode, all else into that of evaluation."""
        for node in self.models.keys() - self._trained:
            self._set_mode(node, is_training=False)
        for node in self._trained:
            self._set_mode(node, is_training=True)

    def run(self, node: str, inputs: Tensor, *, learns: bool = True) -> None:
        """Run a network; its values can be read then, with a gradient if it learns from them."""
        with torch.set_grad_enabled(learns and node in self._trained):
            self._tapped[node].network(inputs)

    def split(self, node: str, number: int) -> Tensor:
        """Keep the first outputs of a network's last run as its logits; return the others."""
        features = self._tapped[node].features
        outputs = features[LOGITS]
        features[LOGITS] = outputs[:, :number]
        return outputs[:, number:]

    def charge(self, batch: Batch, run: Iterable[str]) -> None:
        """Count what a step costs in which these networks ran, the candidate perhaps among them."""
        passes = {node: _TRAINED if node in self._trained else _FORWARD for node in run}
        spent = sum(passes[node] * self._plan.macs[node] for node in passes)
        self.macs += len(batch.targets) * (spent - _TRAINED * self._plan.macs[CANDIDATE])

    def charge_forward(self, node: str, samples: int) -> None:
        """Count a pass of its own over some samples."""
        self.macs += samples * self._plan.macs[node]

    def charge_trained(self, node: str, samples: int) -> None:
        """Count a pass over some samples, and the one back."""
        self.macs += samples * self._plan.macs[node] * _TRAINED

    def charge_virtual(self, node: str, samples: int, passes: int) -> None:
        """Count passes of a virtual step; what does not train is run once."""
        self.macs += samples * self._plan.macs[node] * (passes if node in self._trained else 1)

    def value(self, end: str) -> Tensor:
        """Return what a network's last run had at `node:tap`, in the precision it ran in."""
        node, tap = split_end(end)
        return self._tapped[node].features[tap]

    def clear(self) -> None:
        """Forget all values."""
        for tapped in self._tapped.values():
            tapped.clear()

    def release(self) -> None:
        """Leave all parameters as trainable as they were."""
        self.clear()
        for tensor, flag in self._flags.items():
            tensor.requires_grad_(flag)

    def _set_mode(self, node: str, *, is_training: bool) -> None:
        self.models[node].train(is_training)
        self._tapped[node].network.train(is_training)


def tap_at(plan: CohortPlan, end: str) -> Tap:
    """Return the tap of an end.

    Raises:
        ConfigError: if there is none.
    """
    node, name = split_end(end)
    taps = plan.taps.get(node)
    if taps is None or name not in taps:
        known = sorted(plan.taps) if taps is None else sorted(taps)
        what = "node" if taps is None else f"tap of node {node!r}"
        raise ConfigError(f"the end {end!r} names no {what}; there are {', '.join(known)}")
    return taps[name]


def _wanted(plan: CohortPlan, ends: Iterable[str]) -> Mapping[str, Mapping[str, Tap]]:
    """Return by node the taps that are read, and always its outputs."""
    wanted: dict[str, dict[str, Tap]] = {
        node: {LOGITS: taps[LOGITS]} for node, taps in plan.taps.items()
    }
    for end in ends:
        node, name = split_end(end)
        if name:
            wanted[node][name] = tap_at(plan, end)
    return wanted
