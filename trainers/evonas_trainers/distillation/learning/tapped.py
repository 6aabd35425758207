"""Reading values inside a network: a second code over the same modules that records them.

The copy has the parameters of the original under their names, so that it may run in its place. It
computes the same; nothing is hooked, and nothing has to be taken off again.
"""

from collections.abc import Mapping
from typing import final

from torch import Tensor, fx, nn

from evonas.errors import ConfigError
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.morph.build import LAYER

_RECORDER = "evonas_recorder"


@final
class Tapped:
    """A network whose values can be read after every run.

    Attributes:
        network: What is to be run.
        features: The values of the last run, by tap.
    """

    def __init__(self, model: nn.Module, taps: Mapping[str, Tap], node: str) -> None:
        """Prepare to read some taps; `node` is what errors call the network."""
        recorder = _Recorder()
        if isinstance(model, fx.GraphModule):
            self.network: nn.Module = _recording(model, taps, recorder, node)
        elif taps.keys() <= {LOGITS}:
            self.network = _Whole(model, recorder) if taps else model
        else:
            raise ConfigError(
                f"node {node!r} has no taps but {LOGITS!r}: it is no network of layers; given"
                f" {sorted(taps)}"
            )
        self.features = recorder.values

    def clear(self) -> None:
        """Forget the values, and with them what autograd holds."""
        self.features.clear()


@final
class _Recorder(nn.Module):
    """Has no parameters, and so no name among those of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Tensor] = {}

    def forward(self, value: Tensor, tap: str) -> Tensor:
        self.values[tap] = value
        return value


@final
class _Whole(nn.Module):
    """A network of unknown inside, of which the outputs are recorded."""

    def __init__(self, model: nn.Module, recorder: _Recorder) -> None:
        super().__init__()
        self._model, self._recorder = model, recorder

    def forward(self, inputs: Tensor) -> Tensor:
        return self._recorder(self._model(inputs), LOGITS)


def _recording(
    model: fx.GraphModule, taps: Mapping[str, Tap], recorder: _Recorder, node: str
) -> fx.GraphModule:
    """Copy the code, and record after each line whose value is tapped."""
    code = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    result = code.graph_copy(model.graph, copies)
    found = {copy.meta.get(LAYER, copy.name): copy for copy in copies.values()}
    for name, tap in taps.items():
        value = result if name == LOGITS else found.get(tap.layer)
        if not isinstance(value, fx.Node):
            raise ConfigError(
                f"node {node!r}: the tap {name!r} is of the layer {tap.layer!r}, which the network"
                f" does not compute; it has {', '.join(map(repr, found))}"
            )
        with code.inserting_after(value):
            code.call_module(_RECORDER, (value, name))
    code.output(result)
    root: dict[str, object] = {**dict(model.named_modules()), _RECORDER: recorder}
    root |= {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return fx.GraphModule(root, code, class_name=type(model).__name__)
