"""Trainers whose candidates generate data."""
