"""Search algorithms: pure functions from the history to the next birth."""
