"""What edits of a cohort's members have in common: names, edges, edits, and fresh weights."""

from dataclasses import replace
from itertools import count

import torch

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.genome.cohort import CANDIDATE, COHORT, COHORT_GENES, Cohort, Edge, split_end
from evonas.genome.cohort_kinds import LOGITS
from evonas.genome.members import MEMBERS, NETWORK, members, with_members
from evonas.morph import carry
from evonas.morph.cohort.check import NUMBERED
from evonas.morph.cohort.learning import TASK, is_active
from evonas.morph.cohort.moves import fresh
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired
from evonas.state import State

DIVERGENCE = "kl"
"""The loss by which new members learn, and are learned from."""


def present(genome: Genome, options: CohortOptions) -> Cohort | None:
    """Return the cohort to be edited; a genome without one learns from the labels alone.

    There is none for a candidate that can have no cohort.
    """
    try:
        return Cohort.of(repaired(genome, options))
    except EditError:
        return None


def member_edit(
    genome: Genome, operator: str, changed: Genome, options: CohortOptions, **args: object
) -> Edit | None:
    """Return the edit to the cohort of `changed`, repaired; None if that is the one there was.

    Args:
        genome: What is edited.
        operator: Who edits it.
        changed: The genome with another cohort, or with other graphs of members.
        options: What the search allows.
        args: From which `apply` makes those graphs again.
    """
    try:
        after = repaired(changed, options)
    except EditError:
        return None
    if all(after.chromosomes.get(one) == genome.chromosomes.get(one) for one in (COHORT, MEMBERS)):
        return None
    return genome.edit(operator, COHORT_GENES, genes=after.chromosomes[COHORT], **args)


def surviving(edit: Edit | None, node: str) -> Edit | None:
    """Return the edit if its repair has left this node, and with it the edit's point."""
    return edit if edit is not None and node in edit.args["genes"]["nodes"] else None


def has_room(cohort: Cohort, options: CohortOptions) -> bool:
    """Return whether one more member or snapshot is allowed."""
    return sum(node.kind in NUMBERED for node in cohort.nodes.values()) < options.max_nodes


def free_name(cohort: Cohort, start: str) -> str:
    """Return a name of no node or aggregator: `start` with the least number."""
    taken = {*cohort.nodes, *cohort.aggregators}
    return next(name for number in count(1) if (name := f"{start}{number}") not in taken)


def network(genome: Genome, node: str) -> LayerGraph:
    """Return the graph of the candidate or of a member.

    Raises:
        EditError: if there is none.
    """
    found = genome.architecture if node == CANDIDATE else members(genome)
    graph = found.get(NETWORK if node == CANDIDATE else node)
    if graph is None:
        raise EditError(f"{node!r} is no network that is trained in this cohort")
    return graph


def with_member(genome: Genome, node: str, graph: LayerGraph) -> Genome:
    """Return the genome with the graph of one member put in."""
    return with_members(genome, {**members(genome), node: graph})


def labelled(node: str, tag: str) -> Edge:
    """Return the edge by which a node learns from labels."""
    return Edge(loss={"name": TASK}, to=f"{node}:{LOGITS}", tag=tag)


def taught(to: str, source: str, options: CohortOptions, tag: str) -> Edge:
    """Return the edge by which a node learns from another's probabilities."""
    edge = Edge(
        loss={"name": DIVERGENCE}, to=f"{to}:{LOGITS}", source=f"{source}:{LOGITS}", tag=tag
    )
    return fresh(edge, options.losses[DIVERGENCE])


def tag_of(cohort: Cohort, node: str) -> str:
    """Return the tag by which a node learns: from the labels, if it does."""
    tags = {edge.loss["name"]: edge.tag for edge in cohort.edges if split_end(edge.to)[0] == node}
    return tags.get(TASK, next(iter(tags.values()), ""))


def trained_where_taught(cohort: Cohort, node: str) -> Cohort:
    """Return the cohort in which a node is trained in all stages with edges that end at it."""
    edges = [edge for edge in cohort.edges if split_end(edge.to)[0] == node]
    stages = tuple(
        replace(stage, train=(*stage.train, node))
        if node not in stage.train and any(is_active(edge, stage) for edge in edges)
        else stage
        for stage in cohort.stages
    )
    return replace(cohort, stages=stages)


def fresh_state(graph: LayerGraph, dtype: torch.dtype, generator: torch.Generator) -> State:
    """Return a state of a network with weights drawn anew."""
    return State(
        {
            f"{node.id}.{name}": tensor
            for node in graph.nodes
            for name, tensor in carry.fresh(graph, node, dtype, generator).items()
        }
    )
