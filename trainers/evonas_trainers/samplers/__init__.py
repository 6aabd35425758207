"""Which samples a stage of a cohort draws: one file a way, each an `evonas.sampling.Sampler`."""
