"""Dynamic sparse training: DS-TD3 and DS-SAC, for whatever learns by actor, critics and targets.

"Dynamic Sparse Training for Deep Reinforcement Learning" (Sokar, Mocanu, Mocanu, Pechenizkiy and
Stone, 2022, IJCAI, https://arxiv.org/abs/2106.04217): actor and critics are sparse from the first
step on; every few steps (TopologicalAdaptation) each layer drops the connections closest to zero,
of either sign, and grows as many anywhere, from zero; after every move of the targets
(MaintainSparsity) these keep as many weights as their networks have, the largest. How many each
layer has, when connections move, and how many, are pruning genes here: the presets `ds-td3` and
`ds-sac` start from the paper's. The output layers stay dense.

Unlike the authors' code, in which gradients and Adam move pruned weights until they are masked
again, and grown ones begin at the step that Adam last took: here gradients, weights and moments are
0 where nothing is, and grown ones begin at 0 with moments of 0, as the paper says. Inheritance is
ours: of a trained network the strongest connections stay, where a fresh one gets random ones. A
target starts as a copy of its sparse network. An inherited one is kept, at as many weights, unless
the child lost weights of its own at birth: then it starts anew, since it follows another network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from evonas import plugins
from evonas.errors import ConfigError
from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.regrow import Regrow, RegrowPruner
from evonas_trainers.pruning.soft import num_pruned
from evonas_trainers.slots import Pruner, Pruning

RULES = frozenset({"regrow"})
"""What trainers of policies prune by: rules that need no loss of their own."""


@final
class Sparsity:
    """What is pruned of a candidate of several networks, each of which takes steps of its own.

    Attributes:
        has_lost: Whether what was pruned at the beginning had weights.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: PruningPlan,
        generator: torch.Generator,
        *,
        is_inherited: bool = False,
    ) -> None:
        """Begin.

        Args:
            model: Of the networks.
            plan: What of them goes.
            generator: Draws connections.
            is_inherited: Whether the model has been trained.

        Raises:
            ConfigError: if the plan's rule is another than `regrow`.
        """
        rule = plugins.construct(Pruning, plan.schedule.rule, "the schedule's rule")
        if not isinstance(rule, Regrow):
            raise ConfigError(
                f"policies are pruned by the rule 'regrow', and preset {plan.schedule.preset!r} has"
                f" {plan.schedule.rule['name']!r}; take 'ds-td3', 'ds-sac', 'set' or 'rigl'"
            )
        self._rule, self._model, self._plan, self._generator = rule, model, plan, generator
        self._is_inherited = is_inherited
        self._pruners: list[RegrowPruner] = []
        self.has_lost = False

    def pruner(self, names: Sequence[str], interval: int) -> Pruner:
        """Set what is pruned of some networks to zero; return what acts in their steps.

        Args:
            names: Of the networks.
            interval: Updates from one of their steps to the next.
        """
        schedule = self._plan.schedule
        plan = replace(
            self._plan,
            schedule=replace(schedule, interval=max(1, schedule.interval // interval)),
            weights=self._weights(names),
        )
        before = self._num_weights(plan)
        if self._is_inherited:
            self._keep_strongest(plan)
        pruner = self._rule.start(self._model, plan, self._generator)
        self.has_lost |= self._num_weights(plan) < before
        self._pruners.append(pruner)
        return pruner

    @property
    def active(self) -> Mapping[str, Tensor]:
        """The connections there are now, True, by parameter name."""
        return {name: kept for one in self._pruners for name, kept in one.active.items()}

    @torch.no_grad()
    def maintain(self, targets: nn.Module) -> None:
        """Keep of each target as many weights as its network has, the largest: MaintainSparsity."""
        for name, active in self.active.items():
            keep_largest(targets.get_parameter(name), int(active.sum()))

    def _weights(self, names: Sequence[str]) -> Mapping[str, int]:
        """Return the part of the plan that is about some networks."""
        starts = tuple(f"{name}." for name in names)
        return {name: keep for name, keep in self._plan.weights.items() if name.startswith(starts)}

    @torch.no_grad()
    def _keep_strongest(self, plan: PruningPlan) -> None:
        """Leave so many weights as there are at first, which the rule then finds."""
        for name, keep in plan.weights.items():
            weight = self._model.get_parameter(name)
            going = num_pruned(plan.schedule.rate.at(0.0), weight.numel(), keep)
            keep_largest(weight, weight.numel() - going)

    def _num_weights(self, plan: PruningPlan) -> int:
        return sum(int(self._model.get_parameter(name).count_nonzero()) for name in plan.weights)


def keep_largest(weight: Tensor, number: int) -> None:
    """Set all but the `number` weights of largest magnitude to zero, in place."""
    flat = weight.view(-1)
    flat[flat.abs().topk(len(flat) - number, largest=False).indices] = 0
