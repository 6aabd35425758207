"""A cohort whose networks are policies, each of which learns from steps of its own.

On a batch of policy m's steps, m runs with gradients and those it learns from without. The loss is
the sum of the edges that end at m: its own task, and what it takes over from the others. So nobody
is moved by steps of another, and an edge that draws both of its ends draws each on its own steps.
An edge that ends at a virtual teacher draws every policy that this is made of.

What is compared of a policy's outputs are its decisions; a value, where there is one, is its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import permutations
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas import measure
from evonas.cohort_plan import CohortPlan
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Cohort, Edge, Stage, split_end
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.morph.cohort.learning import made_of, trained
from evonas.networks import Signature
from evonas.state import State
from evonas_trainers.distillation.edges import end, task
from evonas_trainers.distillation.learning.companions import chosen, companions, fitting
from evonas_trainers.distillation.learning.diagnosis import entropy
from evonas_trainers.distillation.learning.edge_weights import EdgeWeights
from evonas_trainers.distillation.learning.networks import Networks
from evonas_trainers.distillation.learning.programme import Programme
from evonas_trainers.distillation.learning.scaffold import ends, scaffold
from evonas_trainers.distillation.learning.values import Values
from evonas_trainers.distillation.losses.divergence import divergence

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Maps decisions, and what else a policy puts out, to the loss of its own task."""


