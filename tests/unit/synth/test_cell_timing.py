"""Static timing on chains worked out by hand, and against OpenSTA."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import ToolMissingError, UsageError
from rtl.synth.cells import Conditions, MapOptions, analyse, critical_path_ps, library_files, load_library, map_cells
from rtl.synth.cells.sta import default_wire_ff
from rtl.synth.cells.still import still_nets
from rtl.synth.cells.verilog import opensta_path_ps
from rtl.synth.opensta import find_opensta

from .tiny_cells import driven_by, net, netlist, tiny, two_registers

MAC = """module mac(input clk, input signed [3:0] a, input signed [3:0] w, output reg signed [8:0] y);
  reg signed [3:0] aq, wq;
  always @(posedge clk) begin aq <= a; wq <= w; y <= aq * wq + y; end
endmodule
"""


def test_register_to_register_by_hand() -> None:
    cells = two_registers()
    timing = analyse(cells, Conditions(wire_ff=1.0))
    r, n = driven_by(cells, "in_0.r", "Q"), driven_by(cells, "$abc$1", "Y")
    assert timing.load_ff[[r, n, net(cells, "a"), net(cells, "q")]].tolist() == pytest.approx([3, 3, 3, 1])
    # clock → Q at 3 fF: 50 + 3 rising, 40 + 3 falling; transitions 4 + 2·3 and 2 + 2·3
    assert timing.arrival_ps[r].tolist() == pytest.approx([53.0, 43.0])
    assert timing.slew_ps[r].tolist() == pytest.approx([10.0, 8.0])
    # inverter: rising after Q falls 43 + (10 + 0.1·8 + 3), falling after Q rises 53 + (8 + 0.1·10 + 3)
    assert timing.arrival_ps[n].tolist() == pytest.approx([56.8, 65.0])
    # setup 20 + 0.5·10 rising, 30 + 0.5·8 falling → 81.8 and 99
    assert timing.critical_path_ps == pytest.approx(99.0)
    assert [step[0] for step in timing.path] == ["in_0.r", "$abc$1", "out_1.q"]
    assert [step[2] for step in timing.path] == pytest.approx([53.0, 65.0, 99.0])
    assert timing.edge_delay_ps.tolist() == pytest.approx([(12.0 + 13.8) / 2])
    assert timing.q_delay_ps[0] == pytest.approx(48.0)


def test_paths_from_what_holds_still_do_not_count() -> None:
    """w_q → two inverters → XOR with x_q → y; the counter reads only itself and moves."""
    cells = netlist(
        {"clk": [2], "x": [3], "w": [4]},
        {"y": [11]},
        {
            "wr": ("DFF", {"CLK": 2, "D": 4, "Q": 5}),
            "xr": ("DFF", {"CLK": 2, "D": 3, "Q": 6}),
            "i0": ("INV", {"A": 5, "Y": 7}),
            "i1": ("INV", {"A": 7, "Y": 8}),
            "g": ("XOR2", {"A": 8, "B": 6, "Y": 9}),
            "count": ("DFF", {"CLK": 2, "D": 12, "Q": 13}),
            "i2": ("INV", {"A": 13, "Y": 12}),
            "yr": ("DFF", {"CLK": 2, "D": 9, "Q": 11}),
        },
    )
    everything, working = analyse(cells), analyse(cells, Conditions(still=("w",)))
    assert everything.path[0][0] == "wr"
    assert working.path[0][0] == "xr"
    assert working.critical_path_ps < everything.critical_path_ps
    still = still_nets(working.graph, ("w",))
    held = [driven_by(cells, name, pin) for name, pin in (("wr", "Q"), ("i0", "Y"), ("i1", "Y"))]
    assert sorted(np.flatnonzero(still)) == sorted([net(cells, "w"), *held])
    with pytest.raises(UsageError, match=r"still port: got weights, expected one of"):
        analyse(cells, Conditions(still=("weights",)))


def test_slews_and_loads_of_the_ports() -> None:
    cells = netlist({"a": [2]}, {"y": [3]}, {"i": ("INV", {"A": 2, "Y": 3})})
    conditions = Conditions(wire_ff=0.0, input_slew_ps=20.0, output_load_ff=5.0)
    assert critical_path_ps(cells, conditions) == pytest.approx(10.0 + 2.0 + 5.0)
    assert critical_path_ps(cells, Conditions(wire_ff=2.0)) == pytest.approx(10.0 + 2.0)


def test_senses() -> None:
    """A NAND is slow for a rising output after a falling input, an XOR for either."""
    nand = netlist({"a": [2], "b": [3]}, {"y": [4]}, {"g": ("NAND2", {"A": 2, "B": 3, "Y": 4})})
    assert analyse(nand, Conditions(wire_ff=0.0)).arrival_ps[net(nand, "y")].tolist() == pytest.approx([12.0, 14.0])
    xor = netlist({"a": [2], "b": [3]}, {"y": [4]}, {"g": ("XOR2", {"A": 2, "B": 3, "Y": 4})})
    assert critical_path_ps(xor, Conditions(wire_ff=0.0)) == pytest.approx(22.0)


def test_wire_of_a_library() -> None:
    assert default_wire_ff(tiny()) == pytest.approx(2**0.5)  # NAND2 of 2 µm²


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"x": ("INV", {"A": 2, "Y": 3}), "y": ("INV", {"A": 3, "Y": 2})}, "a loop of gates"),
        ({"x": ("INV", {"A": 2, "Y": 3}), "y": ("INV", {"A": 2, "Y": 3})}, "two drivers"),
        ({"x": ("NAND2", {"A": 2, "Y": 3})}, "open input"),
        ({"x": ("DFF", {"CLK": 2, "D": 2, "Q": 3}), "y": ("DFF", {"CLK": 4, "D": 2, "Q": 5})}, "2 clock nets"),
        ({"x": ("MUX9", {"A": 2, "Y": 3})}, "that tiny can not make: got MUX9"),
    ],
)
def test_bad_netlists(cells: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        analyse(netlist({"a": [9]}, {"o": [3]}, cells))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "sky130hd", "sg13g2", "osu018", "asap7"])
def test_against_opensta(name: str) -> None:
    try:
        find_opensta()
    except ToolMissingError:
        pytest.skip("opensta is not installed")
    if name != "tiny" and name not in library_files():
        pytest.skip(f"no Liberty file of {name}: set HWSIM_LIBERTY or HWSIM_DATA")
    library = tiny() if name == "tiny" else load_library(name)
    cells = map_cells({"mac.v": MAC}, "mac", library, MapOptions(adders="gates"))
    ours, theirs = critical_path_ps(cells, Conditions(wire_ff=0.0)), opensta_path_ps(cells)
    if name == "asap7":  # arcs with conditions: ours takes the slowest, OpenSTA one of them
        assert theirs <= ours <= 1.05 * theirs
    else:
        assert ours == pytest.approx(theirs, rel=1e-4)
