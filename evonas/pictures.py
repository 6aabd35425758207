"""What the trainer has to show of the best candidate."""

from collections.abc import Mapping
from pathlib import Path

from evonas import devices, plugins
from evonas.config import Run
from evonas.history import Individual
from evonas.models import showing, trained_model
from evonas.trainer import Illustrated

Shown = Mapping[str, bytes | str]
"""Pictures by caption; in the place of one that there is not, why."""

_NONE = "Pictures"


def pictures_of(folder: Path, run: Run, one: Individual, *, is_trusted: bool) -> Shown:
    """Return pictures of what an evaluated candidate does, if its trainer makes any.

    Nothing that goes wrong with them is worth the report: it is said in their place. They take as
    long, and as much memory, as the run file makes them, so it must be the user's own.
    """
    if not isinstance(run.trainer, Illustrated):
        return {}
    if not is_trusted:
        return {_NONE: "not made, since no search of yours has signed this folder; give --trust"}
    try:
        trainer = plugins.with_settings(run.trainer, one.birth.genome.settings)
        model = trained_model(run.space, folder, one)
        context = showing(folder, run, one.birth.seed)
        with devices.seeded(one.birth.seed, context.device):
            return dict(trainer.pictures(model.to(context.device), context))
    except Exception as error:  # noqa: BLE001 - whatever a plug-in raises
        reason = (str(error).splitlines() or [""])[0]
        return {_NONE: f"could not be made ({type(error).__name__}: {reason})"}
