"""The family tree of a search: who inherited whose weights, who carries whose edits.

An individual's first parent is the one whose trained weights it continues; following first parents
gives its line. A line's cost is what the weights have cost in all: every ancestor on it once, the
individual itself included. An edit's credit compares siblings: a control child is an unedited clone
of the same parent, trained as long with the same seed, and what a child loses less than its control
is what its edits have earned (NASH, Elsken et al. 2017, https://arxiv.org/abs/1711.04528, trains
such a clone in every generation).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx

from evonas.genome import CONTROL, FINAL, Edit, Genome, canonical, past_cohort, past_pruning
from evonas.genome.cohort import COHORT_CROSS, COHORT_GENES
from evonas.genome.past_pruning import PastPruning
from evonas.genome.pruning import GENES
from evonas.history import Cost, Evaluation, Individual, Objective

WEIGHTS = "weights"
DONOR = "donor"


def family_tree(
    individuals: Iterable[Individual], objectives: Sequence[Objective], front: Collection[int] = ()
) -> "nx.DiGraph[int]":
    """Return the lineage as a graph from parents to children.

    Args:
        individuals: A history, or a part of one that holds every parent of its members.
        objectives: Of the search; credit is counted in the first.
        front: Numbers of the individuals to mark.

    Returns:
        Nodes are numbers with `operator`, `key`, `edits` (names of those added to the first
        parent's), `pruned` (how its own edits prune, or the empty string), `metrics`, `front`,
        `failure` (its kind or the empty string), `weights`, `generation` (steps from the first of
        the line), and own and line cost as `samples`, `macs`, `seconds`, `line_samples`,
        `line_macs`, `line_seconds`. Edges have a `role` (weights or donor), the names of the
        `edits` that came this way, and the first parent's edge has the `credit` where a control is
        known. The graph has the names of the `objectives`.
    """
    found = {one.number: one for one in individuals}
    origin = found[min(found)].birth.genome if found else Genome()
    graph: nx.DiGraph[int] = nx.DiGraph(objectives=[objective.name for objective in objectives])
    costs: dict[int, Cost] = {}
    earned = edit_credits(found.values(), objectives[0]) if objectives else {}
    for number, one in sorted(found.items()):
        costs[number] = line_cost(one, costs)
        parents = [found[parent] for parent in one.birth.parents]
        generation = graph.nodes[parents[0].number]["generation"] + 1 if parents else 0
        added = added_edits(one.birth.genome, parents[0].birth.genome if parents else None)
        names = [edit_name(edit, one.birth.genome, origin) for edit in added]
        graph.add_node(number, **_facts(one, added, costs[number]), edits=names)
        graph.nodes[number].update(front=number in front, generation=generation)
        _connect(graph, one, parents, list(zip(added, names, strict=True)))
        if number in earned:
            graph.edges[parents[0].number, number]["credit"] = earned[number]
    return graph


def same(first: "nx.DiGraph[int]", second: "nx.DiGraph[int]") -> bool:
    """Tell whether two family trees are equal in everything they say."""
    return _text(first) == _text(second)


def line_cost(individual: Individual, known: Mapping[int, Cost]) -> Cost:
    """Return the cost of an individual's line, given its first parent's."""
    own = individual.outcome.cost
    before = known[individual.birth.parents[0]] if individual.birth.parents else Cost()
    return Cost(own.samples + before.samples, own.macs + before.macs, own.seconds + before.seconds)


def brood(individual: Individual) -> tuple[int, int] | None:
    """Return what siblings and their control share: first parent and seed of the training.

    None for those without siblings: founders, and clones that are trained a last time, longer.
    """
    birth = individual.birth
    has_siblings = birth.parents and birth.operator != "final"
    return (birth.parents[0], birth.seed) if has_siblings else None


def edit_credits(individuals: Iterable[Individual], objective: Objective) -> dict[int, float]:
    """Return what the edits of each child have earned: its control's loss minus its own.

    Children without an evaluated control are left out, and so are last trainings, which are longer.
    """
    losses: dict[int, tuple[Individual, float]] = {}
    controls: dict[tuple[int, int], float] = {}
    for one in individuals:
        siblings = brood(one)
        if siblings is None or one.birth.operator == FINAL:
            continue
        if not isinstance(one.outcome, Evaluation):
            continue
        if one.birth.operator == CONTROL:
            controls.setdefault(siblings, objective.loss(one.outcome))
        else:
            losses[one.number] = one, objective.loss(one.outcome)
    return {
        number: controls[siblings] - loss
        for number, (one, loss) in losses.items()
        if (siblings := brood(one)) in controls
    }


def added_edits(child: Genome, parent: Genome | None) -> tuple[Edit, ...]:
    """Return the child's edits beyond those it shares with its parent from the seed on."""
    if parent is None:
        return child.edits
    shared = 0
    for ours, theirs in zip(child.edits, parent.edits, strict=False):
        if ours.id != theirs.id:
            break
        shared += 1
    return child.edits[shared:]


def edit_name(edit: Edit, genome: Genome, origin: Genome | None = None) -> str:
    """Return an edit on a genome's record as a reader knows it: operator and targets.

    Edits of pruning tell how many channels stay or go, those of cohorts what they change; `origin`
    is the genome with which the record begins, for the first of these.
    """
    if GENES in edit.targets:
        return past_pruning.told(edit, genome)
    if COHORT_GENES in edit.targets:
        return past_cohort.told(edit, genome, origin)
    return " ".join((edit.operator, *edit.targets))


def _facts(one: Individual, added: Sequence[Edit], line: Cost) -> dict[str, Any]:
    outcome, genome = one.outcome, one.birth.genome
    evaluated = isinstance(outcome, Evaluation)
    pruned = PastPruning.of(genome) if any(GENES in edit.targets for edit in added) else None
    return {
        "operator": one.birth.operator,
        "key": genome.key,
        "pruned": pruned.text if pruned else "",
        "metrics": dict(outcome.metrics) if evaluated else {},
        "failure": "" if evaluated else outcome.kind,
        "weights": outcome.weights if evaluated else "",
        "samples": outcome.cost.samples,
        "macs": outcome.cost.macs,
        "seconds": outcome.cost.seconds,
        "line_samples": line.samples,
        "line_macs": line.macs,
        "line_seconds": line.seconds,
    }


def _connect(
    graph: "nx.DiGraph[int]",
    one: Individual,
    parents: Sequence[Individual],
    added: Sequence[tuple[Edit, str]],
) -> None:
    """Add the edges into one individual; an edit, by its name, comes from the first donor of it.

    So does the crossing of cohorts, which no parent has on record.
    """
    if not parents:
        return
    heir, left = parents[0], list(added)
    for donor in parents[1:]:
        if donor.number == heir.number:
            continue
        given = {_innovation(edit) for edit in donor.birth.genome.edits}
        came = [edit.operator == COHORT_CROSS or _innovation(edit) in given for edit, _ in left]
        names = [name for (_, name), is_theirs in zip(left, came, strict=True) if is_theirs]
        left = [pair for pair, is_theirs in zip(left, came, strict=True) if not is_theirs]
        graph.add_edge(donor.number, one.number, role=DONOR, edits=names)
    names = [name for _, name in left]
    graph.add_edge(heir.number, one.number, role=WEIGHTS, edits=names)


def _innovation(edit: Edit) -> str:
    """Return what stays of an edit when crossover chains it to other predecessors.

    Pruning genes are one innovation, since they are varied on the way from donor to child.
    """
    if GENES in edit.targets:
        return GENES
    return canonical.text([edit.operator, edit.targets, edit.args])


def _text(graph: "nx.DiGraph[int]") -> str:
    nodes = sorted(graph.nodes(data=True))
    edges = sorted(graph.edges(data=True), key=lambda edge: edge[:2])
    return json.dumps([graph.graph, nodes, edges], sort_keys=True)
