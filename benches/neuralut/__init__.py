"""NeuraLUT's bench: training, tables, cycle model, RTL, area and delay, beside the paper's claims."""
