"""How good a classifier is on data that it does not learn from."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.measure import evaluating
from evonas.morph.calibrate import reestimate
from evonas_trainers.augment import normalise
from evonas_trainers.slots import cut

_BATCH = 128


def logits(model: nn.Module, inputs: Tensor, data: Mapping[str, Tensor]) -> Tensor:
    """Return the float32 outputs for raw inputs, in eval mode and float32."""
    with evaluating(model):
        return torch.cat([model(normalise(part, data)).float() for part in inputs.split(_BATCH)])


def judge(
    model: nn.Module, data: Mapping[str, Tensor], part: Literal["train", "valid", "test"]
) -> dict[str, float]:
    """Return `error` and `accuracy` (shares of the samples) and `loss` (nats) on one part.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    targets = data[f"{part}_y"]
    outputs = logits(model, data[f"{part}_x"], data)
    loss = F.cross_entropy(outputs, targets).item()
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss on the {part} data is {loss}")
    accuracy = (outputs.argmax(1) == targets).sum().item() / len(targets)
    return {"error": 1 - accuracy, "loss": loss, "accuracy": accuracy}


def recalibrate(
    model: nn.Module, data: Mapping[str, Tensor], samples: int, batch_size: int
) -> None:
    """Measure batch-norm statistics anew, on so many of the training inputs as they are."""
    inputs = data["train_x"][:samples]
    batches = cut(torch.arange(len(inputs)), batch_size)
    reestimate(model, (normalise(inputs[rows], data) for rows in batches))
