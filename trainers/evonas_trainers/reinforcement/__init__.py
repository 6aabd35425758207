"""Trainers whose candidates are policies."""
