"""Hardware blocks that several generators share, and the step from Amaranth to Verilog text."""
