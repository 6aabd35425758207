"""What the HTML report shows of pruning: the gap of rebuilding, the methods, what is left."""

from collections.abc import Callable, Container, Mapping, Sequence

from evonas.genome.pruning import Kept
from evonas.history import History, Individual
from evonas.report.family_tree import readable
from evonas.report.markup import Markup, join, tag
from evonas.report.numbers import short
from evonas.report.plots import Dot, paired
from evonas.report.prunings import PrunedBirth, kept_by_group, methods, pruned_births
from evonas.report.tables import table


def pruning(
    history: History, members: Sequence[Individual], tip: Callable[[Individual], str]
) -> Markup | None:
    """Return what there is to say about pruning in a search, if there was any.

    Args:
        history: What has been found.
        members: The front, best first.
        tip: The text for an individual that the pointer is on.
    """
    births = pruned_births(history)
    if not births:
        return None
    numbers = {one.number for one in members}
    kept = kept_by_group(members)
    return join(
        tag("div", _gaps(births, numbers, tip), _methods(births), class_="gaps"),
        *([tag("h3", "What the front has kept"), _kept(kept)] if kept else []),
    )


def _gaps(
    births: Sequence[PrunedBirth], front: Container[int], tip: Callable[[Individual], str]
) -> Markup:
    dots: list[Dot] = []
    for birth in births:
        number = birth.individual.number
        told = f"{tip(birth.individual)}\n{_errors(birth)}"
        dots.append(Dot(number, birth.masked, birth.compact, told, number in front))
    return tag("figure", paired(dots, "error masked", "error rebuilt"))


def _errors(birth: PrunedBirth) -> str:
    return f"{birth.method}: {short(birth.masked)} masked, {short(birth.compact)} rebuilt"


def _methods(births: Sequence[PrunedBirth]) -> Markup:
    rows = [
        [row.name, str(row.births), f"{row.gap:+.4f}", short(row.best)] for row in methods(births)
    ]
    note = tag(
        "p",
        "Gap: error of the network rebuilt without what was pruned, batch norms measured anew, "
        "minus that of the masked network as the last step left it; on the dashed line it is 0.",
        class_="note",
    )
    return tag("div", table(["method", "births", "mean gap", "best error"], rows, left={0}), note)


def _kept(kept: Mapping[str, Mapping[int, Kept]]) -> Markup:
    """Return one row a group and one column a member, darker where more is left."""
    numbers = list(dict.fromkeys(number for by_number in kept.values() for number in by_number))
    head = tag(
        "tr",
        tag("th", "group", class_="left", scope="col"),
        *(tag("th", f"#{number}", scope="col", data_number=number) for number in numbers),
    )
    rows = [
        tag(
            "tr",
            tag("th", readable(name), class_="left", scope="row"),
            *(_cell(number, name, by_number.get(number)) for number in numbers),
        )
        for name, by_number in kept.items()
    ]
    heat = tag("table", tag("thead", head), tag("tbody", *rows), class_="heat")
    return tag("div", heat, class_="scroll")


def _cell(number: int, name: str, kept: Kept | None) -> Markup:
    if kept is None:
        return tag("td", "\u2013")
    share = kept.keep / kept.width
    told = f"#{number} {readable(name)}\nkeeps {kept.keep:,} of {kept.width:,}"
    return tag(
        "td",
        f"{share:.0%}",
        style=f"--kept:{100 * share:.0f}%",
        data_number=number,
        data_tip=told,
    )
