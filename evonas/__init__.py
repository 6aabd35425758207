"""evonas evolves PyTorch models; children inherit the trained weights of their parents."""
