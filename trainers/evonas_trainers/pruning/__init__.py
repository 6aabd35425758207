"""Pruning while training: rules (`Pruning` of `evonas_trainers.slots`), presets, criteria."""
