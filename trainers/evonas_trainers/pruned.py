"""A training that prunes: how it begins, and the smaller network that it ends in.

What is judged and kept is the network rebuilt without what was pruned. A masked network is not it:
the statistics of batch norms lag behind the removal, so they are measured anew before the judging.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn

from evonas import plugins
from evonas.pruning_plan import PruningPlan
from evonas.state import State
from evonas.trainer import Context
from evonas_trainers.slots import Pruner, Pruning

Metrics = Mapping[str, float]
Judge = Callable[[nn.Module], Metrics]


def started(model: nn.Module, context: Context, generator: torch.Generator) -> Pruner | None:
    """Begin to prune by the rule of the plan's schedule, if there is a plan.

    Raises:
        ConfigError: if there is no such rule, or it cannot follow the schedule.
    """
    if context.pruning is None:
        return None
    rule = plugins.construct(Pruning, context.pruning.schedule.rule, "the schedule's rule")
    return rule.start(model, context.pruning, generator)


def rebuilt(
    state: State, plan: PruningPlan, device: torch.device, judge: Judge, masked: Metrics
) -> tuple[Metrics, State]:
    """Return metrics and state of the network without what a finished pruner has zeroed.

    Args:
        state: Of the pruned model and its optimizer.
        plan: By which it was pruned.
        device: Where to judge.
        judge: Measures statistics anew, and then the metrics.
        masked: Metrics of the model as the last step of training left it.
    """
    model, small = plan.compacted(state)
    model = model.to(device).to(memory_format=torch.channels_last)
    metrics = judge(model)
    error, before = metrics["error"], masked["error"]
    gap = {"masked_error": before, "compact_error": error, "gap": error - before}
    return {**metrics, **gap}, replace(small, tensors=State.of(model).tensors)
