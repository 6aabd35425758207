"""Which filters of a model can be removed once they are zero, read from its torch.fx graph."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import fx, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.morph.modules import Lerp, Scale, SqueezeExcite

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_ZERO_STAYS = (
    *(nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout2d, Scale, Lerp, SqueezeExcite),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Tanh),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)
_ZERO_STAYS_IN_FUNCTION = frozenset(
    {
        *(operator.add, operator.mul, torch.add, torch.mul, torch.cat, torch.mean, torch.flatten),
        *(
            F.relu,
            F.relu6,
            F.leaky_relu,
            F.elu,
            F.silu,
            F.gelu,
            F.hardswish,
            torch.relu,
            torch.tanh,
        ),
        *(F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.dropout),
    }
)
_ZERO_STAYS_IN_METHOD = frozenset({"mean", "flatten", "relu", "add", "mul", "contiguous"})


@final
@dataclass(frozen=True)
class Filters:
    """The filters of a convolution, with the batch norm that alone reads it, if one does."""

    convolution: nn.Conv2d
    norm: nn.Module | None

    @property
    def parameters(self) -> Sequence[nn.Parameter]:
        """All tensors whose first dimension is the filters."""
        modules = [self.convolution] if self.norm is None else [self.convolution, self.norm]
        return [parameter for module in modules for parameter in module.parameters()]


def removable_filters(model: nn.Module) -> Sequence[Filters]:
    """Return the convolutions whose filters can be removed once they and their norm are zero.

    That is: on every way from there a zero channel stays zero until a layer mixes channels.
    Another batch norm, a grouped convolution or a sigmoid would make a constant of it; and the
    model's outputs must keep their number. What is not known to keep zeros counts as if it did not.

    Raises:
        ConfigError: if the model cannot be traced by torch.fx.
    """
    modules = dict(model.named_modules())
    found: list[Filters] = []
    for node in _graph(model).nodes:
        convolution = _layer(node, modules)
        if not isinstance(convolution, nn.Conv2d) or convolution.groups > 1:
            continue
        readers = list(node.users)
        reader = _layer(readers[0], modules) if len(readers) == 1 else None
        norm = reader if isinstance(reader, _NORMS) else None
        if _vanishes(node if norm is None else readers[0], modules):
            found.append(Filters(convolution, norm))
    return found


def _vanishes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Say whether a channel that is zero after `node` changes nothing further on."""
    return all(
        _mixes(reader, modules) or (_keeps_zero(reader, modules) and _vanishes(reader, modules))
        for reader in node.users
    )


def _mixes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    layer = _layer(node, modules)
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _keeps_zero(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    match node.op:
        case "call_module":
            return isinstance(_layer(node, modules), _ZERO_STAYS)
        case "call_function":
            return node.target in _ZERO_STAYS_IN_FUNCTION
        case "call_method":
            return node.target in _ZERO_STAYS_IN_METHOD
        case _:
            return False


def _layer(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _graph(model: nn.Module) -> fx.Graph:
    if isinstance(model, fx.GraphModule):
        return model.graph
    try:
        return fx.symbolic_trace(model).graph
    except (RuntimeError, TypeError, ValueError, NameError) as error:
        raise ConfigError(
            f"torch.fx cannot follow {type(model).__name__} ({error}), so its filters cannot be "
            "pruned; its forward must not branch on values"
        ) from error
