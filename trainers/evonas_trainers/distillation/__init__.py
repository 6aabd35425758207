"""Learning from other networks: one file a method, each a `Distillation` of the slots."""
