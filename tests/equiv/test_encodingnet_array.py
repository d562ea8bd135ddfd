"""The array model against its naive twin: sums, cycles and toggles of every part; statistics against values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim.encodingnet.array import ArrayModel, estimate
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.emulator import gemm
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.rates import OperandStats
from hwsim.encodingnet.shapes import GemmShape, conv
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.testing.naive_encodingnet import run
from hwsim.testing.strategies import generators
from hwsim.testing.strategies_encodingnet import encodingnet_archs, encodings

PLAIN = [
    EncodingnetArch(3, 2, style="systolic"), EncodingnetArch(1, 3, style="systolic", cuts=("product",)),
    EncodingnetArch(4, 1, style="systolic", cuts=("product",)),
]  # fmt: skip


def operands(encoding, rng, t: int, k: int, n: int):
    (x_low, x_high), (w_low, w_high) = encoding.x_range, encoding.w_range
    return rng.integers(x_low, x_high + 1, (t, k)), rng.integers(w_low, w_high + 1, (n, k))


def agree(encoding, arch, x, w) -> None:
    got, want = simulate(x, w, encoding, arch, toggles="nodes"), run(x, w, encoding, arch)
    assert got.outputs.tolist() == want.sums == gemm(x, w, encoding).tolist()
    assert got.cycles == want.cycles
    fold = arch.fold_cycles(len(x))
    for i, written in enumerate(want.written):  # a sum a cycle, the last one in the fold's last cycle
        assert written == list(range((i + 1) * fold - len(x), (i + 1) * fold))
    toggles = {name.removesuffix("_toggles"): v for name, v in got.counters.items() if name.endswith("_toggles")}
    assert toggles == {name: want.toggles[name] for name in toggles}
    assert set(want.toggles) <= set(toggles)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    encoding=encodings(), arch=encodingnet_archs(), rng=generators(), t=st.integers(1, 5), k=st.integers(1, 9),
    n=st.integers(1, 6),
)  # fmt: skip
def test_drawn_encodings_and_arrays(encoding, arch, rng, t, k, n):
    assume(arch.rows * arch.cols <= 12)
    agree(encoding, arch, *operands(encoding, rng, t, k, n))


@pytest.mark.parametrize("arch", PLAIN)
def test_plain_systolic_cells(arch):
    agree(exact(3, 3), arch, *operands(exact(3, 3), np.random.default_rng(1), 4, 7, 3))
    wide = exact(8, 8)
    agree(wide, arch, *operands(wide, np.random.default_rng(1), 6, 5, 2))


@pytest.mark.parametrize("style", ["popcount", "heap"])
def test_more_than_64_wide_bits(style):
    few = exact(3, 3)
    gates = replace(few.gates, outputs=np.tile(few.gates.outputs, 8), output_names=())
    many = replace(few, gates=gates, position_weights=np.arange(-36, 36))
    agree(many, EncodingnetArch(2, 2, style=style), *operands(many, np.random.default_rng(5), 3, 3, 2))


def test_long_runs_are_counted_in_pieces():
    # more states than one pass of the bit-parallel kernel takes; "sums" counts the same registers
    encoding, arch = truncated(4, 4, 3), EncodingnetArch(3, 2)
    x, w = operands(encoding, np.random.default_rng(2), 2100, 4, 2)
    nodes, sums = (simulate(x, w, encoding, arch, toggles=level).counters for level in ("nodes", "sums"))
    for part in ("activation", "weight", "skew", "output"):
        assert nodes[f"{part}_toggles"] == sums[f"{part}_toggles"]
    want = run(x, w, encoding, arch).toggles
    assert {p: nodes[f"{p}_toggles"] for p in ("popcount", "decoder", "counts")} == {
        p: want[p] for p in ("popcount", "decoder", "counts")
    }


@pytest.mark.parametrize("style", ["systolic", "popcount", "heap"])
def test_statistics_are_near_the_values(style):
    # Rates come from 3 sampled folds of 256 rows, values from other draws of the same distribution. Toggles are
    # means over hundreds of wires and rows; the spread between weight draws, some percent, decides.
    encoding, arch = exact(8, 8), EncodingnetArch(32, 4, style=style)
    rng = np.random.default_rng(3)
    x = np.clip(np.maximum(0, rng.normal(0, 40, (300, 64))).round(), 0, 127).astype(int)
    w = np.clip(rng.normal(0, 32, (8, 64)).round(), -128, 127).astype(int)
    nodes = simulate(x, w, encoding, arch, toggles="nodes")
    expected = estimate([GemmShape("one", 300, 64, 8)], encoding, arch, OperandStats.of(x, w, encoding)).layers[0]
    assert expected.cycles == nodes.cycles
    for name in ("macs", "x_reads", "w_reads", "y_reads", "y_writes", "clocked_bits"):
        assert expected.counters[name] == nodes.counters[name]
    for part in ("register", "encoder", "decoder", *(["popcount"] if style == "popcount" else [])):
        assert expected.energy_pj[part] == pytest.approx(nodes.energy_pj[part], rel=0.1), part


def test_output_stationary():
    x, w = operands(exact(8, 8), np.random.default_rng(4), 50, 40, 20)
    chain = simulate(x, w, exact(8, 8), EncodingnetArch(16, 8, style="systolic", dataflow="os"))
    assert chain.outputs.tolist() == (x @ w.T).tolist()
    assert chain.cycles == 4 * 3 * (40 + 16 + 8 - 2)
    column = simulate(x, w, booth(8, 8), EncodingnetArch(16, 8, style="heap", dataflow="os"))
    assert column.outputs.tolist() == (x @ w.T).tolist()
    assert column.cycles == 3 * (50 * 3 + 8 - 2 + 2)
    assert column.counters["y_reads"] == 0
    assert column.counters["w_reads"] == 50 * 40 * 20
    assert "toggles are not modelled" in column.notes[0]


def test_dram_waits_and_spills():
    layer = conv("c", 56, 64, 64, 3)
    free = ArrayModel(exact(8, 8), EncodingnetArch(y_kib=4096)).layer(layer)
    assert free.stall_cycles == 0
    assert free.counters["dram_write_bytes"] == 2916 * 64 * 4
    assert free.counters["dram_read_bytes"] == 2916 * 576 + 576 * 64
    slow = ArrayModel(exact(8, 8), EncodingnetArch(y_kib=4096, dram_bytes_per_cycle=16.0)).layer(layer)
    assert slow.cycles == free.cycles + slow.stall_cycles > free.cycles
    spilled = ArrayModel(exact(8, 8), EncodingnetArch(y_kib=64)).layer(layer)
    assert spilled.counters["dram_write_bytes"] == 9 * 2916 * 64 * 4


def test_groups_and_repeats_multiply():
    model = ArrayModel(exact(4, 4), EncodingnetArch(8, 8))
    one, many = model.layer(GemmShape("a", 10, 20, 5)), model.layer(GemmShape("a", 10, 20, 5, groups=3, repeats=2))
    assert many.cycles == 6 * one.cycles
    assert many.counters["activation_toggles"] == pytest.approx(6 * one.counters["activation_toggles"], abs=6)
    assert many.utilisation == one.utilisation
    assert one.mapping_efficiency == 20 * 5 / (3 * 64)


def test_refusals():
    x, w = np.zeros((2, 3), int), np.zeros((4, 3), int)
    with pytest.raises(UsageError, match="toggles: got 'all'"):
        simulate(x, w, exact(4, 4), toggles="all")
    with pytest.raises(ShapeError, match=r"w has the wrong shape: got \[4, 3\], expected \[N, K\] = \[any, 2\]"):
        simulate(x[:, :2], w, exact(4, 4))
    with pytest.raises(ShapeError, match="x code out of range: got 9…9"):
        simulate(x + 9, w, exact(4, 4))
    with pytest.raises(ArtifactError, match="accumulators of 8 bits"):
        simulate(x, w, exact(4, 4), EncodingnetArch(2, 2, accumulator_bits=8))
    with pytest.raises(UsageError, match="estimate: got 1 layers, 2 statistics"):
        estimate([GemmShape("a", 1, 1, 1)], exact(4, 4), stats=[OperandStats()] * 2)
    with pytest.raises(UsageError, match="layer 'a': k: got 0"):
        GemmShape("a", 1, 0, 1)
    with pytest.raises(UsageError, match="a kernel inside the image"):
        conv("c", 2, 1, 1, 3)
    with pytest.raises(UsageError, match="groups that divide both"):
        conv("c", 8, 6, 8, 3, groups=4)
