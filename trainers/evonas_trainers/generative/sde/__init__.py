"""Stochastic differential equations: solving, training, data and distances."""
