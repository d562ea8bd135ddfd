"""A torch model as a graph of integer codes: tracing, scales, quantised layers, hand-over as IR operations."""