@final
class PolicyCohort:
    """The policies of one trial.

    Attributes:
        model: The candidate.
    """

    def __init__(
        self, plan: CohortPlan, model: nn.Module, decisions: int, seed: int, device: torch.device
    ) -> None:
        """Take over networks, of whose outputs the first are decisions.

        Raises:
            ConfigError: if the cohort hands over more than the candidate, or matches samples.
        """
        _check(plan.cohort)
        self.model = model
        self._plan, self._decisions = _of_decisions(plan, decisions), decisions
        self._scaffold = scaffold(self._plan, seed, device)
        self._networks = Networks(self._plan, model, ends(plan.cohort))
        self._weights = EdgeWeights(plan.cohort, self._networks)
        self._programme = Programme(plan.cohort)
        self._companions = companions(self._plan, self._scaffold)
        self._place = -1
        self._attended: dict[str, Tensor] = {}

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that trains in some stage, once."""
        modules = [self.model, *(module for module, _ in self._companions.values())]
        return list(dict.fromkeys(one for module in modules for one in module.parameters()))

    @property
    def policies(self) -> Sequence[str]:
        """The networks that train in some stage, in the order of their names."""
        return sorted(trained(self._plan.cohort))

    @property
    def learners(self) -> Sequence[str]:
        """The policies that learn something now, in the order of their names."""
        active = self._programme.active(self._stage)
        return [
            policy
            for policy in sorted(self._networks.trained)
            if any(self._draws(edge, policy) for edge in active)
        ]

    @property
    def passes(self) -> int:
        """What has been computed so far, in forward passes of the candidate."""
        return round(self._networks.macs / self._plan.macs[CANDIDATE])

    def begin(self, progress: float) -> None:
        """Begin the stage that it is time for, if it has not begun."""
        place = self._programme.place(progress)
        if place == self._place:
            return
        self._place = place
        self._networks.begin(self._stage)
        for name, one in self._plan.cohort.aggregators.items():
            learns = name in self._stage.train and one.learns != "nothing"
            self._scaffold.combination(name).requires_grad_(learns)
        for model in self._networks.models.values():
            model.eval()  # in which policies act and teach

    def network(self, policy: str) -> nn.Module:
        """Return a policy's network."""
        return self._networks.models[policy]

    def charge(self, policy: str, observations: Tensor) -> None:
        """Count a pass of another network that is as large as a policy's."""
        self._networks.charge_forward(policy, len(observations))

    def outputs(self, policy: str, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return decisions and what else a policy puts out, without gradients; this is charged."""
        with torch.no_grad():
            outputs: Tensor = self._networks.models[policy](observations)
        self._networks.charge_forward(policy, len(observations))
        return outputs[:, : self._decisions], outputs[:, self._decisions :]

    def loss(
        self, policy: str, observations: Tensor, criterion: Criterion, progress: float
    ) -> Tensor:
        """Return the loss of a policy on a batch of its own steps.

        Args:
            policy: That learns.
            observations: From its steps.
            criterion: Of its task, for these.
            progress: The part of the training that is done, from 0 to 1.
        """
        edges = [edge for edge in self._programme.active(self._stage) if self._draws(edge, policy)]
        own = self._run(policy, observations, self._programme.read_by(edges))
        values = Values(
            self._plan.cohort, self._networks, self._scaffold, observations.new_empty(0)
        )

        def judge(decisions: Tensor) -> Tensor:
            return criterion(decisions, own)

        pulls = [(edge, values.loss(edge, judge)) for edge in edges]
        self._weights.measure(pulls, values, judge)
        total = observations.new_zeros(())
        for edge, loss in pulls:
            total = total + self._weights.at(edge, progress) * loss
        self._attended = self._seen(values)
        return total

    def disagreement(self, observations: Tensor) -> float:
        """Return the mean divergence between the decisions of two policies, in nats.

        It is that of all ordered pairs of policies that train now; 0 if there is one alone.
        """
        found = [self.outputs(policy, observations)[0] for policy in self.learners]
        pairs = [divergence(one, other, 1.0).mean() for one, other in permutations(found, 2)]
        return torch.stack(pairs).mean().item() if pairs else 0.0

    def diagnosis(self) -> Mapping[str, float]:
        """Return how evenly virtual teachers weighed in the last batch, by name."""
        return {
            f"cohort/{name}/entropy": self._attended[name].item() if name in self._attended else 0.0
            for name in sorted(self._plan.cohort.aggregators)
        }

    def start_slots(self, optimizer: Optimizer, inherited: State | None) -> None:
        """Give the optimizer what it is known to have had of those that are still there."""
        if inherited is None:
            return
        inherited.own.restore_optimizer(self.model, optimizer)
        for name, (module, _) in self._companions.items():
            fitting(inherited.part(name), module).restore_optimizer(module, optimizer)

    def state(self, optimizer: Optimizer) -> State:
        """Return the candidate's state, with those of all that trained beside it."""
        parts = {
            name: chosen(State.of(module, optimizer), kept)
            for name, (module, kept) in self._companions.items()
            if kept
        }
        return State.of(self.model, optimizer).joined(parts)

    @property
    def _stage(self) -> Stage:
        return self._plan.cohort.stages[self._place]

    def _draws(self, edge: Edge, policy: str) -> bool:
        """Return whether an edge counts on the steps of a policy."""
        drawn = set(_owners(self._plan.cohort, edge.to))
        if edge.both:
            drawn.add(split_end(edge.source)[0])
        return policy in drawn

    def _run(self, policy: str, observations: Tensor, read: frozenset[str]) -> Tensor:
        """Run whom a policy reads, and itself with gradients; return its outputs but decisions."""
        self._networks.clear()
        for other in sorted(read - {policy}):
            self._networks.run(other, observations, learns=False)
            self._networks.charge_forward(other, len(observations))
            self._networks.split(other, self._decisions)
        self._networks.models[policy].train()
        self._networks.run(policy, observations)
        self._networks.models[policy].eval()
        self._networks.charge_trained(policy, len(observations))
        return self._networks.split(policy, self._decisions)

    def _seen(self, values: Values) -> dict[str, Tensor]:
        """Return how evenly the aggregators weighed that were asked."""
        weights = {name: self._scaffold.combination(name).weights for name in values.aggregated}
        return {name: entropy(one) for name, one in weights.items() if one is not None}


def lone(model: nn.Module, signature: Signature) -> CohortPlan:
    """Return the plan of a policy that learns alone."""
    macs = measure.static(model, {"net": signature})["macs"]
    return CohortPlan(
        cohort=Cohort(edges=(task(end(CANDIDATE)),)),
        networks={},
        taps={CANDIDATE: {LOGITS: Tap("", signature.outputs)}},
        macs={CANDIDATE: macs},
        kept={},
    )


def copies(
    plan: CohortPlan, model: nn.Module, number: int
) -> Iterator[tuple[CohortPlan, nn.Module]]:
    """Yield copies of a candidate and its cohort, for trials to train; what they share stays so."""
    for _ in range(number):
        networks, candidate = deepcopy((dict(plan.networks), model))
        yield replace(plan, networks=networks), candidate


def _check(cohort: Cohort) -> None:
    if len(cohort.readout) > 1:
        raise ConfigError(
            f"policies are handed over alone, and the cohort {cohort.preset!r} hands over"
            f" {', '.join(cohort.readout[1:])}, too; choose another preset"
        )
    if any(edge.matched for edge in cohort.edges):
        raise ConfigError(
            f"samples of policies are not matched, as the cohort {cohort.preset!r} asks for; choose"
            " another preset"
        )


def _of_decisions(plan: CohortPlan, decisions: int) -> CohortPlan:
    """Return the plan with logits that are decisions alone."""
    taps = {
        node: {**known, LOGITS: replace(known[LOGITS], shape=(decisions,))}
        for node, known in plan.taps.items()
    }
    return replace(plan, taps=taps)


def _owners(cohort: Cohort, to: str) -> frozenset[str]:
    """Return the nodes that an end belongs to, or that it is made of."""
    return made_of(cohort, to) & cohort.nodes.keys()
