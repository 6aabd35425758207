"""A class-conditional autoencoder made of two networks, with room for a larger code.

"Learning Structured Output Representation using Deep Conditional Generative Models" (Sohn, Lee,
Yan, 2015): encoder and decoder are told the class. The encoder returns means and log-variances of
the code, the decoder's end is between 0 and 1.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.networks import Signature, Signatures

Reads = Literal["vector", "picture"]
"""What an encoder reads: all numbers and the class as one vector; or a picture with a further
channel for every class, of which one is full of ones."""


@final
@dataclass(frozen=True, kw_only=True)
class Form:
    """What the networks must fit.

    Attributes:
        shape: Channels, height and width of a picture.
        classes: Number of classes.
        room: Numbers of the longest code.
        reads: See `Reads`.
    """

    shape: tuple[int, int, int]
    classes: int
    room: int
    reads: Reads

    def signatures(self) -> Signatures:
        """Return the two networks."""
        channels, height, width = self.shape
        numbers = channels * height * width
        inputs = (
            (numbers + self.classes,)
            if self.reads == "vector"
            else (channels + self.classes, height, width)
        )
        return {
            "encoder": Signature(inputs, (2 * self.room,)),
            "decoder": Signature((self.room + self.classes,), (numbers,)),
        }


@final
@dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """Two networks and how to ask them.

    Attributes:
        form: What they fit.
        encoder: From picture and class to what is known of the code.
        decoder: From code and class to the picture.
        latent: Numbers of the code that are used, the first ones; all others are 0.
    """

    form: Form
    encoder: nn.Module
    decoder: nn.Module
    latent: int

    def encoded(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the code, (batch, latent) each."""
        told = F.one_hot(labels, self.form.classes).to(pictures.dtype)
        if self.form.reads == "picture":
            planes = told[:, :, None, None].expand(-1, -1, *pictures.shape[2:])
            found = self.encoder(torch.cat([pictures, planes], 1))
        else:
            found = self.encoder(torch.cat([pictures.flatten(1), told], 1))
        mean, log_variance = found.float().chunk(2, 1)
        return mean[:, : self.latent], log_variance[:, : self.latent]

    def decoded(self, code: Tensor, labels: Tensor) -> Tensor:
        """Return pictures of the labels' classes."""
        told = F.one_hot(labels, self.form.classes).to(code.dtype)
        padded = F.pad(code, (0, self.form.room - self.latent))
        made = self.decoder(torch.cat([padded, told], 1)).float()
        return made.unflatten(1, self.form.shape)

    def generated(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return pictures of the labels' classes, codes drawn from the prior."""
        return self.decoded(self.drawn(labels, generator), labels)

    def drawn(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return a code from the prior for every label, drawn on the CPU."""
        return torch.randn(len(labels), self.latent, generator=generator).to(labels.device)

    def frozen(self) -> "Autoencoder":
        """Return a copy that learns nothing any more."""
        encoder, decoder = (
            copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
            for network in (self.encoder, self.decoder)
        )
        return replace(self, encoder=encoder, decoder=decoder)
