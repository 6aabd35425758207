"""Whether what is said of learned matching can be done: matched edges and the bilevel block."""

from dataclasses import replace

from evonas.errors import EditError
from evonas.genome.bilevel import MAX_STEPS, Bilevel
from evonas.genome.cohort import Cohort, Edge
from evonas.morph.cohort.learning import TASK, is_active, is_live


def partners(cohort: Cohort, edge: Edge) -> tuple[str, ...]:
    """Return the ends with which a matched edge's own is compared, sample by sample.

    That is its source. A loss of one end alone is as important as what joins that end to others:
    it has the sources of all matched edges that end there, and the mean of their weights.
    """
    if edge.source:
        return (edge.source,)
    ends = {one.source for one in cohort.edges if one.matched and one.to == edge.to and one.source}
    return tuple(sorted(ends))


def check_matching(cohort: Cohort) -> None:
    """Check the bilevel block and all matched edges.

    Raises:
        EditError: naming what is wrong with the block, or the edge.
    """
    block = cohort.bilevel
    if block is not None:
        try:
            _check_block(cohort, block)
        except EditError as error:
            raise EditError(f"the bilevel block: {error}") from None
    for edge in cohort.edges:
        if edge.matched:
            _check_matched(cohort, edge)


def with_matching(cohort: Cohort) -> Cohort:
    """Return the cohort with those edges matched that can be, by a block that has work to do."""
    while True:
        edges = tuple(replace(one, matched=_is_matched(cohort, one)) for one in cohort.edges)
        found = replace(cohort, edges=edges)
        if found.bilevel is not None and not _has_work(found, found.bilevel):
            found = replace(found, bilevel=None)
        if found == cohort:
            return cohort
        cohort = found


def _check_block(cohort: Cohort, block: Bilevel) -> None:
    if block.every < 1:
        raise EditError(f"`every` is 1 or more, given {block.every!r}")
    if not 1 <= block.steps <= MAX_STEPS:
        raise EditError(f"`steps` is from 1 to {MAX_STEPS}, given {block.steps!r}")
    if not block.lr > 0:
        raise EditError(f"`lr` is above 0, given {block.lr!r}")
    if block.inner == block.outer:
        raise EditError(f"edges {block.inner!r} cannot judge themselves; give `outer` another tag")
    known = sorted({edge.tag for edge in cohort.edges})
    for tag in (block.inner, block.outer):
        if not tag or tag not in known:
            raise EditError(f"no edge has the tag {tag!r} (known: {', '.join(known)})")
    if not any(edge.matched for edge in cohort.edges):
        raise EditError(f"no edge is matched; match those with the tag {block.inner!r}")
    if not _meet(cohort, block):
        raise EditError(f"the edges {block.inner!r} and {block.outer!r} are in no stage together")


def _check_matched(cohort: Cohort, edge: Edge) -> None:
    block, start = cohort.bilevel, f"the edge {edge.name!r} is matched, and"
    if block is None:
        raise EditError(f"{start} the cohort has no bilevel block, by which matchers learn")
    if edge.tag != block.inner:
        raise EditError(f"{start} has the tag {edge.tag!r}, and matchers learn by {block.inner!r}")
    if edge.loss["name"] == TASK:
        raise EditError(f"{start} the trainer's loss has no value for every sample")
    for end in (edge.to, edge.source):
        if end in cohort.aggregators:
            raise EditError(f"{start} {end!r} is an aggregator; only networks are matched")
    if not partners(cohort, edge):
        raise EditError(f"{start} no matched edge with a source ends at {edge.to!r}")


def _is_matched(cohort: Cohort, edge: Edge) -> bool:
    try:
        _check_matched(cohort, edge)
    except EditError:
        return False
    return edge.matched


def _has_work(cohort: Cohort, block: Bilevel) -> bool:
    try:
        _check_block(cohort, block)
    except EditError:
        return False
    return True


def _meet(cohort: Cohort, block: Bilevel) -> bool:
    """Return whether some stage has both matched edges and edges that judge, of some weight."""
    for stage in cohort.stages:
        edges = [edge for edge in cohort.edges if is_active(edge, stage) and is_live(edge)]
        if any(one.matched for one in edges) and any(one.tag == block.outer for one in edges):
            return True
    return False
