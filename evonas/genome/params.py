"""What layers are called and which values their parameters take: the language of a layer graph.

Networks are written out as Python, by torch.fx when they are built and by the export: a name or a
parameter that is not checked would be code.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from evonas import rows
from evonas.errors import EditError, StoreError
from evonas.genome.shapes import ACTIVATIONS, OPS

MAX_EXTENT = 2**31 - 1
_NAME = re.compile(r"\w+(\.\w+)*", re.ASCII)


@lru_cache(maxsize=4096)
def check_name(name: str) -> None:
    """Check that a layer or a graph has a name that can stand in code.

    Raises:
        EditError: if it cannot.
    """
    if len(name) > rows.MAX_NAME or not _NAME.fullmatch(name):
        raise EditError(
            f"a layer is called {name[:80]!a}; names are words of letters, digits and _, with"
            " dots between them"
        )


def check_params(op: str, params: Mapping[str, Any]) -> None:
    """Check the parameters of a layer that was read.

    Raises:
        StoreError: naming what there is not, or should not be.
    """
    if op not in OPS:
        raise StoreError(f"there is no operation {op[:80]!a}")
    wanted = _PARAMS.get(op, {})
    if params.keys() != wanted.keys():
        given = ", ".join(ascii(name)[1:80] for name in sorted(params)[:16]) or "none"
        allowed = ", ".join(sorted(wanted)) or "none"
        raise StoreError(f"the parameters of {op!r} are {given}; should be {allowed}")
    for name, check in wanted.items():
        check(params[name], name)


def _count(value: Any, what: str) -> None:
    _ = rows.whole(value, what, 1, MAX_EXTENT)


def _pair(value: Any, what: str) -> None:
    _extents(value, what, 1, (2,))


def _padding(value: Any, what: str) -> None:
    _extents(value, what, 0, (2,))


def _shape(value: Any, what: str) -> None:
    _extents(value, what, 1, (1, 2, 3, 4))


def _extents(value: Any, what: str, least: int, lengths: tuple[int, ...]) -> None:
    values = rows.rows(value, what)
    if len(values) not in lengths:
        raise StoreError(f"{what} has {len(values)} numbers, should have one of {lengths}")
    for one in values:
        _ = rows.whole(one, what, least, MAX_EXTENT)


def _ratio(value: Any, what: str) -> None:
    if not 0 <= rows.number(value, what) <= 1:
        raise StoreError(f"{what} is {value!r}, should be from 0 to 1")


def _kind(value: Any, what: str) -> None:
    if value not in ACTIVATIONS:
        raise StoreError(f"{what} is {ascii(value)[:80]}, should be one of {ACTIVATIONS}")


_Check = Callable[[Any, str], Any]
_WINDOW: Mapping[str, _Check] = {"kernel": _pair, "stride": _pair, "padding": _padding}
_SWEEP: Mapping[str, _Check] = {**_WINDOW, "dilation": _pair, "bias": rows.truth}
_PARAMS: Mapping[str, Mapping[str, _Check]] = {
    "input": {"shape": _shape},
    "conv": {**_SWEEP, "out": _count, "groups": _count},
    "depthwise": _SWEEP,
    "linear": {"out": _count, "bias": rows.truth},
    "bn": {"eps": _ratio, "momentum": _ratio},
    "act": {"kind": _kind},
    "maxpool": _WINDOW,
    "avgpool": _WINDOW,
    "se": {"squeeze": _count},
    "dropout": {"p": _ratio},
}
