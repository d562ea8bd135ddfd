"""Architecture parameters, one module a paper, that the cycle model and the RTL generator both read."""
