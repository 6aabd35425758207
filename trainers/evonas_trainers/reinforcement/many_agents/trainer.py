"""Many agents that share a policy, in battles on a grid.

"MAgent: A Many-Agent Reinforcement Learning Platform for Artificial Collective Intelligence"
(Zheng et al., 2017, https://arxiv.org/abs/1712.00600). Differences from the paper: one method is
proximal policy optimisation, which was measured to learn in seconds; players by rule and former
champions take the place of self-play; views may be small, since writing them takes nine tenths of
the world's time.

Co-evolution goes along the lineage: a child's opponents include the candidate as it was born, which
plays as its parent did. That parent was selected, so it is a former champion; it stands in the
genome's history, so the same birth always meets the same one, whatever else is being trained.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError, unknown
from evonas.measure import evaluating
from evonas.networks import Signature, Signatures
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import scores, trials
from evonas_trainers.reinforcement.many_agents.battles import OWN, Campaign, Ground, Opponents
from evonas_trainers.reinforcement.many_agents.games import Game, Shaping, game_named
from evonas_trainers.reinforcement.many_agents.judge import Judge
from evonas_trainers.reinforcement.many_agents.pictures import animation
from evonas_trainers.reinforcement.many_agents.players import (
    CHAMPION,
    SCRIPTED,
    Look,
    Player,
    greedy_player,
    sampling_player,
)
from evonas_trainers.reinforcement.many_agents.practice import Practice
from evonas_trainers.reinforcement.many_agents.shared_dqn import DqnTrial, SharedDqn
from evonas_trainers.reinforcement.many_agents.shared_ppo import PpoTrial, SharedPpo
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Setting


@final
@dataclass(frozen=True, kw_only=True)
class ManyAgents(Trainer):
    """One policy for all agents of a side.

    A candidate's return is the margin of its battles: kills less deaths, per head of its side, 1 if
    as many enemies are killed as it has agents and none of these dies. `fitness`, `area` and
    `final_return` are made of it as `evonas_trainers.reinforcement.scores.Judging` says, with 0 and
    1 as `low` and `high` where none are given. `kills` and `deaths` are of the last evaluation, per
    head; `against_random` and so on are the margins against each player. `against_champion` tells
    how much better a child has become than it was born; it is no part of the fitness.

    Attributes:
        game: `battle`, `gather`, `pursuit`, or `custom`.
        custom: What is played where the game is `custom`.
        agents: Of both sides.
        map_size: Height and width of the map, walls around it included.
        horizon: Turns of a battle.
        view_range: How far the own side sees, and the other where both are alike; None for the
            game's.
        hp: Health of both sides where they are alike; None for the game's.
        look: What a network is shown: `vector`, or `planes` for convolutions.
        features: Whether it is told its agent's last action and reward, too.
        opponents: Who is fought in training, in turn: `random`, `rush`, `flee`, `champion`.
            Champions are met by candidates with inherited weights alone.
        judges: Who decides, the same for all candidates.
        algorithm: `ppo` (networks `actor` and `critic`) or `dqn` (`net`).
        steps: Turns of the world, of one trial.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged; `episodes` are battles against each of the judges.
        shaping: Rewards in place of the game's.
        ppo: Settings of the one method.
        dqn: And of the other.
    """

    paper: ClassVar[str] = "MAgent: A Many-Agent Reinforcement Learning Platform, Zheng et al. 2017"
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = {**scores.METRICS, "kills": "max", "deaths": "min"}
    fixed: ClassVar[frozenset[str]] = frozenset(
        {
            *("game", "custom", "agents", "map_size", "horizon", "view_range", "hp", "look"),
            *("features", "judges", "algorithm", "trials", "judging"),
        }
    )

    game: str = "battle"
    custom: Game | None = None
    agents: int = 64
    map_size: int = 17
    horizon: int = 80
    view_range: float | None = None
    hp: float | None = None
    look: Look = "vector"
    features: bool = False
    opponents: tuple[str, ...] = ("random", "rush")
    judges: tuple[str, ...] = ("random", "rush")
    algorithm: Literal["ppo", "dqn"] = "ppo"
    steps: int = 4000
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    shaping: Shaping = field(default_factory=Shaping)
    ppo: SharedPpo = field(default_factory=SharedPpo)
    dqn: SharedDqn = field(default_factory=SharedDqn)

    def __post_init__(self) -> None:
        for name in ("horizon", "trials", "steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        game = game_named(self.game, self.custom)
        for name in self.opponents:
            if name not in {*SCRIPTED, CHAMPION}:
                raise unknown("opponent", name, [*SCRIPTED, CHAMPION])
        for name in self.judges:
            if name not in SCRIPTED:
                raise unknown("judge", name, SCRIPTED)
        if not self.judges or not set(self.opponents) - {CHAMPION}:
            raise ConfigError(f"give a judge, and one opponent of {', '.join(SCRIPTED)} at least")
        if CHAMPION in self.opponents and not game.is_alike:
            raise ConfigError(
                f"in {self.game!r} the sides are not alike, so that no champion of the one can play"
                " for the other; take 'champion' from the opponents"
            )
        _ = self.judging.moments(self._rounds)

    @classmethod
    def example(cls) -> "ManyAgents":
        """Return what `evonas check` trains."""
        return cls(
            agents=12,
            map_size=9,
            horizon=10,
            view_range=3.0,
            steps=20,
            judging=Judging(times=2, episodes=1),
            opponents=("random", CHAMPION),
            ppo=SharedPpo(turns=10),
        )

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at what an agent sees and can do."""
        ground = self.ground
        world = ground.world()
        return {
            "observation": torch.tensor(ground.shape(world)),
            "actions": torch.tensor(world.abilities[OWN].actions),
        }

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return actor and critic, or the network of values and advantages."""
        seen, actions = tuple(prepared["observation"].tolist()), int(prepared["actions"])
        if self.algorithm == "dqn":
            return {"net": Signature(seen, (1 + actions,))}
        return {"actor": Signature(seen, (actions,)), "critic": Signature(seen, (1,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train in all trials, and judge them as they go."""
        champion = deepcopy(model).eval().requires_grad_(requires_grad=False)
        made = [
            self._trial(one, champion, context, number)
            for number, one in enumerate(trials.copies(model, self.trials))
        ]
        setting = Setting(
            environment=self.game,
            judging=self._scaled_judging,
            signatures=self.signatures(context.prepared),
        )
        return trials.run(made, setting, model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy in four times as many fresh battles as an evaluation has."""
        judging, seed = self._scaled_judging, seeds.integer(context.seed, "test")
        judge = Judge(
            ground=self.ground,
            names=self.judges,
            opponents=Opponents(),
            episodes=4 * judging.episodes,
        )
        with evaluating(model):
            margin, others = judge.verdict(self._player(model, context, seed), seed)
        judged = judging.metrics([margin], self.game, scores.num_weights(model))
        return {**judged, **others, "return": margin}

    def pictures(self, model: nn.Module, context: Context) -> Mapping[str, bytes]:
        """Show a battle against each of the judges."""
        found: dict[str, bytes] = {}
        with evaluating(model):
            for name in self.judges:
                seed = seeds.integer(context.seed, "picture", name)
                player = self._player(model, context, seed)
                score, picture = animation(self.ground, player, name, seed)
                caption = (
                    f"{self.game}: the evolved side (blue) against {name!r} (orange); fainter ones"
                    f" have been hit. {score.kills:.2f} kills and {score.deaths:.2f} deaths a head"
                )
                found[caption] = picture
        return found

    @property
    def ground(self) -> Ground:
        """Where battles are fought, with the rewards that teach."""
        game = game_named(self.game, self.custom)
        asked = {"view_range": self.view_range, "hp": self.hp}
        changes = {name: value for name, value in asked.items() if value is not None}
        if changes:
            other = replace(game.other, **changes) if game.is_alike else game.other
            game = replace(game, own=replace(game.own, **changes), other=other)
        return Ground(
            game=self.shaping.applied(game),
            agents=self.agents,
            map_size=self.map_size,
            horizon=self.horizon,
            look=self.look,
            features=self.features,
        )

    @property
    def _rounds(self) -> int:
        return self.steps // (self.ppo.turns if self.algorithm == "ppo" else 1)

    @property
    def _scaled_judging(self) -> Judging:
        """Return the judging with a scale."""
        low = 0.0 if self.judging.low is None else self.judging.low
        high = 1.0 if self.judging.high is None else self.judging.high
        return replace(self.judging, low=low, high=high)

    def _trial(
        self, model: nn.Module, champion: nn.Module, context: Context, number: int
    ) -> PpoTrial | DqnTrial:
        seed = seeds.integer(context.seed, "trial", number)
        meets = CHAMPION in self.opponents and context.inherited is not None
        opponents = Opponents(self._player(champion, context, seed) if meets else None)
        pool = tuple(name for name in self.opponents if meets or name != CHAMPION)
        ground = self.ground
        practice = Practice(
            campaign=Campaign(ground, pool, opponents, seed),
            judge=Judge(
                ground=ground,
                names=self.judges,
                opponents=opponents,
                episodes=self.judging.episodes,
            ),
            judging=self.judging,
            steps=self.steps,
            seed=seed,
            device=context.device,
            shape=tuple(context.prepared["observation"].tolist()),
            actions=int(context.prepared["actions"]),
            inherited=context.inherited,
        )
        if self.algorithm == "ppo":
            return PpoTrial(self.ppo, practice, model)
        return DqnTrial(self.dqn, practice, model)

    def _player(self, model: nn.Module, context: Context, seed: int) -> Player:
        """Return how a policy plays where it learns no more."""
        show = self.ground.shows_on(context.device)
        if self.algorithm == "dqn":
            return greedy_player(model, show)
        generator = torch.Generator(context.device)
        generator.manual_seed(seeds.integer(seed, "player"))
        return sampling_player(model.get_submodule("actor"), show, generator)
