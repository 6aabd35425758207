"""What evolves: plain data, no torch."""

from evonas.genome.genome import Birth, Edit, Genome
from evonas.genome.layers import LayerGraph, Node

__all__ = ["Birth", "Edit", "Genome", "LayerGraph", "Node"]
