"""Three teachers, each an expert on one kind of pictures: who asks the right one.

Digits are shown as they are, inverted, or turned by a quarter, each picture one way by chance. An
expert, four times as wide as the student, has learned from the same 400 pictures, all shown its
way. Students learn from 30 % labels and 70 % teachers at temperature 5: from the mean of their
probabilities, or from a mixture by latent factors that learn from the labels, or, as published,
from the student's loss. Hints and angles are off, so that arms differ in the weights of teachers
alone; phases and learning rates are the method's in all three. "Right" is the share of test
pictures for which the right expert weighs most. `longer` trains the gate in 60 % of the steps
instead of the published 27: an arm that was added when three seeds had been seen, and the default
since. Contrasts were fixed before the
runs.

    python benchmarks/cohort_amtml.py --seeds 8
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import torch
from cohort_learners import SMALL, Change, Digits, Learner, accuracy, cost, prepared_of
from ledger import Arm, add_options, recorded
from paired import Contrast, contrast_table, summary
from torch import Tensor, nn

from evonas import export, seeds
from evonas.api import Member
from evonas.cohort_plan import SCAFFOLD
from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, split_end
from evonas.genome.taps import network_taps
from evonas_trainers.augment import normalise
from evonas_trainers.distillation.aggregators.latent_factors import LatentFactors
from evonas_trainers.distillation.amtml import Amtml
from evonas_trainers.distillation.learning.scaffold import aggregator_key
from evonas_trainers.distillation.learning.tapped import Tapped

DOMAINS: Mapping[str, Change] = {
    "shown": lambda x: x,
    "inverted": lambda x: 1 - x,
    "turned": lambda x: np.rot90(x, axes=(1, 2)),
}
WIDE = {**SMALL, "arguments": {"widths": [16, 32, 64]}}
_NO_MORE: Mapping[str, Any] = {"hint": 0.0, "angle": 0.0, "warm_share": 0.27}
PRESETS: Mapping[str, Any] = {
    "plain": None,
    "mean": "cohort_amtml:MeanOfTeachers",
    "gate, labels": {"name": "amtml", "gate": "labels", **_NO_MORE},
    "gate, labels, longer": {"name": "amtml", "gate": "labels", **_NO_MORE, "warm_share": 0.6},
    "gate, published": {"name": "amtml", "gate": "edges", **_NO_MORE},
}
CONTRASTS = (
    Contrast("final", "gate, labels", "mean"),
    Contrast("final", "gate, labels", "plain"),
    Contrast("final", "gate, published", "mean"),
)


@final
@dataclass(frozen=True)
class MeanOfTeachers(CohortPreset):
    """The control: all teachers weigh alike, and nothing else differs."""

    paper: ClassVar[str] = "the control that shows what weights by sample are worth"
    teachers: ClassVar[int] = 2

    def cohort(self, available: Available) -> Cohort:
        """Return the method's stages and edges, with a mean in place of its gate."""
        method = Amtml(**_NO_MORE)
        cohort = method.cohort(available)
        rule = {"name": "mean", "space": "prob", "temperature": method.temperature}
        return replace(
            cohort,
            aggregators={
                name: Aggregator(rule=rule, inputs=one.inputs, learns="nothing")
                for name, one in cohort.aggregators.items()
            },
            stages=tuple(replace(stage, train=(CANDIDATE,)) for stage in cohort.stages),
        )


@final
class Expert(nn.Module):
    """A network that was exported, for inputs that others have normalised.

    Args:
        file: Of the export.
        scale: By which inputs are multiplied to be as those it has learned from.
        shift: What is added then.
    """

    def __init__(self, file: str, scale: float, shift: float) -> None:
        super().__init__()
        self.network = export.load(Path(file))
        self.scale, self.shift = scale, shift

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits."""
        return self.network(inputs * self.scale + self.shift)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser, seeds=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arms = {name: _arm(name, Path(folder)) for name in PRESETS}
        records = recorded(arms, options.seeds, options.record)
    print("accuracy on test data after the last step, percent; right experts, percent")
    print(summary(records, arms, {"final": 2, "right": 1, "gigamacs": 1, "seconds": 1}))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


def _arm(name: str, folder: Path) -> Arm:
    def run(seed: int) -> Mapping[str, float]:
        data = Digits(seed=seed, domains=tuple(DOMAINS.values())).file(folder / str(seed))
        preset = PRESETS[name]
        teachers = {} if preset is None else _experts(data, seed)
        member = Learner(space=SMALL, preset=preset, teachers=teachers).trained(data, seed, name)
        return {"final": accuracy(member), "right": _right(member, data), **cost(member)}

    return run


def _experts(data: Path, seed: int) -> Mapping[str, Any]:
    """Return the table of teachers, which are made the first time."""
    tables: dict[str, Any] = {}
    mean, std = _moments(Learner(space=SMALL), data, seed)
    for name, change in DOMAINS.items():
        folder = data.parent / f"expert-{name}"
        file, learner = folder / "expert.safetensors", Learner(space=WIDE)
        own = Digits(seed=seed, domains=(change,)).file(folder)
        if not file.exists():
            learner.trained(own, seed, "run").export(file)
        its_mean, its_std = _moments(learner, own, seed)
        scale = {"scale": std / its_std, "shift": (mean - its_mean) / its_std}
        arguments = {"file": str(file), **scale}
        tables[name] = {"network": "cohort_amtml:Expert", "arguments": arguments}
    return tables


def _moments(learner: Learner, data: Path, seed: int) -> tuple[float, float]:
    """Return mean and deviation by which a learner's inputs are normalised."""
    prepared = learner.run(data, seed).trainer.prepare(seed)
    return prepared["mean"].item(), prepared["std"].item()


def _right(member: Member, data: Path) -> float:
    """Return for how many test pictures the right expert weighs most, in percent, if any weighs."""
    cohort = Cohort.of(member.genome)
    if cohort is None or not member.state().part(SCAFFOLD).tensors:
        return float("nan")
    ((name, gate),) = cohort.aggregators.items()
    (query,) = (split_end(end)[1] for end in gate.queries)
    tap, prepared = network_taps(member.genome)[query], prepared_of(member)
    tapped = Tapped(member.model(), {query: tap}, CANDIDATE)
    with torch.no_grad():
        tapped.network(normalise(prepared["test_x"], prepared))
    seen, start = tapped.features[query], f"{aggregator_key(name)}."
    latent = LatentFactors().start([(1,)] * len(gate.inputs), [tap.shape])
    tensors = member.state().part(SCAFFOLD).tensors
    latent.load_state_dict({one.removeprefix(start): value for one, value in tensors.items()})
    opinions = [seen.new_zeros(len(seen), 1)] * len(gate.inputs)
    latent(opinions, [seen], prepared["test_y"])
    assert latent.weights is not None, "latent factors have weighed"
    with np.load(data) as arrays:
        domain = torch.from_numpy(arrays["domain_test"])
    return 100 * (latent.weights.argmax(1) == domain).float().mean().item()


if __name__ == "__main__":
    main()
