"""Verilog of columns and arrays of encoded cells."""

from __future__ import annotations

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding
from rtl.encodingnet.column import Column
from rtl.lib.verilog import to_verilog


def column_verilog(encoding: Encoding, arch: EncodingnetArch, name: str = "column") -> tuple[dict[str, str], str]:
    """Verilog of one free-running column, and the name of its top module.

    The column is what an array repeats: what an array has once (skew of systolic rows, recoding of activations,
    handshake) is not in it. Ports: `rtl.encodingnet.column.Column`.

    Args:
        encoding: the product.   arch: the array; `cols` is not read.   name: top module.

    Returns:
        File name → text, in compile order, and the top module.

    Raises:
        ArtifactError, UsageError: the encoding does not run on the array, or `name` is no identifier.
    """
    design = to_verilog(Column(encoding, arch), name)
    return design.sources, design.top
