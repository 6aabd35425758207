"""What must be able to leave this process for a worker's."""

import pickle

from evonas.errors import ConfigError
from evonas.executors.executor import Evaluate


def pickled(evaluate: Evaluate, executor: str) -> bytes:
    """Return an evaluation with its parts as they travel to the workers of an executor.

    Raises:
        ConfigError: if they cannot.
    """
    try:
        return pickle.dumps(evaluate)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"executor {executor!r} cannot send the candidates' parts to a worker ({error});"
            " define classes at the top of a module, or use executor = 'serial'"
        ) from error
