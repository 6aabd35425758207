"""Pruning while training: one file a method, each a `Pruning` of `evonas_trainers.slots`."""
