"""What TD3 and SAC do in an environment: collect, keep, learn, and be judged."""

from dataclasses import dataclass, field, replace
from typing import final

import pytest
import reach
import torch
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas.state import State
from evonas.trainer import Context, Trained
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.descent import AdamSettings
from evonas_trainers.reinforcement.off_policy import Collecting, OffPolicyTrial, Task
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.sac import Sac
from evonas_trainers.reinforcement.sac_learner import SacSettings
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.td3 import Td3
from evonas_trainers.reinforcement.td3_learner import Td3Settings

JUDGING = Judging(times=2, episodes=4, low=-4.0, high=0.0)
TASK = Task(
    environment=reach.NAME,
    options={},
    steps=40,
    judging=JUDGING,
    collecting=Collecting(start_steps=15, parallel=2, batch_size=64, updates=3),
    forwards=4,
)
TRAINER = Td3(environment=reach.NAME, steps=40, judging=JUDGING, collecting=TASK.collecting)


@final
@dataclass
class Scripted:
    """Always does the same, and notes what it is to learn from."""

    model: nn.Module
    loss: float = 0.0
    batches: list[Batch] = field(default_factory=list)

    def act(self, observations: Tensor) -> Tensor:
        return torch.zeros(len(observations), 1)

    def explore(self, observations: Tensor) -> Tensor:
        return torch.full((len(observations), 1), 0.5)

    def update(self, batch: Batch) -> Tensor:
        self.batches.append(batch)
        return torch.tensor(self.loss)

    def finish(self) -> None:
        """Nothing is pruned."""

    def state(self) -> State:
        return State.of(self.model)


def context(inherited: State | None = None, seed: int = 0) -> Context:
    prepared = TRAINER.prepare(0)
    return Context(
        torch.device("cpu"), torch.float32, seed, prepared, inherited, lambda *_, **__: None
    )


def scripted(inherited: State | None = None, loss: float = 0.0) -> tuple[OffPolicyTrial, Scripted]:
    learner = Scripted(nn.Linear(1, 1), loss)
    lent = context(inherited)
    return OffPolicyTrial(TASK, lambda _: learner, learner.model, lent, 0), learner


def test_a_fresh_policy_begins_with_random_actions_and_learns_after_them() -> None:
    trial, learner = scripted()
    checkpoints = list(trial.checkpoints())
    assert [one.steps for one in checkpoints] == [20, 40]
    assert checkpoints[-1].gradient_steps == len(learner.batches) == (20 - 8) * 3
    assert checkpoints[-1].forwards == 40 + 4 * 64 * len(learner.batches)
    first = learner.batches[0].actions
    assert first.unique().numel() > 10
    assert float(first.abs().max()) <= 1


def test_an_inherited_policy_takes_the_first_steps_itself() -> None:
    trial, learner = scripted(State({}))
    list(trial.checkpoints())
    assert learner.batches[0].actions.unique().tolist() == [0.5]
    assert len(learner.batches) == (20 - 8) * 3


def test_episodes_that_are_cut_off_do_not_end_in_the_buffer() -> None:
    trial, learner = scripted()
    list(trial.checkpoints())
    assert not any(bool(batch.terminated.any()) for batch in learner.batches)


def test_a_step_leads_from_where_it_began_even_at_the_end_of_an_episode() -> None:
    trial, learner = scripted(State({}))
    list(trial.checkpoints())
    batch = learner.batches[-1]
    expected = (batch.observations + (2.5 - 1) / 3).clamp(-1, 1)  # half of the way up is 2.5
    assert torch.allclose(batch.next_observations, expected)


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    trial, _ = scripted(loss=float("nan"))
    with pytest.raises(FloatingPointError, match="a loss of the first 6"):
        list(trial.checkpoints())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 17}, "of 17 steps 15 teach nothing yet"),
        ({"trials": 0}, "trials is 0, should be 1 or more"),
        ({"judging": replace(JUDGING, times=21)}, "20 rounds of training for 21 evaluations"),
    ],
)
def test_what_leaves_nothing_to_learn_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(TRAINER, **changes)


@pytest.mark.parametrize("trainer", [Td3, Sac])
def test_an_environment_of_choices_is_refused(trainer: type[Td3 | Sac]) -> None:
    with pytest.raises(ConfigError, match=r"has actions that are numbers, .* 'dqn' or 'ppo'"):
        trainer(environment="CartPole-v1").prepare(0)


@pytest.mark.parametrize("name", ["start_steps", "parallel", "capacity", "batch_size", "updates"])
def test_counts_of_less_than_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0, should be 1 or more"):
        Collecting(**{name: 0})


def trained(trainer: Td3 | Sac, seed: int = 0) -> tuple[Trained, float]:
    """Train a fresh candidate; return with it what it returns in episodes of the test."""
    space, lent = Mlp(hidden=16), context(seed=seed)
    model = fresh_model(space, space.seed(trainer.signatures(lent.prepared)), seed)
    return trainer.train(model, lent), trainer.test(model, lent)["return"]


FAST = AdamSettings(lr=0.01)
LEARNS = [
    replace(TRAINER, learning=Td3Settings(adam=FAST, discount=0.8, target_share=0.05)),
    Sac(
        environment=reach.NAME,
        judging=JUDGING,
        learning=SacSettings(adam=FAST, discount=0.8, target_share=0.05, temperature=0.1),
    ),
]


@pytest.mark.parametrize("trainer", LEARNS, ids=["td3", "sac"])
def test_a_policy_learns_to_bring_a_point_to_zero(trainer: Td3 | Sac) -> None:
    collecting = Collecting(start_steps=64, parallel=4, batch_size=64, updates=4)
    found, returns = trained(replace(trainer, steps=480, trials=1, collecting=collecting))
    assert returns > -0.7, "random actions get about -4, standing still -4, a perfect policy -0.3"
    assert found.samples == 480
