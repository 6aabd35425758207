"""Variational autoencoders that learn classes task by task."""
