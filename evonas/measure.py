"""What a candidate costs, measured on the built model: parameters, MACs, memory.

All of it at batch size 1, in eval mode, without gradients. A model of several networks is an
`nn.ModuleDict` with the names of the signatures, and costs the sum of its networks; `memory` adds
only the largest of their activations, because they run one after the other.
"""

import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from evonas.networks import Signatures, named

MEASURES = ("parameters", "macs", "latency", "memory")
"""The names of what is measured here, and by `evonas.latency`; the smaller the better."""


def static(model: nn.Module, signatures: Signatures) -> Mapping[str, float]:
    """Return `parameters` and `macs`, which depend on the architecture alone.

    `macs` are the multiply-accumulates of convolutions and matrix products, half of what torch's
    flop counter counts; element-wise work is left out, as in the literature. Works on a model on
    the meta device, where nothing is computed.
    """
    macs = 0
    with evaluating(model):
        for net, inputs in runnable(model, signatures):
            counter = FlopCounterMode(display=False)
            with counter:
                net(inputs)
            macs += counter.get_total_flops() // 2
    return {"parameters": sum(p.numel() for p in model.parameters()), "macs": macs}


def peak_memory(model: nn.Module, signatures: Signatures, device: torch.device) -> int:
    """Return the bytes of parameters, buffers and the most activations alive at one time.

    Every tensor that an operation returns is counted from its making until Python frees it, input
    included: what eager execution holds. The kernels' scratch space and the allocator's rounding
    are left out, so the number is the same in every run.
    """
    model.to(device)
    peak = 0
    with evaluating(model):
        for net, inputs in runnable(model, signatures):
            known = chain(model.parameters(), model.buffers())
            meter = _Activations({tensor.untyped_storage() for tensor in known})
            meter.count(inputs)
            with meter:
                net(inputs)
            peak = max(peak, meter.peak)
    return peak + sum(t.nbytes for t in chain(model.parameters(), model.buffers()))


@contextmanager
def evaluating(model: nn.Module) -> Generator[None]:
    """Put `model` in eval mode without gradients inside; restore every module's mode after."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def runnable(model: nn.Module, signatures: Signatures) -> Iterator[tuple[nn.Module, Tensor]]:
    """Yield every network with an input of batch size 1 on the model's device."""
    first = next(chain(model.parameters(), model.buffers()), torch.empty(0))
    for name, network in named(model, signatures).items():
        inputs = torch.zeros(1, *signatures[name].inputs, device=first.device)
        if inputs.ndim == 4:
            inputs = inputs.to(memory_format=torch.channels_last)
        yield network, inputs


@final
class _Activations(TorchDispatchMode):
    """Follows the bytes of the storages that operations make, until they are freed."""

    def __init__(self, known: set[torch.UntypedStorage]) -> None:
        super().__init__()
        self.peak = 0
        self._alive = 0
        self._seen = weakref.WeakSet(known)

    def count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        self._alive += storage.nbytes()
        self.peak = max(self.peak, self._alive)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, size: int) -> None:
        self._alive -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.count(leaf)
        return result
