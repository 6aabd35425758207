"""Trained weights across an edit."""
