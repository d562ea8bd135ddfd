"""EncodingNet (2402.18595): columns and arrays of encoded multiply-accumulate cells in Amaranth."""

from rtl.encodingnet.column import Column
from rtl.encodingnet.export import column_verilog

__all__ = ["Column", "column_verilog"]
