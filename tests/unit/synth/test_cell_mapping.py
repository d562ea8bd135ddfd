"""Verilog → cells → bits: the mapped netlist does what the source says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import ToolFailedError, UsageError
from hwsim.ir.gates import GateNetlist
from rtl.synth.cells import MapOptions, library_files, load_library, map_cells, measure, simulate_cells
from rtl.synth.cells.polarity import FULL, HALF
from rtl.synth.netlist_verilog import netlist_verilog

from .tiny_cells import netlist, tiny

RIPPLE = """module ripple(input [3:0] a, input [3:0] b, output [4:0] y);
  wire [3:0] c;
  half_adder h(.a(a[0]), .b(b[0]), .s(y[0]), .co(c[0]));
  full_adder f1(.a(a[1]), .b(b[1]), .c(c[0]), .s(y[1]), .co(c[1]));
  full_adder f2(.a(a[2]), .b(b[2]), .c(c[1]), .s(y[2]), .co(c[2]));
  full_adder f3(.a(a[3]), .b(b[3]), .c(c[2]), .s(y[3]), .co(y[4]));
endmodule
"""
MAC = """module mac(input clk, input load, input signed [3:0] a, input signed [3:0] w, output reg signed [9:0] y);
  reg signed [3:0] aq, wq;
  always @(posedge clk) begin aq <= a; if (load) wq <= w; y <= aq * wq + y; end
endmodule
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize(
    ("adders", "cells", "area"),
    [
        ("auto", {"FA": 3, "HA": 1}, 32.0),
        ("cell", {"FA": 3, "HA": 1}, 32.0),
        ("form", {"XOR2": 7, "AOI22": 3, "NAND2": 1, "INV": 4}, 43.0),
        # both outputs of h and the carry of f2 are complemented; only the sum that leaves is inverted back
        ("inverting", {"NAND2": 3, "OAI21": 5, "XOR2": 4, "AOI22": 1, "INV": 1}, 38.5),
        ("gates", None, None),
    ],
)
def test_adder_styles(adders: str, cells: dict[str, int] | None, area: float | None) -> None:
    mapped = map_cells({"r.v": RIPPLE}, "ripple", tiny(), MapOptions(adders=adders))  # type: ignore[arg-type]
    if cells is not None:
        assert (mapped.cells, mapped.area_um2) == (cells, area)
    a, b = np.divmod(np.arange(256), 16)
    activity = simulate_cells(mapped, {"a": np.stack([a, a]), "b": np.stack([b, b])})
    assert np.array_equal(activity.integers("y"), np.stack([a + b, a + b]))


@given(st.data())
def test_random_adders_of_alternating_polarity(data: st.DataObject) -> None:
    """Full and half adders in any order, read by each other, by gates and by ports."""
    bits, values = list(range(2, 8)), [np.arange(64) >> k & 1 for k in range(6)]
    cells: dict[str, tuple[str, dict[str, int | str]]] = {}
    for i in range(data.draw(st.integers(1, 8))):
        full = data.draw(st.booleans())
        chosen = data.draw(st.lists(st.integers(0, len(bits) - 1), min_size=2 + full, max_size=2 + full, unique=True))
        total = sum(values[k] for k in chosen)
        pins: dict[str, int | str] = {pin: bits[k] for pin, k in zip("abc", chosen, strict=False)}
        new = 8 + 3 * i
        cells[f"x{i}"] = (FULL if full else HALF, {**pins, "s": new, "co": new + 1})
        cells[f"i{i}"] = ("INV", {"A": new + 1, "Y": new + 2} if data.draw(st.booleans()) else {"A": new, "Y": new + 2})
        source = total >> 1 if cells[f"i{i}"][1]["A"] == new + 1 else total & 1
        bits += [new, new + 1, new + 2]
        values += [total & 1, total >> 1, 1 - source]
    ports = data.draw(st.lists(st.sampled_from(bits), min_size=1, max_size=8))
    mapped = netlist({"a": list(range(2, 8))}, {"y": ports}, dict(reversed(cells.items())))
    got = simulate_cells(mapped, {"a": np.stack([np.arange(64)] * 2)}).outputs["y"][1]
    assert np.array_equal(got, np.stack([values[bits.index(bit)] for bit in ports], axis=1))


def test_constant_inputs_of_adders_go_to_the_mapper() -> None:
    text = RIPPLE.replace(".c(c[0])", ".c(1'b0)").replace("b[3]", "1'b1")
    mapped = map_cells({"r.v": text}, "ripple", tiny())
    assert mapped.cells["FA"] == 1  # f1 has carry-in 0, f3 a constant operand
    a, b = np.divmod(np.arange(256), 16)
    got = simulate_cells(mapped, {"a": np.stack([a, a]), "b": np.stack([b, b])}).integers("y")[1]
    low = (a & 1) + (b & 1) & 1
    assert np.array_equal(got, low + ((a & 14) + (b & 6) + 8))


