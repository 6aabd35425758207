"""Mirrors of a search in tracking systems; never its record."""
