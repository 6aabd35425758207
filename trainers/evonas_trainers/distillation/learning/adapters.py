"""What brings two ends of an edge to one shape: learned with the cohort, and never handed over.

`match` is the regressor of "FitNets: Hints for Thin Deep Nets" (Romero et al., 2014,
https://arxiv.org/abs/1412.6550), a 1x1 convolution, or a linear layer for vectors; unlike there,
maps of another size are resized by adaptive average pooling. `embed` is the head of "Online
Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition" (Yang et al., 2022,
https://arxiv.org/abs/2207.11518): Linear-ReLU-Linear.
"""

from collections.abc import Mapping
from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.genome.shapes import Shape


@final
class Resize(nn.Module):
    """Bring maps to one height and width by adaptive average pooling."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self._size = (height, width)

    def forward(self, maps: Tensor) -> Tensor:
        """Resize (batch, channels, height, width)."""
        return F.adaptive_avg_pool2d(maps, self._size)


def adapter(shape: Shape, target: Shape, edge: str) -> nn.Module:
    """Return a map from one end's shape to another's, the identity where they agree.

    Raises:
        ConfigError: naming the edge, if one is of maps and the other of vectors.
    """
    if len(shape) != len(target):
        raise ConfigError(
            f"edge {edge!r} joins shapes {shape} and {target}; join maps to maps, vectors to"
            " vectors"
        )
    parts: list[nn.Module] = []
    if shape[0] != target[0]:
        is_map = len(shape) == 3
        parts.append(
            nn.Conv2d(shape[0], target[0], 1) if is_map else nn.Linear(shape[0], target[0])
        )
    if shape[1:] != target[1:]:
        parts.append(Resize(*target[1:]))
    return nn.Sequential(*parts)


def head(shape: Shape, width: int) -> nn.Module:
    """Return a head for vectors (maps are averaged first) whose outputs have `width` features."""
    pooling: list[nn.Module] = []
    if len(shape) == 3:
        pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*pooling, nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, width))


def adopt(module: nn.Module, inherited: Mapping[str, Tensor]) -> None:
    """Load what is inherited of a module, if all of it is there and fits; else leave it fresh."""
    own = module.state_dict()
    found = {name: inherited[name] for name in own if name in inherited}
    if found.keys() == own.keys() and all(found[name].shape == own[name].shape for name in own):
        module.load_state_dict(found)
