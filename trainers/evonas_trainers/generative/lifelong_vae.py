"""A generator that is taught class by class and keeps what it knew: knowledge reconstruction.

"Lifelong Generative Learning via Knowledge Reconstruction", Huang, An et al., 2022,
https://arxiv.org/abs/2201.06418: a class-conditional variational autoencoder meets tasks in order.
As a task begins it is copied and frozen; while it learns, it is held to what the copy generates for
classes of former tasks (knowledge reconstruction), and its reconstructions of this task's pictures
are encoded again and held to the prior (feedback). No picture of a former task is kept.

Differences from the authors' code, https://github.com/libo-huang/KFC: feedback encodes the
reconstructions of this task, as the paper's text has it, where the code takes replayed pictures
beside the labels of this task; distances are squared, as in a Gaussian likelihood, where the code
takes norms. Differences from the paper: hundreds of steps a task at a higher learning rate, since
children go on from their parents' weights; instead of distances between features of a network
trained elsewhere (FID, LPIPS) two linear classifiers judge, which need no weights from anywhere.
Computed in float32, whatever the precision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from evonas import devices, measure, seeds
from evonas.errors import ConfigError
from evonas.networks import Signatures, named
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer
from evonas_trainers.data import Split, on
from evonas_trainers.generative.vae import scores, tasks
from evonas_trainers.generative.vae.autoencoder import Autoencoder, Form, Reads
from evonas_trainers.generative.vae.lesson import Lesson, Method, Pace, Plan, learn
from evonas_trainers.generative.vae.losses import Weights
from evonas_trainers.generative.vae.picture import grid
from evonas_trainers.generative.vae.scores import Exam
from evonas_trainers.generative.vae.tasks import Course
from evonas_trainers.optimizer import inherit

_SHOWN = 10
_COUNTS = ("room", "latent", "tasks", "judged", "steps", "batch_size")


@final
@dataclass(frozen=True, kw_only=True)
class LifelongVae(Trainer):
    """Pictures by class, learned task by task; judged after the last on the classes of all tasks.

    Reported after each task, of validation data: `accuracy` (of a linear classifier that learned
    generated pictures, on real ones, a mean over all tasks; those not taught yet count 0),
    `recognised` (share of generated pictures that a classifier of real ones takes for their class,
    a mean over the tasks taught), `first_task` (the same of the first alone), `forgetting` (what
    tasks have lost of it since they were at their best), `elbo` (nats a picture, variance 1/2, less
    its constant), and `fitness`: accuracy less forgetting.

    A child is taught all tasks from the first one on. It starts from inherited weights, but nothing
    that its parent generates is replayed, and forgetting is measured within its own sequence.

    What stands before `method` sets the data or the networks' sizes, so it cannot be a gene.

    Attributes:
        data: Data sets in sequence, see `evonas_trainers.sources.read`; labels are counted on.
        root: Folder for downloaded data.
        packed: Folder of packed data sets, looked into before anything is downloaded.
        size: Height and width of all pictures; None for those of the first set.
        valid_ratio: Share of the training data that selection judges by.
        test_ratio: Share that is set aside where the data have no test data of their own.
        train_samples: Learn from so many of each set at most.
        tasks: How many tasks the classes of each set are cut into, in order.
        room: Numbers of the longest code, for which the networks have ends.
        reads: Whether an encoder gets a `vector` or a `picture`.
        judged: Pictures of each class, generated or real, for the classifiers to learn from.
        method: `reconstruction`; `fine-tuning`, where nothing is done against forgetting; or
            `joint`, where the pictures of former tasks are still there. These two are bounds, and
            have no feedback.
        latent: Numbers of the code that are used; at most `room`.
        weights: Of the parts of the loss.
        replay_ratio: Replayed codes a picture in a batch.
        steps: Batches to learn a task from.
        batch_size: Pictures in a batch.
        lr: Learning rate of Adam, which begins anew with each task.
    """

    paper: ClassVar[str] = (
        "Lifelong Generative Learning via Knowledge Reconstruction, Huang, An et al., 2022,"
        " https://arxiv.org/abs/2201.06418"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = {
        "fitness": "max",
        "accuracy": "max",
        "recognised": "max",
        "first_task": "max",
        "forgetting": "min",
        "elbo": "max",
    }
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"data", "root", "packed", "size", "valid_ratio", "test_ratio", "train_samples", "tasks"}
        | {"room", "reads", "judged"}
    )

    data: tuple[str, ...] = ("digits",)
    root: str = "data"
    packed: str | None = None
    size: int | None = None
    valid_ratio: float = 0.2
    test_ratio: float = 0.2
    train_samples: int | None = None
    tasks: int = 5
    room: int = 16
    reads: Reads = "vector"
    judged: int = 100
    method: Method = "reconstruction"
    latent: int = 8
    weights: Weights = field(default_factory=Weights)
    replay_ratio: float = 1.0
    steps: int = 200
    batch_size: int = 64
    lr: float = 1e-3

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("data is empty; name at least one data set")
        optional = [name for name in ("size", "train_samples") if getattr(self, name) is not None]
        for name in (*_COUNTS, *optional):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        if self.latent > self.room:
            raise ConfigError(
                f"latent is {self.latent!r}, more than the room of {self.room!r} that the networks"
                " have; raise room"
            )
        for name in ("valid_ratio", "test_ratio"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be between 0 and 1")
        if not self.replay_ratio >= 0:
            raise ConfigError(f"replay_ratio is {self.replay_ratio!r}, should be 0 or more")
        if not self.lr > 0:
            raise ConfigError(f"lr is {self.lr!r}, should be above 0")

    @classmethod
    def example(cls) -> "LifelongVae":
        """Return what `evonas check` trains."""
        return cls(tasks=2, room=4, latent=3, judged=10, steps=2, batch_size=16)

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Read the sets, cut them into tasks, and fit the classifier of real pictures."""
        course = Course(
            data=self.data,
            root=Path(self.root),
            packed=None if self.packed is None else Path(self.packed),
            size=self.size,
            tasks=self.tasks,
            split=Split(
                valid_ratio=self.valid_ratio,
                test_ratio=self.test_ratio,
                train_samples=self.train_samples,
            ),
        )
        prepared = tasks.prepare(course, seed)
        return {**prepared, scores.RECOGNISER: scores.recogniser(prepared, self.judged)}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return `encoder` and `decoder`."""
        return self._form(prepared).signatures()

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Learn task after task; report after each how all so far are generated."""
        data = on(context.device, context.prepared)
        learner = self._autoencoder(model, data)
        draws = torch.Generator().manual_seed(seeds.integer(context.seed, "batches"))
        exam = Exam(data=data, part="valid", each=self.judged, seed=context.seed)
        past: list[Sequence[float]] = []
        metrics: Mapping[str, float] = {}
        optimizer = self._optimizer(model, context.device)
        if context.inherited is not None:
            inherit(context.inherited, model, optimizer)
        extra, is_stopped, count = 0.0, False, len(data["tasks"].unique())
        while len(past) < count and not is_stopped:
            if past:
                optimizer = self._optimizer(model, context.device)
            lesson = Lesson.begun(len(past), self._plan, learner)
            learn(learner, lesson, optimizer, data, draws)
            extra += self._extra(learner, lesson)
            found, recognised = self._judged(model, exam, len(past) + 1)
            past.append(recognised)
            metrics = _with_forgetting(found, scores.forgetting(past))
            is_stopped = _says_stop(context, len(past), metrics)
        samples = len(past) * self.steps * self.batch_size
        return Trained(metrics, samples, State.of(model, optimizer), is_stopped, extra)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge by the test data; forgetting is from 1, since what was once better is not known."""
        data = on(context.device, context.prepared)
        taught, seed = len(data["tasks"].unique()), seeds.integer(context.seed, "test")
        exam = Exam(data=data, part="test", each=self.judged, seed=seed)
        found, recognised = self._judged(model, exam, taught)
        return _with_forgetting(found, scores.forgetting([[1.0] * taught, recognised]))

    def pictures(self, model: nn.Module, context: Context) -> Mapping[str, bytes]:
        """Return generated pictures, a row a class."""
        data = on(context.device, context.prepared)
        classes = torch.arange(len(data["tasks"]), device=context.device)
        draws = torch.Generator().manual_seed(seeds.integer(context.seed, "pictures"))
        with measure.evaluating(model):
            labels = classes.repeat_interleave(_SHOWN)
            made = self._autoencoder(model, data).generated(labels, draws)
        rows = made.unflatten(0, (len(classes), _SHOWN))
        return {"generated: a row a class, a gap before each task": grid(rows, data["tasks"])}

    @property
    def _plan(self) -> Plan:
        replays = round(self.replay_ratio * self.batch_size)
        pace = Pace(steps=self.steps, batch_size=self.batch_size, replays=replays)
        return Plan(method=self.method, weights=self.weights, pace=pace)

    def _form(self, data: Mapping[str, Tensor]) -> Form:
        _, channels, height, width = data["train_x"].shape
        return Form(
            shape=(channels, height, width),
            classes=len(data["tasks"]),
            room=self.room,
            reads=self.reads,
        )

    def _autoencoder(self, model: nn.Module, data: Mapping[str, Tensor]) -> Autoencoder:
        form = self._form(data)
        networks = named(model, form.signatures())
        return Autoencoder(
            form=form,
            encoder=networks["encoder"],
            decoder=networks["decoder"],
            latent=self.latent,
        )

    def _optimizer(self, model: nn.Module, device: torch.device) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr, fused=devices.fuses(device))

    def _judged(
        self, model: nn.Module, exam: Exam, taught: int
    ) -> tuple[Mapping[str, float], Sequence[float]]:
        with measure.evaluating(model):
            return scores.judged(self._autoencoder(model, exam.data), exam, taught)

    def _extra(self, learner: Autoencoder, lesson: Lesson) -> float:
        """Return what a task cost beyond three passes of both networks, multiply-accumulates."""
        wanted = learner.form.signatures()
        encoder, decoder = (
            measure.static(network, {name: wanted[name]})["macs"]
            for name, network in (("encoder", learner.encoder), ("decoder", learner.decoder))
        )
        pace = lesson.pace
        again = 3 * encoder * pace.batch_size if lesson.weights.feedback else 0.0
        replayed = 4 * decoder * pace.replays if lesson.former is not None else 0.0
        return pace.steps * (again + replayed)


def _with_forgetting(found: Mapping[str, float], forgetting: float) -> Mapping[str, float]:
    fitness = found["accuracy"] - forgetting
    return {"fitness": fitness, **found, "forgetting": forgetting}


def _says_stop(context: Context, step: int, metrics: Mapping[str, float]) -> bool:
    try:
        context.report(step, **metrics)
    except Stopped:
        return True
    return False
