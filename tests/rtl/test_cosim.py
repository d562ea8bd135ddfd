"""The batch driver itself: packing of odd widths, measured timing, refusals, cache, traces, missing tools."""

from __future__ import annotations

import os

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from rtl_networks import mixed

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import EquivalenceError, ShapeError, ToolFailedError, ToolMissingError, UsageError
from rtl.cosim import toolchain
from rtl.cosim.verilate import Verilated
from rtl.lib.verilog import Port, VerilogDesign
from rtl.neuralut import build

pytestmark = pytest.mark.rtl


class Wires(wiring.Component):
    """Several delay lines, each port `lanes` codes of `bits` bits."""

    def __init__(self, shapes: list[tuple[int, int]], delay: int) -> None:
        self.shapes, self.delay = shapes, delay
        ports = {}
        for i, (lanes, bits) in enumerate(shapes):
            ports[f"x{i}"], ports[f"y{i}"] = In(data.ArrayLayout(bits, lanes)), Out(data.ArrayLayout(bits, lanes))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for i, (lanes, bits) in enumerate(self.shapes):
            value = getattr(self, f"x{i}").as_value()
            for step in range(self.delay):
                register = Signal(lanes * bits, name=f"delay{i}_{step}")
                m.d.sync += register.eq(value)
                value = register
            m.d.comb += getattr(self, f"y{i}").as_value().eq(value)
        return m


def test_every_width_is_packed_and_unpacked():
    # bits 1..16 and beyond, lane counts on both sides of eight, so that the fast path and its tail both run
    shapes = [(1, 1), (3, 1), (8, 1), (17, 1), (9, 2), (16, 3), (11, 5), (33, 7), (19, 8), (5, 9), (7, 13), (10, 16)]
    shapes += [(1, 20), (3, 20), (1, 33), (2, 33), (3, 64)]
    dut, rng = Verilated(Wires(shapes, 1)), np.random.default_rng(0)
    drive = {}
    for i, (lanes, bits) in enumerate(shapes):
        top = np.uint64((1 << bits) - 1)
        drive[f"x{i}"] = rng.integers(0, top, (50, lanes), dtype=np.uint64, endpoint=True)
    seen = dut.ports(drive)
    for i, (lanes, _) in enumerate(shapes):
        got = seen[f"y{i}"].reshape(50, lanes)
        assert np.array_equal(got[1:], drive[f"x{i}"][:-1]), shapes[i]


@pytest.mark.parametrize("delay", [0, 1, 5, 40])
def test_latency_is_measured(delay: int):
    dut = Verilated(Wires([(4, 3)], delay))
    assert dut.probe() == (delay, 1)
    x = np.random.default_rng(1).integers(0, 8, (100, 4))
    run = dut.run(x)
    assert np.array_equal(run.outputs, x)
    assert run.cycles == 100 + delay
    assert dut.run(x[:0]).cycles == 0


def test_initiation_interval_is_measured():
    # takes a sample every second cycle after reset and shows it two edges later
    text = """module half (input clk, input rst, input [7:0] x, output reg [7:0] y);
      reg phase; reg [7:0] held;
      always @(posedge clk) begin
        phase <= rst ? 1'b0 : ~phase;
        if (!phase) held <= x;
        y <= held;
      end
    endmodule"""
    dut = Verilated(VerilogDesign("half", {"half.v": text}, (Port("x", "in", 1, 8), Port("y", "out", 1, 8))))
    assert dut.probe() == (2, 2)
    x = np.arange(200, dtype=np.uint8)[:, None]
    assert np.array_equal(dut.run(x).outputs, x)


def test_designs_that_are_no_pipeline_are_refused():
    ports = (Port("x", "in", 1, 8), Port("y", "out", 1, 8))
    text = "module dut (input clk, input rst, input [7:0] x, output reg [7:0] y); {} endmodule"
    count = text.format("always @(posedge clk) y <= rst ? 8'd0 : y + x;")
    with pytest.raises(EquivalenceError, match="without state"):
        Verilated(VerilogDesign("dut", {"dut.v": count}, ports)).run(np.zeros((4, 1), int))
    constant = text.format("always @(posedge clk) y <= 8'd3;")
    with pytest.raises(EquivalenceError, match="never changed"):
        Verilated(VerilogDesign("dut", {"dut.v": constant}, ports)).run(np.zeros((4, 1), int))


