"""Event-driven learning of spiking nets (arXiv 2403.00270): the chip model."""
