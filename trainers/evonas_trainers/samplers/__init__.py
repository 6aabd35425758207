"""Which samples a stage of a cohort draws: one file a way, each a `Sampler` of the slots."""