@pytest.mark.parametrize(
    ("valid", "message"),
    [
        ("i__valid & (i__payload != 8'd7)", "19 results for 20 of 20 samples"),
        ("i__valid | (o__payload == 8'd19)", r"\d+ results for 20 of 20 samples"),  # the last one again and again
    ],
)
def test_a_stream_that_loses_or_repeats_samples_is_refused(valid: str, message: str):
    text = f"""module dut (input clk, input rst, input [7:0] i__payload, input i__valid, output i__ready,
                           output reg [7:0] o__payload, output reg o__valid, input o__ready);
      assign i__ready = 1'b1;
      always @(posedge clk) begin o__payload <= i__payload; o__valid <= !rst & ({valid}); end
    endmodule"""
    ports = [("i__payload", "in", 8), ("i__valid", "in", 1), ("i__ready", "out", 1)]
    ports += [("o__payload", "out", 8), ("o__valid", "out", 1), ("o__ready", "in", 1)]
    dut = Verilated(VerilogDesign("dut", {"dut.v": text}, tuple(Port(n, d, 1, w) for n, d, w in ports)))
    with pytest.raises(EquivalenceError, match=message):
        dut.run(np.arange(20)[:, None])
    fine = dut.run(np.arange(7)[:, None])
    assert (len(fine.outputs), fine.cycles) == (7, 8)


@pytest.fixture(scope="module")
def dut() -> Verilated:
    return Verilated(build(mixed()))


def test_bad_arguments(dut):
    with pytest.raises(ShapeError, match=r"x has the wrong shape: got \[2, 5\]"):
        dut.run(np.zeros((2, 5), int))
    with pytest.raises(ShapeError, match=r"x is out of range: got 0\.\.4, expected 0\.\.3"):
        dut.run(np.array([[0, 1, 2, 3, 4, 0]]))
    with pytest.raises(ShapeError, match="x dtype: got float64"):
        dut.run(np.zeros((2, 6)))
    with pytest.raises(UsageError, match="plain ports have no handshake"):
        dut.run(np.zeros((2, 6), int), in_valid=np.ones(4, bool))
    with pytest.raises(UsageError, match="no such port: got 'codes', expected one of codes_in, codes_out"):
        dut.ports({"codes": np.zeros((2, 6), int)})
    with pytest.raises(UsageError, match="an input port"):
        dut.ports({"codes_out": np.zeros((2, 3), int)})
    with pytest.raises(UsageError, match="lanes of codes_in: got 5"):
        dut.design.with_lanes(codes_in=5)


def test_second_build_comes_from_the_cache(dut, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(toolchain, "_build", refuse)
    again = Verilated(build(mixed()))
    x = np.random.default_rng(2).integers(0, 4, (10, 6))
    assert np.array_equal(again.run(x).outputs, mixed().reference(x))


def test_cache_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "c"))
    assert toolchain.cache_folder() == tmp_path / "c"
    monkeypatch.delenv("HWSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert toolchain.cache_folder() == tmp_path / "hwsim"


def test_trace_holds_the_asked_cycles(tmp_path):
    dut = Verilated(build(mixed(), NeuralutArch(ports="stream")))
    path = tmp_path / "deep" / "wave.vcd"
    dut.run(np.random.default_rng(3).integers(0, 4, (50, 6)), trace=path, trace_cycles=10)
    text = path.read_text()
    assert "inp__payload" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert max(times) in (22, 23)  # two steps a cycle, two cycles of reset
    with pytest.raises(UsageError, match="trace format"):
        dut.run(np.zeros((1, 6), int), trace=tmp_path / "wave.fst")
    with pytest.raises(ToolFailedError, match="VCD trace"):
        dut.run(np.zeros((1, 6), int), trace=tmp_path)


def test_missing_compiler_says_how_to_mend(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    toolchain.compiler.cache_clear()
    try:
        with pytest.raises(ToolMissingError, match=r"no 'no-such-compiler' on PATH.*apt-get install g"):
            toolchain.compiler()
    finally:
        toolchain.compiler.cache_clear()


def test_broken_verilog_is_a_tool_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", os.fspath(tmp_path))
    design = VerilogDesign("dut", {"dut.v": "module dut (input x; endmodule"}, (Port("x", "in", 1, 1),))
    monkeypatch.setattr(toolchain, "_runtime", lambda *_: [])
    with pytest.raises(ToolFailedError, match=r"(?s)Verilator on dut: got exit code 1.*syntax error"):
        Verilated(design)
    assert list((tmp_path / "verilated").iterdir()) == []


def test_unwritable_cache_says_how_to_mend(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="Set HWSIM_CACHE"):
        Verilated(build(mixed()))


def test_time_limit():
    with pytest.raises(ToolFailedError, match=r"no end after 0\.1 s"):
        toolchain.call(["sleep", "5"], 0.1, "a slow tool")
