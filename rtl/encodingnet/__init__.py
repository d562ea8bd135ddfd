"""EncodingNet (2402.18595): columns and arrays of encoded multiply-accumulate cells in Amaranth."""

from rtl.encodingnet.array import EncodedArray, build
from rtl.encodingnet.column import Column
from rtl.encodingnet.export import column_verilog, export

__all__ = ["Column", "EncodedArray", "build", "column_verilog", "export"]
