"""One training in a cohort: its networks, its programme of stages, its losses step by step."""
