"""Plug-ins for evonas."""
