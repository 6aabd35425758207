"""Carrying an edit from one lineage to another: the same step, said in the other's names."""

import json
from collections.abc import Mapping
from typing import Any

from evonas.genome import Edit, Genome, canonical


def translated(edit: Edit, onto: Genome, renamed: Mapping[str, str]) -> Edit:
    """Return an edit of another lineage as an edit of `onto`, chained to the edits there.

    A layer made by an edit bears the edit's id, so what the id became names the layer too.

    Args:
        edit: The edit to carry.
        onto: The genome to edit.
        renamed: Ids of edits carried before, and what they became.
    """
    text = canonical.text([edit.targets, edit.args])
    for old, new in renamed.items():
        text = text.replace(old, new)
    targets: list[str]
    args: dict[str, Any]
    targets, args = json.loads(text)
    return onto.edit(edit.operator, *targets, **args)
