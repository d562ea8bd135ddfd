"""The array's parameters: closed forms, widths, placing of gates, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import cell_codes, plan
from hwsim.ir.arch.encodingnet_column import column_plan
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, UsageError
from hwsim.ir.gates import GateNetlist
from hwsim.testing.strategies_encodingnet import encodings


def test_folds_of_the_specification():
    systolic = EncodingnetArch(style="systolic")
    assert systolic.fold_cycles(2916) == 64 + 2916 + 64 + 64 - 2
    assert systolic.gemm_cycles(2916, 576, 64) == 27954
    # encoded: rows unskewed, R + T + C − 1 and two pipeline stages
    assert EncodingnetArch(style="popcount").fold_cycles(2916) == 64 + 2916 + 64 - 1 + 2
    assert EncodingnetArch(style="heap").latency == 2
    assert EncodingnetArch(style="popcount", cuts=("rows", "counts", "encoder")).latency == 5


def test_the_sum_is_as_wide_as_it_must_be():
    arch = EncodingnetArch(64, 1)
    assert arch.width(exact(8, 8)) == 22
    assert EncodingnetArch(64, 1, output_bits=24).width(exact(8, 8)) == 24
    with pytest.raises(UsageError, match=r"output_bits: got 21, expected 22…62"):
        EncodingnetArch(64, 1, output_bits=21).width(exact(8, 8))


def test_booth_stores_recoded_weights():
    # three bits a digit: negative, one, two
    cells = plan(booth(8, 8), ("w",))
    assert len(cells.w_code) <= 12
    assert len(cells.x_code) == 8
    assert plan(booth(8, 8)).w_nodes == ()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(encoding=encodings())
def test_cell_codes_hold_what_the_cell_reads(encoding):
    """Gates after the registers, fed with the registers' contents alone, give the encoding's wide bits."""
    cells = plan(encoding, ("x", "w"))
    gates = encoding.gates
    codes = [cell_codes(encoding, cells.x_code, "x"), cell_codes(encoding, cells.w_code, "w")]
    for x in range(1 << encoding.x_bits):
        for w in range(1 << encoding.w_bits):
            known = {s: int(codes[0][x]) >> i & 1 for i, s in enumerate(cells.x_code)}
            known |= {s: int(codes[1][w]) >> i & 1 for i, s in enumerate(cells.w_code)}
            for s in cells.cell_nodes:
                node = s - gates.n_inputs
                read = gates.fan_in[gates.offsets[node] : gates.offsets[node + 1]]
                known[s] = int(gates.tables[node]) >> sum(known[int(q)] << j for j, q in enumerate(read)) & 1
            bits = [known[int(o)] if o >= 0 else int(o == -2) for o in gates.outputs]
            assert bits == encoding.bit_tables[:, x, w].tolist()


def test_padding_is_what_unused_rows_add():
    biased = Encoding(exact(2, 2).gates, 2, 2, exact(2, 2).position_weights, bias=7)
    assert EncodingnetArch(8, 1).padding(biased, 5) == 21


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"rows": 0}, r"rows: got 0, expected 1…1024"),
        ({"dataflow": "is"}, r"dataflow: got 'is', expected one of \('ws', 'os'\)"),
        ({"style": "tree"}, r"style: got 'tree'"),
        ({"style": "heap", "cuts": ("counts",)}, r"cut of a heap column: got 'counts'"),
        ({"recode": ("y",)}, r"recode: got \('y',\)"),
        ({"clock_ns": 0}, r"rates: got clock 0 ns"),
        ({"dram_bytes_per_cycle": -1.0}, r"-1.0 bytes a cycle"),
        ({"accumulator_bits": 63}, r"accumulator_bits: got 63"),
    ],
)
def test_refused_parameters(bad, message):
    with pytest.raises(UsageError, match=message):
        EncodingnetArch(**bad)


def test_refused_encodings():
    with pytest.raises(ArtifactError, match="plain systolic cells: got an encoding that is not exact"):
        column_plan(truncated(4, 4, 2), EncodingnetArch(4, 1, style="systolic"))
    column_plan(truncated(4, 4, 2), EncodingnetArch(4, 1, style="systolic", mac="fused"))
    gates = GateNetlist(
        2, np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint64), np.array([0], np.int32)
    )
    with pytest.raises(ArtifactError, match="wide bits of the encoding: got none reads w"):
        column_plan(Encoding(gates, 1, 1, np.array([1])), EncodingnetArch(2, 1))
