"""OKDDip's attention is its formula, a row for every peer."""

import pytest
import torch
from literal_transfer import dot, softmax
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.distillation.aggregators.peer_attention import PeerAttention

LABELS = torch.tensor([0, 1, 2, 3])
SHAPES = [(5,)] * 3


def peers(*widths: int) -> tuple[list[Tensor], list[Tensor]]:
    """Make the logits of peers, and the vectors that their last layers read."""
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(4, 5, generator=generator) for _ in widths]
    return logits, [torch.randn(4, width, generator=generator) for width in widths]


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("mask_self", [False, True])
@pytest.mark.parametrize("widths", [(6, 6, 6), (6, 4, 6)], ids=["alike", "unlike"])
def test_attention_is_its_formula(
    *, widths: tuple[int, int, int], mask_self: bool, is_scaled: bool
) -> None:
    logits, vectors = peers(*widths)
    rule = PeerAttention(mask_self=mask_self, is_scaled=is_scaled)
    module = rule.start(SHAPES, [(width,) for width in widths])
    target = module.forward(logits, vectors, LABELS).detach()
    tensors = module.state_dict()
    for sample in range(4):
        asking, asked = (
            [
                [
                    dot(row, one[sample].tolist())
                    for row in tensors[f"{part}.{width}.weight"].tolist()
                ]
                for one, width in zip(vectors, widths, strict=True)
            ]
            for part in ("queries", "keys")
        )
        for m in range(3):
            others = [n for n in range(3) if not mask_self or n != m]
            scale = 8**0.5 if is_scaled else 1.0
            weights = softmax([dot(asking[m], asked[n]) / scale for n in others])
            expected = sum(w * logits[n][sample] for w, n in zip(weights, others, strict=True))
            torch.testing.assert_close(target[m, sample], expected, rtol=1e-4, atol=1e-5)


def test_peers_of_one_width_share_their_projections() -> None:
    module = PeerAttention().start(SHAPES, [(6,)] * 3)
    shapes = {name: tuple(one.shape) for name, one in module.named_parameters()}
    assert shapes == {"queries.6.weight": (8, 6), "keys.6.weight": (8, 6)}


def test_a_masked_peer_has_no_weight_in_its_own_target() -> None:
    logits, vectors = peers(6, 6, 6)
    module = PeerAttention(mask_self=True).start(SHAPES, [(6,)] * 3)
    module.forward(logits, vectors, LABELS)
    assert module.weights is not None
    assert module.weights.shape == (3, 4, 3)
    assert not module.weights.diagonal(dim1=0, dim2=2).any()


def test_the_labels_loss_is_the_mean_of_all_rows() -> None:
    logits, vectors = peers(6, 6, 6)
    module = PeerAttention().start(SHAPES, [(6,)] * 3)
    target = module.forward(logits, vectors, LABELS)
    rows = [torch.nn.functional.cross_entropy(row, LABELS) for row in target]
    torch.testing.assert_close(module.label_loss(target, LABELS), sum(rows[1:], rows[0]) / 3)


def test_a_lone_peer_cannot_leave_itself_out() -> None:
    with pytest.raises(ConfigError, match="mask_self leaves a lone input nobody"):
        PeerAttention(mask_self=True).start([(5,)], [(6,)])


def test_a_width_of_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="width needs a whole number above 0"):
        PeerAttention(width=0)
