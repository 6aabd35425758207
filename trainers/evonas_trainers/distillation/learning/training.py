"""The training of a candidate in its cohort: what the supervised loop asks, and what it answers.

The loop calls in this order: for every epoch `batches`; for every batch it runs `network` (unless
the candidate does not train now) and calls `loss`, perhaps after every path of a pruner, and after
the optimizer's step `match`; at the end of an epoch `diagnosis`; at last `finish`, then `parts`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from evonas import plugins
from evonas.cohort_plan import CohortPlan
from evonas.genome.cohort import CANDIDATE, Stage, split_end
from evonas.genome.cohort_kinds import LOGITS
from evonas.sampling import Sampler
from evonas.state import State
from evonas_trainers.distillation.learning import diagnosis
from evonas_trainers.distillation.learning.companions import chosen, companions, fitting
from evonas_trainers.distillation.learning.edge_weights import EdgeWeights, Pulls
from evonas_trainers.distillation.learning.matchers import Lesson, Matchers
from evonas_trainers.distillation.learning.networks import Networks
from evonas_trainers.distillation.learning.programme import Programme
from evonas_trainers.distillation.learning.refusals import check
from evonas_trainers.distillation.learning.scaffold import Scaffold, ends, scaffold
from evonas_trainers.distillation.learning.stage_batches import StageBatches
from evonas_trainers.distillation.learning.values import Values
from evonas_trainers.evaluation import logits
from evonas_trainers.optimizer import inherit, start_momentum
from evonas_trainers.slots import Batch, Criterion


@final
@dataclass(frozen=True, kw_only=True)
class Lent:
    """What the loop lends.

    Attributes:
        data: On the device.
        epochs: Of the training.
        batch_size: Largest batch.
        mixes: Whether inputs are mixed with others, and so are of two classes.
        seed: Of the fresh weights of adapters, heads and aggregators.
        generator: Of the samplers' draws; the CPU's.
        again: Augments the rows of a batch once more, mixed as they are there.
    """

    data: Mapping[str, Tensor]
    epochs: int
    batch_size: int
    mixes: bool
    seed: int
    generator: torch.Generator
    again: Callable[[Batch], Tensor]


@final
class CohortTraining:
    """One training of a cohort.

    Attributes:
        network: What is run in place of the candidate's model; it has the parameters of that.
        companion: What is trained beside it; parameters that it shares are among these, too.
    """

    def __init__(self, plan: CohortPlan, model: nn.Module, lent: Lent) -> None:
        """Begin to train `model` and the networks of the plan, all on their device.

        Raises:
            ConfigError: if the plan cannot be followed, naming the edge or node.
        """
        device = lent.data["train_x"].device
        self._plan, self._lent = plan, lent
        self._programme = Programme(plan.cohort)
        self._scaffold: Scaffold = scaffold(plan, lent.seed, device)
        check(plan.cohort, self._scaffold, lent.batch_size, mixes=lent.mixes)
        self._networks = Networks(plan, model, ends(plan.cohort))
        self._weights = EdgeWeights(plan.cohort, self._networks)
        self._matchers = Matchers(plan.cohort, self._networks, self._scaffold, self._weights)
        self.network = self._networks.candidate
        self._parts = companions(plan, self._scaffold)
        self.companion = nn.ModuleList(module for module, _ in self._parts.values())
        self._place, self._is_last = -1, False
        self._stream: Iterator[Tensor] = iter(())
        self._batch: Batch | None = None
        self._found: Mapping[str, Tensor] = {}

    @property
    def trains_candidate(self) -> bool:
        """Whether the candidate learns now; else it need not be run."""
        return CANDIDATE in self._networks.trained

    @property
    def macs(self) -> float:
        """Multiply-accumulates so far, beyond three passes of the candidate for every sample."""
        return self._networks.macs

    @property
    def learners(self) -> Iterator[list[nn.Parameter]]:
        """What trains beside the candidate, by network; of a view that which is its own."""
        for module, kept in self._parts.values():
            yield [tensor for name, tensor in module.named_parameters() if name in kept]

    @property
    def views(self) -> Mapping[str, nn.Module]:
        """The views that are handed over with the candidate."""
        names = self._plan.cohort.readout
        return {name: self._plan.networks[name] for name in names if name != CANDIDATE}

    def span(self, progress: float) -> tuple[float, float]:
        """Return from when to when the learning rate's schedule runs that is at work now."""
        return self._programme.span(progress)

    def batches(self, epoch: int) -> StageBatches:
        """Return the batches of an epoch; to take one may begin a stage."""
        if self._place >= 0:
            self._networks.set_modes()
        steps = -(-len(self._lent.data["train_y"]) // self._lent.batch_size)
        return StageBatches(epoch, self._lent.epochs, steps, self._draw)

    def loss(self, batch: Batch, criterion: Criterion, progress: float) -> Tensor:
        """Return the sum of the weighted edges, after the candidate's run on a batch.

        If the candidate is run again on the same batch, only its own edges count once more.

        Args:
            batch: On the device.
            criterion: The trainer's loss of any outputs for this batch.
            progress: The part of the training that is done, from 0 to 1.
        """
        is_again = batch is self._batch
        if not is_again:
            self._batch = batch
            self._run(batch)
        with torch.autocast(batch.inputs.device.type, enabled=False):
            values = Values(self._plan.cohort, self._networks, self._scaffold, batch.targets)
            pulls = [
                (edge, values.loss(edge, criterion))
                for edge in self._programme.active(self._stage)
                if not is_again or split_end(edge.to)[0] == CANDIDATE
            ]
            if not is_again:
                self._weights.measure(pulls, values, criterion)
            weights = [self._weights.at(edge, progress) for edge, _ in pulls]
            total = batch.inputs.new_zeros(())
            for (_, loss), weight in zip(pulls, weights, strict=True):
                total = total + weight * loss
            if not is_again:
                total = total + self._label_loss(batch, values)
                if self._is_last:
                    self._found = self._diagnosed(pulls, weights, values)
        return total

    def match(self, batch: Batch, criterion: Criterion, progress: float, share: float) -> None:
        """Let matchers learn from a batch, if it is time; nothing else changes.

        Args:
            batch: Of the last step.
            criterion: As in `loss`.
            progress: As there.
            share: What the learning rate is of the full one.
        """
        if self._matchers.is_due(self._stage):
            inputs = {node: self._inputs(node, batch) for node in self._plan.cohort.nodes}
            self._matchers.learn(Lesson(self._stage, inputs, batch, criterion, progress), share)

    def diagnosis(self) -> Mapping[str, float]:
        """Return what the last batch of the epoch showed of edges, aggregators and networks."""
        return diagnosis.as_floats(self._found)

    def start_slots(self, optimizer: Optimizer, inherited: State | None) -> None:
        """Give the companion inherited slots, and momentum to all that will train some time."""
        for name, (module, _) in self._parts.items():
            if inherited is not None:
                inherit(fitting(inherited.part(name), module), module, optimizer)
        start_momentum(optimizer)

    def finish(self) -> None:
        """Leave the networks as trainable as they were; called once."""
        self._networks.release()

    def parts(self, optimizer: Optimizer) -> Mapping[str, State]:
        """Return the states of what trained beside the candidate, by node."""
        return {
            name: chosen(State.of(module, optimizer), kept)
            for name, (module, kept) in self._parts.items()
            if kept
        }

    @property
    def _stage(self) -> Stage:
        return self._plan.cohort.stages[self._place]

    def _draw(self, progress: float, is_last: bool) -> Tensor:
        """Return the rows of the next batch; begin the stage that it belongs to."""
        place = self._programme.place(progress)
        if place != self._place:
            self._place = place
            self._begin()
        self._is_last = is_last
        self._networks.clear()
        return next(self._stream)

    def _begin(self) -> None:
        """Begin the stage whose turn it is."""
        stage = self._stage
        self._networks.begin(stage)
        for name, one in self._plan.cohort.aggregators.items():
            learns = name in stage.train and one.learns != "nothing"
            self._scaffold.combination(name).requires_grad_(learns)
        sampler = plugins.construct(Sampler, stage.sampler, f"the sampler of stage {stage.name!r}")
        labels = self._lent.data["train_y"].cpu()
        scores = self._scores(stage.scorer) if sampler.scores else None
        lent = self._lent
        self._stream = sampler.start(labels, lent.batch_size, lent.generator, scores)

    def _scores(self, node: str) -> Tensor:
        """Return a network's losses on the training data as they are, on the CPU."""
        data = self._lent.data
        outputs = logits(self._networks.models[node], data["train_x"], data)
        self._networks.charge_forward(node, len(outputs))
        return F.cross_entropy(outputs, data["train_y"], reduction="none").cpu()

    def _run(self, batch: Batch) -> None:
        """Run the networks that the stage reads; the candidate has run if it trains."""
        ran = {CANDIDATE} if self.trains_candidate else set[str]()
        read = self._programme.read(self._stage)
        for node in sorted(read - ran):
            self._networks.run(node, self._inputs(node, batch))
        self._networks.charge(batch, read | ran)

    def _inputs(self, node: str, batch: Batch) -> Tensor:
        """Return what a node sees of a batch."""
        has_own = self._plan.cohort.nodes[node].own_view
        return self._lent.again(batch) if has_own else batch.inputs

    def _label_loss(self, batch: Batch, values: Values) -> Tensor | float:
        """Return the losses of aggregators that learn from labels, which mixup mixes."""
        total: Tensor | float = 0.0
        for name in self._programme.learning(self._stage):
            own = values.label_loss(name, batch.targets)
            if batch.share != 1:
                others = values.label_loss(name, batch.targets.flip(0))
                own = batch.share * own + (1 - batch.share) * others
            total = total + own
        return total

    def _diagnosed(
        self, pulls: Pulls, weights: Sequence[Tensor | float], values: Values
    ) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        for (edge, loss), weight in zip(pulls, weights, strict=True):
            found |= diagnosis.of_edge(edge, loss, weight, values.at(edge.to))
            if edge.matched:
                found[f"cohort/{edge.name}/matched"] = values.matched(edge).mean()
        for name in values.aggregated:
            shares = self._scaffold.combination(name).weights
            if shares is not None:
                found[f"cohort/{name}/entropy"] = diagnosis.entropy(shares)
        nodes = self._networks.trained & (self._programme.read(self._stage) | {CANDIDATE})
        if len(nodes) > 1:
            outputs = [values.at(f"{node}:{LOGITS}") for node in sorted(nodes)]
            found["cohort/diversity"] = diagnosis.diversity(outputs)
        return found
