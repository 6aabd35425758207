"""Which optional extra brings a module that is not installed."""

from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def install_command(module: str) -> str | None:
    """Return the command that installs what `module` is part of, or None if no extra brings it.

    Asked are all packages with plug-ins, so those of others may have extras too. What is not
    installed cannot say what it is called, so it is taken to be called as the module is.
    """
    wanted = canonicalize_name(module.partition(".")[0])
    for installed in distributions():
        if not any(point.group.startswith("evonas.") for point in installed.entry_points):
            continue
        for line in installed.requires or ():
            requirement = Requirement(line)
            if canonicalize_name(requirement.name) != wanted or _holds(requirement, ""):
                continue
            for extra in installed.metadata.get_all("Provides-Extra") or ():
                if _holds(requirement, extra):
                    return f"pip install '{installed.metadata['Name']}[{extra}]'"
    return None


def _holds(requirement: Requirement, extra: str) -> bool:
    """Return whether a requirement is one here, with an extra; without any if that is empty."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
