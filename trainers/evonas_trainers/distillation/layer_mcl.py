"""Layer-wise mutual contrastive learning: every exit of a network contrasts with every other's.

Networks have an exit after each stage. Between any two exits of different networks there are the
four contrastive terms, and which samples count on which pair of exits is learned by a bilevel
block, judged by the labels' loss at all exits. A gate makes one target of a network's exits, from
which the last exits of all networks learn. Weights are those of the authors' script, whose sum goes
over ordered pairs of exits and has all terms of both directions each time: a term of an edge here
is there twice, and the contrast in an exit once for every ordered pair that the exit is in.

Differs from the authors' code: a gate weighs the exits by the network's last map and normalises
scores over the batch, where theirs is an MLP of all exits' vectors; an exit runs the stages that it
shares once more, which costs time and changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Node, Spec, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    live,
    maps,
    mutual,
    peers,
    require,
    task,
)

_MATCH, _JUDGE = "match", "labels"
_TWICE = 2


@final
@dataclass(frozen=True, kw_only=True)
class Lmcl(CohortPreset):
    """Layer-wise mutual contrastive learning with learned matching.

    With `is_matched` off all samples count alike on all pairs of exits, and no matcher learns; with
    the four weights of contrasts at 0 as well, what is left is the control: exits and their gate.

    Attributes:
        members: Networks that are trained beside the candidate.
        exits: Of each network at most, its own outputs included; the last stages have them.
        per_class: Samples of every class in a batch.
        tau: By which similarities are divided.
        temperature: By which these, or logits, are divided once more for the soft terms.
        vcl: Weight of the contrast in every exit.
        icl: Weight of the contrast between every two.
        soft_vcl: Weight of the agreement on the contrast in each.
        soft_icl: Weight of the agreement on the contrast between them.
        logits: Weight of the divergence from every network's gate.
        is_matched: Whether samples have learned weights.
        every: Steps of the training between two of the matchers'.
        steps: Virtual steps that these look ahead.
        matching_lr: Of virtual steps and of the matchers'.
        has_gates: Whether weights may go from 0 to 1, with a learned scale and shift.
    """

    paper: ClassVar[str] = (
        "Online Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition, "
        "Yang et al., 2022, https://arxiv.org/abs/2207.11518"
    )

    members: int = 1
    exits: int = 3
    per_class: int = 2
    tau: float = 0.1
    temperature: float = 3.0
    vcl: float = 0.1
    icl: float = 0.1
    soft_vcl: float = 1.0
    soft_icl: float = 1.0
    logits: float = 1.0
    is_matched: bool = True
    every: int = 50
    steps: int = 2
    matching_lr: float = 0.1
    has_gates: bool = False

    def cohort(self, available: Available) -> Cohort:
        """Return one stage of batches that hold some samples of every class."""
        if self.exits < 2:
            raise ConfigError(f"exits is {self.exits!r}; matching layers needs 2 or more")
        stages = maps(available.taps, "seed network", at_least=2)
        networks = {**candidate(), **peers(self.members)}
        exits = {name: _exits(name, stages[-self.exits : -1]) for name in networks}
        nodes = {**networks, **{view: node for own in exits.values() for view, node in own.items()}}
        gap = require(available.taps, "gap")
        ends = {name: [end(one, gap) for one in (name, *own)] for name, own in exits.items()}
        contrasts = live(self._contrasts(ends))
        gates = {_gate(name): _aggregator(name, own, stages[-1]) for name, own in exits.items()}
        is_matched = self.is_matched and bool(contrasts)
        sampler = {"name": "per-class", "count": self.per_class}
        return Cohort(
            preset="lmcl",
            nodes=nodes,
            aggregators=gates,
            edges=(
                *(task(end(name), tag=_JUDGE) for name in nodes),
                *(task(name, tag="gate") for name in gates),
                *live(self._lessons(networks)),
                *contrasts,
            ),
            stages=(Stage(train=(*nodes, *gates), sampler=sampler),),
            bilevel=self._bilevel() if is_matched else None,
        )

    def _bilevel(self) -> Bilevel:
        return Bilevel(
            inner=_MATCH,
            outer=_JUDGE,
            every=self.every,
            steps=self.steps,
            lr=self.matching_lr,
            has_gates=self.has_gates,
        )

    def _lessons(self, networks: Iterable[str]) -> Iterator[Edge]:
        """Yield the divergences of every network's outputs from every gate, its own included."""
        for to, source in product(networks, repeat=2):
            weight = Curve(end=self.logits)
            yield divergence(end(to), _gate(source), self.temperature, weight, tag="gate")

    def _contrasts(self, ends: Mapping[str, list[str]]) -> Iterator[Edge]:
        hard = {"tau": self.tau}
        soft = {**hard, "temperature": self.temperature}
        for network, own in ends.items():
            others = sum(len(its) for name, its in ends.items() if name != network)
            for to in own:
                yield self._edge({"name": "vcl", **hard}, others * self.vcl, to)
        for network, other in mutual(ends):
            for to, source in product(ends[network], ends[other]):
                yield self._edge({"name": "icl", **hard}, self.icl, to, source, both=True)
                yield self._edge({"name": "soft-vcl", **soft}, self.soft_vcl, to, source)
                yield self._edge({"name": "soft-icl", **soft}, self.soft_icl, to, source, both=True)

    def _edge(
        self, loss: Spec, weight: float, to: str, source: str = "", *, both: bool = False
    ) -> Edge:
        return Edge(
            loss=loss,
            to=to,
            source=source,
            weight=Curve(end=_TWICE * weight),
            both=both,
            tag=_MATCH,
            matched=self.is_matched,
        )


def _exits(network: str, stages: Iterable[str]) -> Mapping[str, Node]:
    """Return a network's early exits: the rest of the backbone once more after each stage."""
    start = "" if network == CANDIDATE else f"{network}_"
    return {
        f"{start}exit_{stage}": Node(kind="view", role="exit", of=network, trunk=stage)
        for stage in stages
    }


def _gate(network: str) -> str:
    return f"{network}_gate"


def _aggregator(network: str, exits: Iterable[str], last: str) -> Aggregator:
    inputs = tuple(end(name) for name in (network, *exits))
    return Aggregator(rule={"name": "gate"}, inputs=inputs, queries=(end(network, last),))
