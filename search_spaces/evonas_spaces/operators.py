"""The mutations of a space, by name."""

from collections.abc import Iterable, Mapping

from evonas import plugins
from evonas.morph.mutation import Mutation


def chosen(names: Iterable[str], bounds: Mapping[str, int]) -> Mapping[str, Mutation]:
    """Construct mutations by entry-point name or `module:Class`; they are known by their operator.

    Args:
        names: What to construct.
        bounds: Fields such as `max_width`, set on those mutations that have them.

    Raises:
        ConfigError: if there is no mutation of a name.
    """
    found: dict[str, Mutation] = {}
    for name in names:
        fields = getattr(plugins.load(Mutation, name), "__dataclass_fields__", {})
        table = {key: value for key, value in bounds.items() if key in fields}
        mutation = plugins.construct(Mutation, {"name": name, **table}, f"operator {name!r}")
        found[mutation.operator] = mutation
    return found
