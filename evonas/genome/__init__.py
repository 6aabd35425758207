"""What evolves: plain data, no torch."""

from evonas.genome.genome import CONTROL, FINAL, Birth, Edit, Genome
from evonas.genome.layers import LayerGraph, Node

__all__ = ["CONTROL", "FINAL", "Birth", "Edit", "Genome", "LayerGraph", "Node"]
