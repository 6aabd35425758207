"""What a training cannot do with a cohort, said before it begins."""

from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort, Edge, split_end
from evonas.genome.cohort_kinds import LossKind
from evonas_trainers.distillation.learning.scaffold import TASK, Scaffold


def check(cohort: Cohort, scaffold: Scaffold, batch_size: int, *, mixes: bool) -> None:
    """Refuse what does not fit this training.

    Args:
        cohort: The genes.
        scaffold: Their losses and aggregators.
        batch_size: Largest batch of the training.
        mixes: Whether it has mixup.

    Raises:
        ConfigError: naming the edge.
    """
    for edge in cohort.edges:
        if edge.loss["name"] != TASK:
            _check_batch(edge, scaffold.transfers[edge.name].kind, batch_size, mixes=mixes)
        _check_rows(edge, cohort, scaffold)
        _check_unit(edge, scaffold)


def _check_batch(edge: Edge, kind: LossKind, batch_size: int, *, mixes: bool) -> None:
    if mixes and kind.per_class > 1:
        raise ConfigError(
            f"edge {edge.name!r} wants {kind.per_class} samples of every class in a batch, and"
            " mixup makes samples of two classes; set mixup to 0"
        )
    if kind.max_batch and batch_size > kind.max_batch:
        raise ConfigError(
            f"edge {edge.name!r} takes batches of {kind.max_batch} at most, batch_size is"
            f" {batch_size!r}"
        )


def _check_rows(edge: Edge, cohort: Cohort, scaffold: Scaffold) -> None:
    """Refuse an aggregator that has nothing for the node of an edge, or draws rows to one end."""
    for end in (edge.source, edge.to):
        if end not in scaffold.kinds or not scaffold.kinds[end].has_rows:
            continue
        nodes = [split_end(one)[0] for one in cohort.aggregators[end].inputs]
        if end == edge.to or split_end(edge.to)[0] not in nodes:
            raise ConfigError(
                f"edge {edge.name!r}: the aggregator {end!r} has a target for each of its inputs,"
                f" which are of {', '.join(nodes)}; join it to one of these as their source"
            )


def _check_unit(edge: Edge, scaffold: Scaffold) -> None:
    kind = scaffold.kinds.get(edge.to)
    if edge.unit == "gradient" and kind is not None and kind.inputs != "logits":
        raise ConfigError(
            f"edge {edge.name!r} is weighed by cross-entropy's gradient, and {edge.to!r} makes no"
            " logits; take the unit 'loss'"
        )