@pytest.mark.parametrize(
    "options",
    [
        MapOptions(),
        MapOptions(multiplier="booth"),
        MapOptions(word_adders="full_adder"),
        MapOptions(adders="inverting", word_adders="full_adder", multiplier="booth"),
        MapOptions(flatten=False, clock_ps=200),
    ],
)
def test_plain_mac(options: MapOptions) -> None:
    rng = np.random.default_rng(0)
    a, w = rng.integers(-8, 8, (2, 12, 70))
    load = rng.integers(0, 2, (12, 70))
    inputs = {"a": a, "w": w, "load": load}
    found = measure({"m.v": MAC}, "mac", tiny(), inputs, options=options, clock_mhz=100.0, warmup=2)
    assert found.report.flip_flops == 18
    assert found.activity is not None
    y, weight, data = np.zeros(70, int), np.zeros(70, int), np.zeros(70, int)
    for t in range(12):
        assert np.array_equal(found.activity.integers("y", signed=True)[t], y)
        y = (y + data * weight + 512) % 1024 - 512
        weight, data = np.where(load[t], w[t], weight), a[t]
    power = found.report.power
    assert power is not None
    assert power.glitch_mw is not None
    assert power.total_mw >= power.no_glitch_mw > 0
    assert found.report.to_json()["cells"]["DFF"] == 18


@st.composite
def netlists(draw: st.DrawFn) -> GateNetlist:
    n_inputs, n = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    offsets, fan_in, tables = [0], [], []
    for i in range(n):
        k = draw(st.integers(1, 4))
        fan_in += [draw(st.integers(0, n_inputs + i - 1)) for _ in range(k)]
        offsets.append(len(fan_in))
        tables.append(draw(st.integers(0, (1 << (1 << k)) - 1)))
    outputs = draw(st.lists(st.integers(-2, n_inputs + n - 1), min_size=1, max_size=6))
    arrays = np.array(offsets, np.int32), np.array(fan_in, np.int32), np.array(tables, np.uint64)
    return GateNetlist(n_inputs, *arrays, np.array(outputs, np.int32))


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(netlists())
def test_random_netlists(source: GateNetlist) -> None:
    mapped = map_cells({"n.v": netlist_verilog(source)}, "netlist", tiny())
    x = np.arange(1 << source.n_inputs)
    bits = ((x[:, None] >> np.arange(source.n_inputs)) & 1).astype(np.uint8)
    used = {"i": np.stack([bits, bits])}
    activity = simulate_cells(mapped, used, glitches=True)
    assert np.array_equal(activity.outputs["o"][0], source.reference(bits))
    assert np.array_equal(activity.outputs["o"][1], source.reference(bits))
    assert activity.glitch_toggles is not None
    assert not activity.glitch_toggles.any()  # the same inputs twice


def test_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    first = map_cells({"r.v": RIPPLE}, "ripple", tiny())
    again = map_cells({"r.v": RIPPLE}, "ripple", tiny())
    assert first.meta["seconds"] > 0
    assert (again.meta["seconds"], again.meta["sha256"]) == (0.0, first.meta["sha256"])
    assert again.cells == first.cells


def test_errors() -> None:
    latch = "module l(input g, input d, output reg q); always @* if (g) q = d; endmodule"
    with pytest.raises(ToolFailedError, match="D latches are not supported"):
        map_cells({"l.v": latch}, "l", tiny())
    with pytest.raises(ToolFailedError, match="time limit"):
        map_cells({"r.v": RIPPLE}, "ripple", tiny(), timeout_s=0.01, use_cache=False)
    with pytest.raises(ToolFailedError, match="syntax error"):
        map_cells({"r.v": "module ripple(; endmodule"}, "ripple", tiny())
    with pytest.raises(UsageError, match="adders: got 'x'"):
        map_cells({"r.v": RIPPLE}, "ripple", tiny(), MapOptions(adders="x"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such adder in tiny"):
        map_cells({"r.v": RIPPLE}, "ripple", tiny(), MapOptions(adders="inverting", dont_use=("AOI22",)))
    with pytest.raises(UsageError, match="top: got '2'"):
        map_cells({"r.v": RIPPLE}, "2", tiny())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sky130hd", "sg13g2", "osu018", "asap7", "nangate45"])
def test_real_libraries(name: str) -> None:
    if name not in library_files():
        pytest.skip(f"no Liberty file of {name}: set HWSIM_LIBERTY or HWSIM_DATA")
    rng = np.random.default_rng(1)
    a, w = rng.integers(-8, 8, (2, 6, 64))
    inputs = {"a": a, "w": w, "load": np.ones((6, 64), int)}
    found = measure({"m.v": MAC}, "mac", load_library(name), inputs, clock_mhz=100.0)
    assert found.report.flip_flops == 18
    assert found.report.critical_path_ps > 50
    assert found.activity is not None
    y = np.zeros(64, int)
    for t in range(1, 6):
        assert np.array_equal(found.activity.integers("y", signed=True)[t], y)
        y = y + (a[t - 1] * w[t - 1])
