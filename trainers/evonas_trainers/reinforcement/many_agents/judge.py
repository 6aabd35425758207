"""How a side that learns is judged: by battles against players that never change.

Every candidate of a search meets the same players, so that their margins can be compared. How it
does against a former champion is told beside: that says how far it came from where it started, and
would not order candidates that started from different ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from evonas import seeds
from evonas_trainers.reinforcement.many_agents.battles import Ground, Opponents, Score, battle
from evonas_trainers.reinforcement.many_agents.players import CHAMPION, Player


@final
@dataclass(frozen=True, kw_only=True)
class Judge:
    """Fights the battles of an evaluation.

    Attributes:
        ground: Where.
        names: The players that decide.
        opponents: Who plays by these names; a champion among them is met, too.
        episodes: Battles against each.
    """

    ground: Ground
    names: tuple[str, ...]
    opponents: Opponents
    episodes: int

    def verdict(self, player: Player, seed: int) -> tuple[float, Mapping[str, float]]:
        """Return the margin, and what the trainer reports beside it."""
        champion = () if self.opponents.champion is None else (CHAMPION,)
        found = {name: self._against(name, player, seed) for name in (*self.names, *champion)}
        judged = [found[name] for name in self.names]
        margins = {f"against_{name}": score.margin for name, score in found.items()}
        mean = _mean(judged)
        return mean.margin, {"kills": mean.kills, "deaths": mean.deaths, **margins}

    def _against(self, name: str, player: Player, seed: int) -> Score:
        """Return the mean score of battles against one player."""
        world, fought = self.ground.world(), list[Score]()
        for number in range(self.episodes):
            drawn = seeds.integer(seed, name, number)
            players = (player, self.opponents.player(name, world, drawn))
            fought.append(battle(world, players, self.ground.horizon, drawn))
        return _mean(fought)


def _mean(scores: Sequence[Score]) -> Score:
    number = len(scores)
    return Score(
        sum(one.kills for one in scores) / number, sum(one.deaths for one in scores) / number
    )
