"""The networks of a candidate's cohort, built and filled with weights: the plan of its training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from evonas import devices, measure, seeds
from evonas.aims import OF_VIEW
from evonas.cohort_plan import SCAFFOLD, CohortPlan
from evonas.genome import Genome, LayerGraph
from evonas.genome.cohort import CANDIDATE, Cohort, Node
from evonas.genome.members import as_genome, members
from evonas.genome.nested import branch_layers, own_layers
from evonas.morph.build import build
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.taps import PARTS, network_of, node_taps
from evonas.networks import Signatures
from evonas.state import State


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Start:
    """What a training in a cohort starts from.

    Attributes:
        model: The candidate, on the device, with the weights it starts with.
        state: What was inherited, empty if nothing was.
        teachers: Frozen, by node.
        seed: Of the training.
    """

    model: nn.Module
    state: State
    teachers: Mapping[str, nn.Module]
    seed: int


def read_out(genome: Genome) -> Mapping[str, Genome]:
    """Return what is handed over and measured, by the ending that names of measures get.

    That is the candidate, by the empty string, and each view of the readout, by `@shallow`.

    Raises:
        EditError: naming the view that the network does not have.
    """
    cohort = Cohort.of(genome)
    found = {"": genome}
    if cohort is not None:
        for name in cohort.readout[1:]:
            graph = network_of(name, cohort.nodes, genome.architecture)
            found[f"{OF_VIEW}{name}"] = as_genome(graph)
    return found


def cohort_plan(
    genome: Genome, cohort: Cohort, options: CohortOptions, signatures: Signatures, start: Start
) -> CohortPlan:
    """Return with whom a candidate is trained.

    Args:
        genome: What is trained.
        cohort: Its own, checked.
        options: Of its search.
        signatures: Of its one network.
        start: What the training starts from.
    """
    building = _Building(cohort, {**members(genome), **genome.architecture}, start)
    device = next(start.model.parameters()).device
    networks: dict[str, nn.Module] = {CANDIDATE: start.model}
    for name in sorted(cohort.nodes, key=lambda one: cohort.nodes[one].kind in PARTS):
        if name != CANDIDATE:
            network = building.network(name, networks)
            networks[name] = network.to(device).to(memory_format=torch.channels_last)
    macs = {name: measure.static(one, signatures)["macs"] for name, one in networks.items()}
    del networks[CANDIDATE]
    return CohortPlan(
        cohort=cohort,
        networks=networks,
        taps=node_taps(genome, cohort, options),
        macs=macs,
        kept={name: building.kept(name, one) for name, one in networks.items()},
        scaffold=start.state.part(SCAFFOLD).tensors,
    )


@final
@dataclass(frozen=True, eq=False)
class _Building:
    """The making of a cohort's networks.

    Attributes:
        cohort: The genes.
        graphs: Of the members, and of the candidate as `evonas.genome.members.NETWORK`.
        start: What the training starts from.
    """

    cohort: Cohort
    graphs: Mapping[str, LayerGraph]
    start: Start

    def network(self, name: str, others: Mapping[str, nn.Module]) -> nn.Module:
        """Build a node's network; what it is of is among the others.

        Raises:
            RuntimeError: if inherited weights of a member are not those of its network.
        """
        node = self.cohort.nodes[name]
        if node.kind == "teacher":
            return self.start.teachers[name]
        with devices.seeded(seeds.integer(self.start.seed, "cohort", name), torch.device("cpu")):
            network = build(as_genome(self._graph(name)))
        part = self.start.state.part(name)
        if node.kind == "member":
            if part.tensors:
                network.load_state_dict(dict(part.tensors))
            return network
        whole = others[node.of]
        if node.kind == "snapshot":
            network.load_state_dict(whole.state_dict())
            return network.requires_grad_(False).eval()
        own = _tensors(network, self._own_layers(name))
        if node.depths or part.tensors:  # fresh branches differ, or all would be and stay the same
            _fill(network, own, part, whole)
        _share(network, own, whole)
        return network

    def kept(self, name: str, network: nn.Module) -> frozenset[str]:
        """Return the names of a node's tensors that are part of the trained state."""
        match self.cohort.nodes[name].kind:
            case "member":
                return frozenset(network.state_dict())
            case "view":
                return _tensors(network, self._own_layers(name))
            case _:
                return frozenset()

    def _graph(self, name: str) -> LayerGraph:
        return network_of(name, self.cohort.nodes, self.graphs)

    def _own_layers(self, name: str) -> frozenset[str]:
        """Return the layers that a view does not share."""
        node: Node = self.cohort.nodes[name]
        whole = self._graph(node.of)
        if node.depths:
            return own_layers(whole, self._graph(name))
        return branch_layers(whole, node.trunk)


def _tensors(network: nn.Module, layers: Iterable[str]) -> frozenset[str]:
    """Return the names of the tensors of some layers."""
    starts = tuple(f"{layer}." for layer in layers)
    return frozenset(name for name in network.state_dict() if name.startswith(starts))


def _fill(view: nn.Module, own: Iterable[str], part: State, whole: nn.Module) -> None:
    """Give a view its own tensors: inherited ones where they fit, else copies of the whole's."""
    tensors, others = view.state_dict(), whole.state_dict()
    for name in own:
        given = part.tensors.get(name)
        fits = given is not None and given.shape == tensors[name].shape
        _ = tensors[name].copy_(given if fits else others[name])


def _share(view: nn.Module, own: frozenset[str], whole: nn.Module) -> None:
    """Put the very parameters and buffers of the whole network in place of all others."""
    for path, module in view.named_modules():
        here = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, _ in here:
            if f"{path}.{name}" not in own:
                setattr(module, name, getattr(whole.get_submodule(path), name))
