"""Cohorts among a genome's chromosomes: what may vary, what is checked, what is repaired."""
