"""Many agents on a grid: how fast they act, how they fight after training, and co-evolution.

    python benchmarks/many_agents.py [--quick] [--million] [--parts speed fights generations]

The world's speed is that of battles at one agent in twenty cells, whose time goes into what agents
see: by random actions, and by a policy of two layers of 64. It is told for a second of one core.
Battles are those of `runs/many_agents.toml`: 64 agents on 17 x 17 cells, each with four points of
health. What a policy is worth is asked in fresh battles that no training has seen. The last part
trains a second generation from the weights of the first, with and without the first among its
opponents.
"""

import argparse
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from paired import Contrast, Record, contrast_table, summary
from torch import Tensor, nn

from evonas import seeds
from evonas.measure import evaluating
from evonas.models import fresh_model
from evonas.state import State
from evonas.trainer import Context
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.many_agents.battles import OTHER, OWN, Ground, Opponents
from evonas_trainers.reinforcement.many_agents.games import GAMES, Shaping
from evonas_trainers.reinforcement.many_agents.judge import Judge
from evonas_trainers.reinforcement.many_agents.players import (
    CHAMPION,
    Player,
    random_player,
    sampling_player,
)
from evonas_trainers.reinforcement.many_agents.shared_dqn import SharedDqn
from evonas_trainers.reinforcement.many_agents.shared_ppo import SharedPpo
from evonas_trainers.reinforcement.many_agents.trainer import ManyAgents
from evonas_trainers.reinforcement.scores import Judging

SIZES = (100, 1_000, 10_000, 100_000)
PARTS = ("speed", "fights", "generations")
BATTLES = 16
SPACE = Mlp(hidden=64, layers=2)
FIGHT = ManyAgents(
    hp=4.0,
    view_range=3.0,
    shaping=Shaping(attack_penalty=-0.02),
    trials=1,
    steps=1_600,
    judging=Judging(times=1, episodes=1),
    ppo=SharedPpo(lr=1e-3),
    dqn=SharedDqn(lr=1e-3),
)
CPU = torch.device("cpu")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small worlds, two seeds")
    parser.add_argument("--million", action="store_true", help="a million agents, too: several GB")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    number = 2 if asked.quick else 5
    trainer = replace(FIGHT, steps=800) if asked.quick else FIGHT
    if "speed" in asked.parts:
        sizes = SIZES[:2] if asked.quick else SIZES
        speeds((*sizes, *([1_000_000] if asked.million else [])))
    if "fights" in asked.parts:
        print(fights(trainer, number), flush=True)
    if "generations" in asked.parts:
        print(generations(trainer, number), flush=True)


def speeds(sizes: Sequence[int]) -> None:
    """Print a row for each number of agents, as it is known."""
    print("| agents | map | random, view 6 | random, view 3 | policy, view 3 | peak memory |")
    print("|---|---|---|---|---|---|")
    for agents in sizes:
        print(speed_row(agents), flush=True)


