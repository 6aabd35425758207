"""Many agents in one world that share a policy."""
