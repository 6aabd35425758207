"""Small searches written down by hand, with real genomes and made-up outcomes."""

from dataclasses import replace

from evonas.genome import Birth, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Failure, History, Individual, Objective, Outcome

OBJECTIVES = (Objective("error", "min"), Objective("macs", "min"))
ONES, ZEROS = [1, 1], [0, 0]


def seed_genome() -> Genome:
    """Return a classifier of 8x8 pictures with one convolution."""
    conv = {
        "out": 8, "kernel": [3, 3], "stride": ONES, "padding": ONES, "dilation": ONES,
        "groups": 1, "bias": False,
    }  # fmt: skip
    nodes = (
        Node("image", "input", (), {"shape": [1, 8, 8]}),
        Node("conv", "conv", ("image",), conv),
        Node("norm", "bn", ("conv",), {"eps": 1e-5, "momentum": 0.1}),
        Node("act", "act", ("norm",), {"kind": "relu"}),
        Node("pool", "gap", ("act",)),
        Node("head", "linear", ("pool",), {"out": 10, "bias": True}),
        Node("end", "output", ("head",)),
    )
    return Genome({"net": LayerGraph(nodes)}, {"optimizer.lr": 0.1})


def widened(genome: Genome, node_id: str = "conv") -> Genome:
    """Return the genome with two more channels in one convolution."""
    graph = genome.architecture["net"]
    node = graph[node_id]
    wider = replace(node, params={**node.params, "out": node.params["out"] + 2})
    edit = genome.edit("widen", f"net/{node_id}", by=2)
    return genome.with_graph("net", graph.with_nodes([wider])).with_edit(edit)


def warmed(genome: Genome, factor: float) -> Genome:
    """Return the genome with another learning rate."""
    rate = genome.settings["optimizer.lr"] * factor
    edit = genome.edit("perturb", "settings/optimizer.lr", value=rate)
    return genome.with_settings({"optimizer.lr": rate}).with_edit(edit)


def evaluation(error: float, macs: float, weights: str = "") -> Evaluation:
    """Return an outcome with a learning curve of two steps."""
    curve = ((1, {"error": error + 0.2}), (2, {"error": error + 0.1}))
    metrics = {"error": error, "macs": macs, "parameters": 1234}
    return Evaluation(metrics, Cost(1000, 3 * macs * 1000, 0.25), weights, curve)


def history(length: int = 8) -> History:
    """Return a search of up to 8 births: edits, a control, a crossover, a failure, a last training.

    Number 2 is a control child of the seed and comes after its sibling, number 1.
    """
    seed = seed_genome()
    wide, warm = widened(seed), warmed(seed, 0.5)
    both = replace(widened(warm), edits=(*warm.edits, *wide.edits))
    lost = Failure("timeout", "no outcome after 5 s", "", Cost(10, 20.0, 5.0))
    births: list[tuple[Genome, str, tuple[int, ...], int, Outcome]] = [
        (seed, "seed", (), 1, evaluation(0.4, 100.0, "a" * 64)),
        (wide, "widen", (0,), 2, evaluation(0.30, 140.0, "b" * 64)),
        (seed, "control", (0,), 2, evaluation(0.35, 100.0, "c" * 64)),
        (warm, "perturb", (0,), 2, evaluation(0.36, 100.0, "d" * 64)),
        (widened(wide), "widen", (1,), 3, lost),
        (both, "crossover", (3, 1), 4, evaluation(0.28, 140.0, "e" * 64)),
        (warmed(both, 2.0), "perturb", (5,), 5, evaluation(float("nan"), 140.0)),
        (both, "final", (5,), 4, evaluation(0.2, 140.0, "f" * 64)),
    ]
    return History(
        [
            Individual(number, Birth(genome, operator, parents, born), outcome)
            for number, (genome, operator, parents, born, outcome) in enumerate(births[:length])
        ]
    )


def long_history(length: int) -> History:
    """Return a search of any length: individual n stems from n // 3, and every seventh is lost."""
    found: list[Individual] = []
    for number in range(length):
        parents = (number // 3,) if number else ()
        genome = widened(found[parents[0]].birth.genome) if parents else seed_genome()
        outcome: Outcome = evaluation(1.0 / (number + 2), 100.0 + number)
        if number % 7 == 6:
            outcome = Failure("diverged", "the loss is nan", "", Cost(10, 20.0, 1.0))
        birth = Birth(genome, "widen" if number else "seed", parents, number)
        found.append(Individual(number, birth, outcome))
    return History(found)
