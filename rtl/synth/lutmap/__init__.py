"""LUT6 mapping of lookup tables by functional decomposition, proved equivalent table by table."""

from rtl.synth.lutmap.check import Checker, prove_equal
from rtl.synth.lutmap.network import LayerMap, NetworkMap, live_luts, map_layer, map_network
from rtl.synth.lutmap.options import MapOptions
from rtl.synth.lutmap.table import map_table

__all__ = [
    "Checker",
    "LayerMap",
    "MapOptions",
    "NetworkMap",
    "live_luts",
    "map_layer",
    "map_network",
    "map_table",
    "prove_equal",
]
