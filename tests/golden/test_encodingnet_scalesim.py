"""Cycles and reads of plain systolic arrays as SCALE-Sim counts them.

Kept figures: SCALE-Sim 3.0.0, GEMM topologies, InterfaceBandwidth CALC, COMPUTE_REPORT "Total Cycles" (the number of
the last cycle, from 0: one less than the count) and DETAILED_ACCESS_REPORT "SRAM … Reads/Writes". The first line is
the ResNet-18 layer 56²×64→64, 3×3, unpadded. With `scalesim` installed (its wheel needs numpy < 2) they run anew.
"""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys

import pytest

from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.shapes import GemmShape, resnet18
from hwsim.encodingnet.traffic import traffic
from hwsim.ir.arch.encodingnet import EncodingnetArch

# dataflow, rows, cols, T, K, N, last cycle, activations read, weights read, sums written (ws only)
KEPT = [
    ("ws", 64, 64, 2916, 576, 64, 27953, 1679616, 36864, 1679616),
    ("ws", 16, 8, 50, 40, 20, 791, 6000, 800, 3000),
    ("ws", 16, 8, 7, 5, 3, 44, 35, 15, 21),
    ("ws", 16, 8, 33, 64, 8, 283, 2112, 512, 1056),
    ("os", 16, 8, 50, 40, 20, 743, 6000, 3200, None),
    ("os", 16, 8, 7, 5, 3, 26, 35, 15, None),
    ("os", 16, 8, 33, 64, 8, 257, 2112, 1536, None),
]
CONFIG = """[general]
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


@pytest.mark.parametrize(("dataflow", "rows", "cols", "t", "k", "n", "last", "x", "w", "y"), KEPT)
def test_kept_figures(dataflow, rows, cols, t, k, n, last, x, w, y):
    arch = EncodingnetArch(rows, cols, style="systolic", dataflow=dataflow)
    total = traffic(GemmShape("layer", t, k, n), exact(8, 8), arch)
    assert total.cycles == arch.gemm_cycles(t, k, n) == last + 1
    assert (total.x_reads, total.w_reads) == (x, w)
    if y is not None:
        assert total.y_writes == y


def test_resnet18_at_length():
    arch = EncodingnetArch(style="systolic")
    cycles = [traffic(layer, exact(8, 8), arch).cycles for layer in resnet18(padded=False)]
    assert len(cycles) == 21
    assert [layer.t for layer in resnet18(padded=False)][:2] == [110 * 110, 54 * 54]  # its outputs are rounded up
    assert cycles[1] == 27954


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("scalesim") is None, reason="scalesim is not installed")
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_live(tmp_path, dataflow):
    rows = [line for line in KEPT if line[0] == dataflow and line[1] == 16]
    (tmp_path / "c.cfg").write_text(CONFIG.format(rows=16, cols=8, dataflow=dataflow))
    layers = "".join(f"l{i},{t},{n},{k},\n" for i, (_, _, _, t, k, n, *_) in enumerate(rows))
    (tmp_path / "t.csv").write_text("Layer,M,N,K,\n" + layers)
    (tmp_path / "l.csv").write_text("Layer\n")
    command = [
        sys.executable,
        "-m",
        "scalesim.scale",
        "-c",
        "c.cfg",
        "-t",
        "t.csv",
        "-l",
        "l.csv",
        "-p",
        "o",
        "-i",
        "gemm",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    [report] = tmp_path.glob("o/**/COMPUTE_REPORT.csv")
    with report.open() as file:
        lines = list(csv.reader(file))[1:]
    assert [int(float(line[2])) for line in lines] == [row[6] for row in rows]
