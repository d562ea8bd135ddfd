"""SCALE-Sim 3 as peer: its kept figures, and a live run where the package is installed.

Kept: SCALE-Sim 3.0.0, GEMM topologies, InterfaceBandwidth CALC; COMPUTE_REPORT "Total Cycles" is the number of the last
cycle, from 0: one less than the count. Its wheel needs numpy < 2, so it rarely shares an environment with hwsim.
"""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwsim.ir.errors import ToolFailedError

CYCLES_PER_S = 3400.0  # 27 954 cycles of the first layer below in 8.2 s, on one core


@dataclass(frozen=True)
class Layer:
    """One GEMM and what SCALE-Sim says of it.

    Attributes:
        dataflow, rows, cols: of the array.   t, k, n: activation rows, products a sum, outputs.
        last_cycle: number of its last cycle.   x_reads, w_reads, y_writes: accesses; None where it counts otherwise.
    """

    dataflow: str
    rows: int
    cols: int
    t: int
    k: int
    n: int
    last_cycle: int
    x_reads: int
    w_reads: int
    y_writes: int | None


KEPT = (
    Layer("ws", 64, 64, 2916, 576, 64, 27953, 1679616, 36864, 1679616),  # ResNet-18, 56² × 64 → 64, 3 × 3, unpadded
    Layer("ws", 16, 8, 50, 40, 20, 791, 6000, 800, 3000),
    Layer("ws", 16, 8, 7, 5, 3, 44, 35, 15, 21),
    Layer("ws", 16, 8, 33, 64, 8, 283, 2112, 512, 1056),
    Layer("os", 16, 8, 50, 40, 20, 743, 6000, 3200, None),
    Layer("os", 16, 8, 7, 5, 3, 26, 35, 15, None),
    Layer("os", 16, 8, 33, 64, 8, 257, 2112, 1536, None),
)

_CONFIG = """[general]
run_name = r
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {cols}
IfmapSramSzkB: 512
FilterSramSzkB: 512
OfmapSramSzkB: 256
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 100
Dataflow: {dataflow}
ReadRequestBuffer: 64
WriteRequestBuffer: 64
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def installed() -> bool:
    """Whether the package can be imported by this interpreter."""
    return importlib.util.find_spec("scalesim") is not None


def run(layers: Sequence[Layer], timeout_s: float = 600.0) -> tuple[list[int], float]:
    """(last cycle of each layer, seconds) of SCALE-Sim itself; all layers on the first one's array.

    Raises:
        ToolFailedError: it stopped with an error, or wrote no report.
    """
    first = layers[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = _CONFIG.format(rows=first.rows, cols=first.cols, dataflow=first.dataflow)
        (folder / "c.cfg").write_text(config)
        lines = "".join(f"l{i},{layer.t},{layer.n},{layer.k},\n" for i, layer in enumerate(layers))
        (folder / "t.csv").write_text("Layer,M,N,K,\n" + lines)
        (folder / "l.csv").write_text("Layer\n")
        arguments = ["-c", "c.cfg", "-t", "t.csv", "-l", "l.csv", "-p", "o", "-i", "gemm"]
        command = [sys.executable, "-m", "scalesim.scale", *arguments]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
        seconds = time.perf_counter() - start
        reports = list(folder.glob("o/**/COMPUTE_REPORT.csv"))
        if done.returncode or len(reports) != 1:
            raise ToolFailedError.of("SCALE-Sim", f"exit {done.returncode}", "one report", done.stderr[-500:])
        with reports[0].open() as file:
            rows = list(csv.reader(file))[1:]
    return [int(float(row[2])) for row in rows], seconds
