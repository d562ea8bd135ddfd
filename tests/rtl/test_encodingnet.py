"""Columns and arrays in RTL against the array model: sums and cycles, every pair of codes, pauses, full height."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator
from encodingnet_arrays import EIGHT, SMALL, draw, model

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import ShapeError, UsageError
from rtl.cosim.toolchain import lint
from rtl.cosim.verilate import Verilated
from rtl.encodingnet import Column, build, column_verilog
from rtl.encodingnet.cosim import beats, stream
from rtl.lib.verilog import to_verilog

pytestmark = pytest.mark.rtl
FAST = "-O0"  # large flat expressions: compiling them with optimisation takes minutes


@pytest.mark.parametrize("name", SMALL)
def test_drawn_folds(name):
    encoding, arch = SMALL[name]
    design, rng = to_verilog(build(encoding, arch), "dut"), np.random.default_rng(1)
    assert lint(design) == ""
    dut = Verilated(design, optimise=FAST)
    folds = [
        draw(encoding, rng, t, rng.integers(1, arch.rows + 1), rng.integers(1, arch.cols + 1)) for t in (20, 1, 2, 9)
    ]
    want = [model(encoding, arch, x, w) for x, w in folds]
    for seed, rates in enumerate([(1.0, 1.0), (0.5, 0.5), (1.0, 0.3), (0.3, 1.0)]):
        outcome = stream(dut, encoding, arch, folds, rates, seed)
        for (x, w), (sums, _), seen in zip(folds, want, outcome.sums, strict=True):
            assert seen.shape == (len(x), arch.cols)
            assert seen[:, : len(w)].tolist() == sums.tolist()
        if rates == (1.0, 1.0):
            assert outcome.cycles == [cycles for _, cycles in want]
            starts = np.flatnonzero(outcome.run.in_fire)[np.cumsum([0, *(arch.rows + len(x) for x, _ in folds[:-1])])]
            assert np.diff(starts).tolist() == [cycles for _, cycles in want[:-1]]


@pytest.mark.parametrize("name", EIGHT)
def test_all_pairs_of_codes(name):
    """Each weight stands in some cell while all 256 activations pass it, rows in different orders."""
    encoding, arch = EIGHT[name]
    dut, rng = Verilated(build(encoding, arch), optimise=FAST), np.random.default_rng(2)
    weights = np.arange(-128, 128).reshape(-1, arch.cols, arch.rows)
    folds = [(np.stack([rng.permutation(256) - 128 for _ in range(arch.rows)], axis=1), w) for w in weights]
    outcome = stream(dut, encoding, arch, folds)
    pairs = np.zeros((256, 256), bool)
    for (x, w), seen, cycles in zip(folds, outcome.sums, outcome.cycles, strict=True):
        sums, want = model(encoding, arch, x, w)
        assert np.array_equal(seen, sums)
        assert cycles == want
        pairs[x[:, None, :], np.broadcast_to(w, (256, *w.shape))] = True
    assert pairs.all()


@pytest.mark.parametrize(("style", "recode"), [("popcount", ()), ("heap", ("w",))])
def test_a_column_of_64_rows(style, recode):
    encoding, arch = truncated(8, 8, 7), EncodingnetArch(64, 1, style=style, recode=recode)
    dut, rng = Verilated(build(encoding, arch), optimise=FAST), np.random.default_rng(3)
    folds = [draw(encoding, rng, 100, 64, 1) for _ in range(3)]
    folds.append((np.full((2, 64), -128), np.full((1, 64), -128)))  # the largest sum
    outcome = stream(dut, encoding, arch, folds)
    for (x, w), seen, cycles in zip(folds, outcome.sums, outcome.cycles, strict=True):
        sums, want = model(encoding, arch, x, w)
        assert (seen.tolist(), cycles) == (sums.tolist(), want)


def test_a_free_running_column():
    encoding, arch = exact(4, 4), EncodingnetArch(3, 1, style="heap")
    column = Column(encoding, arch)
    dut, t = Verilated(column, optimise=FAST), 40
    x, w = draw(encoding, np.random.default_rng(4), t, 3, 1)
    inputs = np.zeros((3 + t + arch.latency, 3), np.int64)
    inputs[3 : 3 + t] = x & 15
    rows = np.arange(len(inputs))
    seen = dut.ports(
        {"x": inputs, "w": np.resize(w[0] & 15, len(rows)), "w_row": rows % 4 % 3, "w_load": (rows < 3).astype(int)}
    )
    width = arch.width(encoding)
    y = seen["y"].astype(np.int64)[3 + arch.latency :]
    assert (y - (y >> (width - 1) << width)).tolist() == (x @ w[0]).tolist()
    assert np.array_equal(seen["x_out"][1:], inputs[:-1])


def test_columns_as_text():
    sources, top = column_verilog(truncated(8, 8, 6), EncodingnetArch(64, 1), "col")
    assert top == "col"
    assert set(sources) == {"col.v", "col_encoder.v", "col_popcount.v", "col_decoder.v", "adders.v"}
    assert "full_adder popcount_fa0 (.a(bits[0]), .b(bits[1]), .c(bits[2])" in sources["col_popcount.v"]
    assert sources["col_popcount.v"].count("full_adder ") == 57
    assert sources["col.v"].count("col_popcount ") == truncated(8, 8, 6).n_bits
    again, _ = column_verilog(truncated(8, 8, 6), EncodingnetArch(64, 1), "col")
    assert again == sources


@pytest.mark.parametrize("name", ["fused", "booth heap", "encoded popcount"])
def test_amaranths_own_simulator(name):
    """Without a platform that takes files everything is plain Amaranth."""
    encoding, arch = SMALL[name]
    dut, rng = build(encoding, arch), np.random.default_rng(5)
    x, w = draw(encoding, rng, 6, arch.rows, arch.cols)
    words = beats(encoding, arch, x, w).astype(int)
    seen = []

    async def drive(ctx):
        ctx.set(dut.out.ready, 1)
        for i in range(len(words) + arch.array_latency + 1):
            ctx.set(dut.inp.valid, int(i < len(words)))
            ctx.set(dut.inp.payload, words[min(i, len(words) - 1)].tolist())
            if ctx.get(dut.out.valid):
                seen.append([ctx.get(dut.out.payload[c]) for c in range(arch.cols)])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert seen == model(encoding, arch, x, w)[0].tolist()


def test_refusals():
    with pytest.raises(UsageError, match="dataflow of the RTL: got 'os', expected 'ws'"):
        build(exact(4, 4), EncodingnetArch(2, 2, dataflow="os"))
    with pytest.raises(ShapeError, match=r"w has the wrong shape: got \[1, 3\], expected \[≤ C, ≤ R\]"):
        beats(exact(4, 4), EncodingnetArch(2, 2), np.zeros((1, 3), int), np.zeros((1, 3), int))
