"""The fixed small network that teaches and scores when nobody brings a better one."""

from torch import nn

from evonas.networks import Signature


def reference_network(signature: Signature) -> nn.Module:
    """Build it with fresh weights: four convolutions for pictures, two layers for vectors."""
    (classes,) = signature.outputs
    if len(signature.inputs) == 1:
        features = signature.inputs[0]
        return nn.Sequential(
            nn.Linear(features, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, classes)
        )
    return nn.Sequential(
        *_convolution(signature.inputs[0], 32, stride=1),
        *_convolution(32, 64, stride=2),
        *_convolution(64, 64, stride=1),
        *_convolution(64, 128, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, classes),
    )


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
