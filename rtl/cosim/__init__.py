"""Verilated simulation: the batch driver (`verilate`) and the cocotb harness (`harness`)."""