def speed_row(agents: int) -> str:
    """Return a row: agents' steps a second of the whole loop."""
    turns = max(2, min(400, 2_000_000 // agents))
    side = int((20 * agents) ** 0.5)
    rates = [
        f"{speed(agents, side, view, turns, with_policy=with_policy):,.0f}"
        for view, with_policy in ((6.0, False), (3.0, False), (3.0, True))
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"| {agents:,} | {side} x {side} | {' | '.join(rates)} | {peak:.1f} GB |"


def speed(agents: int, side: int, view: float, turns: int, *, with_policy: bool) -> float:
    """Return how many agents see, choose and act in a second of one core."""
    battle = GAMES["battle"]
    kind = replace(battle.own, view_range=view)
    game = replace(battle, own=kind, other=kind)
    ground = Ground(game=game, agents=agents, map_size=side, horizon=turns)
    world = ground.world()
    rng = seeds.stream(0, "speed")
    players: list[Player] = [random_player(world.abilities[at], rng) for at in (OWN, OTHER)]
    if with_policy:
        trainer = replace(FIGHT, agents=64, view_range=view)
        model = fresh_model(SPACE, SPACE.seed(trainer.signatures(trainer.prepare(0))), 0)
        actor, draws = model.get_submodule("actor"), torch.Generator().manual_seed(0)
        players = [sampling_player(actor, ground.shown, draws)] * 2
    world.start(0)
    acted, start = 0, time.process_time()
    for turn in range(turns + 1):
        if turn == 1:  # the first one pays for memory that is taken once
            acted, start = 0, time.process_time()
        acted += sum(world.living())
        world.turn(*(player(world.sight(at)) for at, player in enumerate(players)))
    return acted / (time.process_time() - start)


def fights(trainer: ManyAgents, number: int) -> str:
    """Return what training by either method makes of a side."""
    records = [
        {"arm": arm, "seed": seed, **found}
        for seed in range(number)
        for arm, found in fought(trainer, seed)
    ]
    arms = ("untrained", "ppo", "dqn")
    names = ("random", "rush")
    digits = {f"{what}, {name}": 2 for name in names for what in ("kills", "deaths")}
    contrasts = [
        Contrast(f"margin, {name}", arm, base)
        for name in names
        for arm, base in (("ppo", "untrained"), ("dqn", "untrained"), ("dqn", "ppo"))
    ]
    return tables(records, arms, digits, contrasts)


def fought(trainer: ManyAgents, seed: int) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield how a side does by arm."""
    for algorithm in ("ppo", "dqn"):
        chosen = replace(trainer, algorithm=algorithm)
        prepared = chosen.prepare(0)
        model = fresh_model(SPACE, SPACE.seed(chosen.signatures(prepared)), seed)
        context = lent(prepared, seed, None)
        if algorithm == "ppo":
            yield "untrained", judged(chosen, model, context)
        chosen.train(model, context)
        yield algorithm, judged(chosen, model, context)


def judged(
    trainer: ManyAgents,
    model: nn.Module,
    context: Context,
    names: Sequence[str] = ("random", "rush"),
) -> Mapping[str, float]:
    """Return kills, deaths and margin a head in fresh battles against each of the players."""
    found: dict[str, float] = {}
    with evaluating(model):
        for name in names:
            result = replace(trainer, judges=(name,), judging=Judging(episodes=BATTLES // 4)).test(
                model, context
            )
            found |= {
                f"kills, {name}": result["kills"],
                f"deaths, {name}": result["deaths"],
                f"margin, {name}": result["return"],
            }
    return found


def generations(trainer: ManyAgents, number: int) -> str:
    """Return what a second generation learns with and without the first as an opponent."""
    records: list[Record] = []
    for seed in range(number):
        prepared = trainer.prepare(0)
        parent = fresh_model(SPACE, SPACE.seed(trainer.signatures(prepared)), seed)
        state = trainer.train(parent, lent(prepared, seed, None)).state
        assert state is not None, "policies have weights"
        for arm, pool in (
            ("without champion", ("random", "rush")),
            ("with champion", ("random", "rush", CHAMPION)),
        ):
            child = fresh_model(SPACE, SPACE.seed(trainer.signatures(prepared)), seed)
            child.load_state_dict(dict(state.tensors))
            context = lent(prepared, seeds.integer(seed, "child"), state)
            replace(trainer, opponents=pool).train(child, context)
            found = {**judged(trainer, child, context), **met(trainer, child, parent, seed)}
            records.append({"arm": arm, "seed": seed, **found})
    arms = ("without champion", "with champion")
    margins = [f"margin, {name}" for name in ("random", "rush", "parent")]
    contrasts = [Contrast(margin, arms[1], arms[0]) for margin in margins]
    return tables(records, arms, dict.fromkeys(margins, 2), contrasts)


def met(trainer: ManyAgents, child: nn.Module, parent: nn.Module, seed: int) -> Mapping[str, float]:
    """Return the margin of a child in battles against its parent."""
    ground = trainer.ground
    one, other = (
        sampling_player(
            model.get_submodule("actor"), ground.shown, torch.Generator().manual_seed(seed + at)
        )
        for at, model in enumerate((child, parent))
    )
    judge = Judge(ground=ground, names=(CHAMPION,), opponents=Opponents(other), episodes=BATTLES)
    with evaluating(child), evaluating(parent):
        return {"margin, parent": judge.verdict(one, seeds.integer(seed, "met"))[0]}


def lent(prepared: Mapping[str, Tensor], seed: int, inherited: State | None) -> Context:
    """Return what a trainer is lent."""
    return Context(CPU, torch.float32, seed, prepared, inherited, lambda *_, **__: None)


def tables(
    records: Sequence[Record],
    arms: Sequence[str],
    digits: Mapping[str, int],
    contrasts: Sequence[Contrast],
) -> str:
    """Return means and deviations, then paired differences."""
    differences = contrast_table(records, contrasts, seeds.stream(0, "intervals"))
    return f"\n{summary(records, arms, digits)}\n\n{differences}"


if __name__ == "__main__":
    main()
