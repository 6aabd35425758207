"""Ensembles of networks that learn what actions lead to."""
