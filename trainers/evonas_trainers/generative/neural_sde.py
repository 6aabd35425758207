"""Neural SDEs that generate series: as adversaries, or as autoencoders whose code is a path.

"Efficient and Accurate Gradients for Neural SDEs", Kidger, Foster, Li, Lyons, NeurIPS 2021,
https://arxiv.org/abs/2105.13493: a solver that can be undone (`sde/reversible_heun.py`), noise that
needs no memory (`sde/brownian.py`), and a critic kept Lipschitz by clipping (`sde/gan.py`). Latent
SDEs are in `sde/latent.py`. A candidate is the set of networks that the equation is made of.

Differences from the paper: a training is hundreds of steps and not ten thousand, because children
go on from their parents' weights; all observations are there (the authors drop 30 %). Paths are
computed in float32, whatever the precision: undoing steps in bfloat16 would lose them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from evonas import measure, seeds
from evonas.errors import ConfigError
from evonas.networks import Signatures, named
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer
from evonas_trainers.generative.sde import gan, latent, torch_sde
from evonas_trainers.generative.sde.distances import discrepancy, energy
from evonas_trainers.generative.sde.equation import Grid, NoiseType
from evonas_trainers.generative.sde.gan import Adversaries, Gan
from evonas_trainers.generative.sde.latent import Coding, Latent
from evonas_trainers.generative.sde.learner import (
    SLOTS,
    Learner,
    Networks,
    OptimizerName,
    Paths,
    Setting,
    Shape,
)
from evonas_trainers.generative.sde.picture import side_by_side
from evonas_trainers.generative.sde.series import Cut, split_series
from evonas_trainers.generative.sde.solvers import Solver

_SHOWN = 24
_MAX_EXPONENT = 10


@final
@dataclass(frozen=True, kw_only=True)
class NeuralSde(Trainer):
    """Series of a neural SDE, judged against those of the validation.

    Reported are `distance` (squared maximum mean discrepancy), `energy` (distance), `evaluations`
    (of the vector fields, to generate one batch), and `fitness`: the less distance, or the less
    `loss` of a latent SDE, the higher, less the price of evaluations. A latent SDE reports `loss`
    and `divergence`, too: nats an observed number.

    What stands before `steps` sets the data or the networks' sizes, so it cannot be a gene.

    Attributes:
        data: See `evonas_trainers.generative.sde.series.split_series`.
        cut: How it becomes series.
        model: `gan` or `latent`.
        hidden: Size of the state.
        noise: Size of a generator's Brownian motion; of diagonal noise it is that of the state.
        noise_type: A generator's: `general`, `additive`, `scalar` or `diagonal`, which it always
            is of a latent SDE.
        start_noise: Size of what a generator starts from.
        optimizer: `adam` or `adadelta`.
        steps: Batches to learn from.
        batch_size: Series in a batch.
        reports: Times that the candidate is judged, the last one at the end.
        judged: Series generated for it.
        solver: `reversible_heun`, `midpoint`, `heun` or `euler_heun`.
        step_exponent: k of the step 2^-k, where observations are 1 apart.
        averaged_from: From this share of the steps on, weights are averaged; 1 for never.
        adversaries: How a GAN learns.
        coding: How a latent SDE learns.
        evaluation_price: What a hundred evaluations of the vector fields take from the fitness.
    """

    paper: ClassVar[str] = (
        "Efficient and Accurate Gradients for Neural SDEs, Kidger, Foster, Li, Lyons, 2021,"
        " https://arxiv.org/abs/2105.13493"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = {
        "fitness": "max",
        "distance": "min",
        "energy": "min",
        "evaluations": "min",
    }
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"data", "cut", "model", "hidden", "noise", "noise_type", "start_noise", "optimizer"}
    )

    data: str = "ornstein-uhlenbeck"
    cut: Cut = field(default_factory=Cut)
    model: Literal["gan", "latent"] = "gan"
    hidden: int = 16
    noise: int = 3
    noise_type: NoiseType = "general"
    start_noise: int = 5
    optimizer: OptimizerName = "adam"
    steps: int = 300
    batch_size: int = 256
    reports: int = 3
    judged: int = 512
    solver: Solver = "reversible_heun"
    step_exponent: int = 0
    averaged_from: float = 0.5
    adversaries: Adversaries = field(default_factory=Adversaries)
    coding: Coding = field(default_factory=Coding)
    evaluation_price: float = 0.0

    def __post_init__(self) -> None:
        least = {"hidden": 1, "noise": 1, "start_noise": 1, "steps": 1, "reports": 1}
        for name, low in {**least, "batch_size": 2, "judged": 2}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be {low} or more")
        if self.reports > self.steps:
            raise ConfigError(f"reports is {self.reports!r}, more than the {self.steps!r} steps")
        if not 0 <= self.step_exponent <= _MAX_EXPONENT:
            raise ConfigError(
                f"step_exponent is {self.step_exponent!r}, should be 0 to {_MAX_EXPONENT}: the k of"
                " a step 2^-k"
            )
        if not 0 <= self.averaged_from <= 1:
            raise ConfigError(f"averaged_from is {self.averaged_from!r}, should be 0 to 1")
        if self.noise_type == "scalar" and self.noise != 1:
            raise ConfigError(f"scalar noise has the size 1, given noise = {self.noise!r}")

    @classmethod
    def example(cls) -> "NeuralSde":
        """Return what `evonas check` trains."""
        cut = Cut(paths=256, observations=5)
        return cls(cut=cut, hidden=4, noise=2, steps=4, reports=2, batch_size=32, judged=32)

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Read or draw the series, and split them."""
        torch_sde.require()
        return split_series(self.data, self.cut, seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the networks of a generator and its critic, or of a latent SDE."""
        shape = self._shape(prepared)
        return gan.signatures(shape) if self.model == "gan" else latent.signatures(shape)

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Learn for some steps; hand over the averaged weights where there are any."""
        data = _on(context)
        learner = self._learner(named(model, self.signatures(data)), data, context.seed)
        if context.inherited is not None:
            self._go_on(context.inherited, model, learner)
        averaged = AveragedModel(model)
        draws = torch.Generator().manual_seed(seeds.integer(context.seed, "batches"))
        metrics: Mapping[str, float] = {}
        step, stopped = 0, False
        while step < self.steps and not stopped:
            rows = torch.randint(len(data["train"]), (self.batch_size,), generator=draws)
            loss = learner.step(data["train"][rows.to(context.device)])
            step += 1
            if step > self.averaged_from * self.steps:
                averaged.update_parameters(model)
            if self._is_due(step):
                _check(loss, step)
                metrics = self._judged(_best(model, averaged), data, "valid", context.seed)
                stopped = _says_stop(context, step, metrics)
        model.load_state_dict(_best(model, averaged).state_dict())
        samples = step * self.batch_size
        state = State.of(model, *learner.optimizers)
        return Trained(metrics, samples, state, stopped, samples * self._extra(model, data))

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Compare new series with those of the test."""
        seed = seeds.integer(context.seed, "test")
        return self._judged(model, _on(context), "test", seed)

    def pictures(self, model: nn.Module, context: Context) -> Mapping[str, bytes]:
        """Return real and generated series, side by side."""
        data = _on(context)
        seed = seeds.integer(context.seed, "pictures")
        learner = self._learner(named(model, self.signatures(data)), data, seed)
        with measure.evaluating(model):
            series, _ = learner.generate(_SHOWN, seed)
        real = _spread(data["valid"], _SHOWN)
        return {"series: real (left), generated (right)": side_by_side(real.cpu(), series.cpu())}

    def _shape(self, data: Mapping[str, Tensor]) -> Shape:
        _, observations, channels = data["train"].shape
        return Shape(
            hidden=self.hidden,
            noise=self.hidden if self.noise_type == "diagonal" else self.noise,
            noise_type=self.noise_type,
            start_noise=self.start_noise,
            observations=observations,
            channels=channels,
        )

    def _learner(self, networks: Networks, data: Mapping[str, Tensor], seed: int) -> Learner:
        shape = self._shape(data)
        paths = Paths(solver=self.solver, grid=Grid(shape.observations, self.step_exponent))
        setting = Setting(
            shape=shape,
            paths=paths,
            optimizer=self.optimizer,
            seed=seeds.integer(seed, "learner"),
        )
        if self.model == "gan":
            return Gan(networks, setting, self.adversaries)
        return Latent(networks, setting, self.coding)

    def _go_on(self, inherited: State, model: nn.Module, learner: Learner) -> None:
        """Start the optimizers from inherited slots, if they are of their kind."""
        kind = SLOTS[self.optimizer]
        if all(slot in inherited.slots for slot in kind):
            slots = State({}, {slot: inherited.slots[slot] for slot in kind})
            for optimizer in learner.optimizers:
                slots.restore_optimizer(model, optimizer)

    def _is_due(self, step: int) -> bool:
        """Say whether the candidate is judged after so many steps."""
        return step * self.reports // self.steps > (step - 1) * self.reports // self.steps

    def _judged(
        self, model: nn.Module, data: Mapping[str, Tensor], split: str, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics of a model against the series of a split."""
        real = _spread(data[split], self.judged)
        learner = self._learner(named(model, self.signatures(data)), data, seed)
        with measure.evaluating(model):
            series, evaluations = learner.generate(self.judged, seed)
            own = learner.measured(real, seed)
        if not series.isfinite().all():
            raise FloatingPointError("a generated series is not finite")
        distance = float(discrepancy(series, real, data["unit"]))
        lost = own.get("loss", distance) + self.evaluation_price * evaluations / 100
        return {
            "fitness": -lost,
            "distance": distance,
            "energy": float(energy(series, real, data["unit"])),
            "evaluations": float(evaluations),
            **own,
        }

    def _extra(self, model: nn.Module, data: Mapping[str, Tensor]) -> float:
        """Return what a series costs beyond three passes of every network, multiply-accumulates."""
        wanted = self.signatures(data)
        networks = named(model, wanted)
        each = {
            name: measure.static(networks[name], {name: signature})["macs"]
            for name, signature in wanted.items()
        }
        return self._learner(networks, data, 0).macs(each) - 3 * sum(each.values())


def _on(context: Context) -> Mapping[str, Tensor]:
    """Return the prepared tensors on the device."""
    return {name: tensor.to(context.device) for name, tensor in context.prepared.items()}


def _best(model: nn.Module, averaged: AveragedModel) -> nn.Module:
    """Return the model with averaged weights, or the model itself before there are any."""
    return averaged.module if averaged.n_averaged else model


def _spread(series: Tensor, most: int) -> Tensor:
    """Return so many series at most, evenly spread."""
    chosen = torch.linspace(0, len(series) - 1, min(most, len(series)), device=series.device)
    return series[chosen.round().long()]


def _check(loss: Tensor, step: int) -> None:
    if not loss.isfinite():
        raise FloatingPointError(f"the loss is not finite after {step} steps")


def _says_stop(context: Context, step: int, metrics: Mapping[str, float]) -> bool:
    try:
        context.report(step, **metrics)
    except Stopped:
        return True
    return False
