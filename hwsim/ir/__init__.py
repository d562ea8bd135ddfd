"""Integer-exact hand-over formats between training, simulation and RTL (numpy, msgspec and safetensors only)."""
