"""The removal of channels against Torch-Pruning, which finds by tracing what depends on what."""

from collections.abc import Callable, Sequence

import pytest
import torch
import torch_pruning as tp
from support.gene_edits import with_genes
from torch import Tensor, nn

from evonas.genome import Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Residual, Schedule
from evonas.measure import static
from evonas.morph.adopt import adopt
from evonas.morph.build import build
from evonas.morph.keep import Prunable
from evonas.morph.planned import planned
from evonas.networks import Signature
from evonas.state import State


class Plain(nn.Module):
    """Convolutions in a row, and flatten before the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
        )
        self.head = nn.Linear(12 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.body(x), 1))


class Shortcuts(nn.Module):
    """A stem and two residual blocks, the second with a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.one = self._branch(8, 8, 1)
        self.two = self._branch(8, 16, 2)
        self.project = nn.Conv2d(8, 16, 1, 2, bias=False)
        self.head = nn.Linear(16, 5)

    @staticmethod
    def _branch(given: int, out: int, stride: int) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(given, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()),
            *(nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.one(x))
        x = torch.relu(self.project(x) + self.two(x))
        return self.head(x.mean((2, 3)))


class Joined(nn.Module):
    """Two branches behind one another in a concatenation, a depthwise convolution behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(3, 6, 3, padding=1)
        self.right = nn.Conv2d(3, 4, 1)
        self.depthwise = nn.Conv2d(10, 10, 3, padding=1, groups=10)
        self.last = nn.Conv2d(10, 6, 1)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(torch.cat([self.left(x), self.right(x)], 1))
        return self.head(torch.relu(self.last(self.depthwise(x))).mean((2, 3)))


NETWORKS: Sequence[Callable[[], nn.Module]] = (Plain, Shortcuts, Joined)


def example() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def adopted(make: Callable[[], nn.Module]) -> tuple[Genome, State]:
    """Return a network with drawn weights and statistics as a genome with a state."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make()
        for _ in range(3):
            network(torch.randn(8, 3, 8, 8))
    graph, state = adopt(network.eval(), example())
    return Genome({"net": graph}), state


def loaded(genome: Genome, state: State) -> nn.Module:
    model = build(genome)
    model.load_state_dict(dict(state.tensors))
    return model.eval()


def silenced_and_rebuilt(
    genome: Genome, state: State, residual: Residual
) -> tuple[list[tuple[str, list[int]]], nn.Module]:
    """Silence half of every group; return by a layer of each what goes, and what is rebuilt."""
    sizes = Prunable.of(genome, residual).sizes
    kept = {name: Kept(size // 2, size) for name, size in sizes.items()}
    wide = with_genes(genome, PruningGenes(schedule=Schedule(residual=residual), kept=kept))
    plan = planned(wide, build)
    assert plan is not None
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    chosen: list[tuple[str, list[int]]] = []
    for group in plan.groups:
        gone = torch.randperm(group.size, generator=torch.Generator().manual_seed(1)).numpy()
        gone = gone[: group.size - group.keep]
        for name, places in group.weights.items():
            tensors[name][places[gone].reshape(-1)] = 0
        weight, places = next(iter(group.weights.items()))
        chosen.append((weight.removesuffix(".weight"), sorted(places[gone].reshape(-1).tolist())))
    small, _ = plan.compacted(State(tensors))
    return chosen, small.eval()


@pytest.mark.parametrize("residual", ["inner", "coupled"])
@pytest.mark.parametrize("make", NETWORKS)
def test_the_same_channels_removed_by_its_dependency_graph_leave_the_same_network(
    make: Callable[[], nn.Module], residual: Residual
) -> None:
    genome, state = adopted(make)
    chosen, small = silenced_and_rebuilt(genome, state, residual)
    theirs = loaded(genome, state)
    for layer, gone in chosen:
        dependencies = tp.DependencyGraph().build_dependency(theirs, example_inputs=example())
        module = theirs.get_submodule(layer)
        prune = tp.prune_linear_out_channels
        if isinstance(module, nn.Conv2d):
            prune = tp.prune_conv_out_channels
        dependencies.get_pruning_group(module, prune, idxs=gone).prune()
    shapes = {name: tuple(tensor.shape) for name, tensor in small.state_dict().items()}
    assert {name: tuple(t.shape) for name, t in theirs.state_dict().items()} == shapes
    with torch.no_grad():
        torch.testing.assert_close(small(example()), theirs(example()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [Plain, Shortcuts])
def test_its_pruner_leaves_as_many_channels_parameters_and_macs(
    make: Callable[[], nn.Module],
) -> None:
    genome, state = adopted(make)
    _, small = silenced_and_rebuilt(genome, state, "coupled")
    theirs = loaded(genome, state)
    pruner = tp.pruner.MagnitudePruner(
        theirs,
        example(),
        importance=tp.importance.MagnitudeImportance(p=1),
        pruning_ratio=0.5,
        ignored_layers=[module for module in theirs.modules() if isinstance(module, nn.Linear)],
        in_channel_groups={},  # its defaults are shared between pruners, and kept alive
        out_channel_groups={},
    )
    pruner.step()
    shapes = {name: tuple(tensor.shape) for name, tensor in small.state_dict().items()}
    assert {name: tuple(t.shape) for name, t in theirs.state_dict().items()} == shapes
    signatures = {"net": Signature((3, 8, 8), (5,))}
    assert static(small, signatures) == static(theirs, signatures)
