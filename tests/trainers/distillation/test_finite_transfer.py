"""Whatever finite numbers come in, every loss and target is finite, and so are its gradients."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from evonas.aggregation import Aggregation
from evonas.devices import seeded
from evonas.genome.cohort_kinds import Ends
from evonas.plugins import construct, names
from evonas.transfer import Transfer

SHAPES = {"logits": (5,), "vectors": (6,), "maps": (3, 2, 4)}


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, int, float, Tensor]:
    """Draw a seed, a number of samples, the size of activations, and labels of few classes.

    Sizes go down to zero, where all samples are the same, and up to where exponentials overflow.
    """
    num_samples = draw(st.integers(2, 6))
    labels = draw(st.lists(st.integers(0, 3), min_size=num_samples, max_size=num_samples))
    size = draw(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 1e2, 1e4]))
    return draw(st.integers(0, 2**31)), num_samples, size, torch.tensor(labels)


def some(ends: Ends, num_samples: int, size: float, generator: torch.Generator) -> Tensor:
    shape = (num_samples, *SHAPES[ends])
    return (size * torch.randn(shape, generator=generator)).requires_grad_()


def assert_finite(value: Tensor, *ends: Tensor) -> None:
    assert value.isfinite().all()
    gradients = torch.autograd.grad(value.sum(), ends, allow_unused=True)
    assert all(one is None or one.isfinite().all() for one in gradients)


@pytest.mark.parametrize("name", sorted(names(Transfer)))
@settings(max_examples=15, deadline=None, derandomize=True)
@given(batch=batches())
def test_a_loss_is_never_nan(name: str, batch: tuple[int, int, float, Tensor]) -> None:
    plugin = construct(Transfer, name, name)
    seed, num_samples, size, labels = batch
    generator = torch.Generator().manual_seed(seed)
    to = some(plugin.kind.ends, num_samples, size, generator)
    source = some(plugin.kind.ends, num_samples, 1.0, generator) if plugin.kind.has_source else None
    loss = plugin.loss(to, source, labels)
    assert loss.shape == (num_samples,)
    assert_finite(loss, *([to] if source is None else [to, source]))


@pytest.mark.parametrize("name", sorted(names(Aggregation)))
@settings(max_examples=15, deadline=None, derandomize=True)
@given(batch=batches())
def test_a_target_is_never_nan(name: str, batch: tuple[int, int, float, Tensor]) -> None:
    plugin = construct(Aggregation, name, name)
    kind = plugin.kind
    seed, num_samples, size, labels = batch
    generator = torch.Generator().manual_seed(seed)
    inputs = [some(kind.inputs, num_samples, size, generator) for _ in range(3)]
    num_queries = {"none": 0, "one": 1, "each": 3}[kind.queries]
    queries = [some(kind.query_ends, num_samples, size, generator) for _ in range(num_queries)]
    with seeded(seed, torch.device("cpu")):
        module = plugin.start([SHAPES[kind.inputs]] * 3, [SHAPES[kind.query_ends]] * num_queries)
    target = module.forward(inputs, queries, labels)
    rows = (3,) if kind.has_rows else ()
    assert target.shape == (*rows, *inputs[0].shape)
    assert (module.weights is None) == (not kind.has_parameters)
    assert_finite(target, *inputs, *queries, *module.parameters())
    assert_finite(module.label_loss(module.forward(inputs, queries, labels), labels), *inputs)
