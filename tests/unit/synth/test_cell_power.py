"""Toggles counted and power worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import ShapeError, UsageError
from rtl.synth.cells import Activity, Conditions, analyse, power_mw, simulate_cells
from rtl.synth.cells.power import group_of_cells

from .tiny_cells import driven_by, net, netlist, two_registers

A = np.array([[0], [1], [1], [0], [1], [0]])  # [cycles, streams]


def run(streams: int = 1) -> tuple:  # type: ignore[type-arg]
    cells = two_registers()
    timing = analyse(cells, Conditions(wire_ff=1.0))
    activity = simulate_cells(cells, {"a": np.repeat(A, streams, axis=1)}, glitches=timing)
    return cells, timing, activity


@pytest.mark.parametrize("streams", [1, 63, 64, 65])
def test_toggles_by_hand(streams: int) -> None:
    cells, _, activity = run(streams)
    nets = [net(cells, "a"), driven_by(cells, "in_0.r", "Q"), driven_by(cells, "$abc$1", "Y"), net(cells, "q")]
    # a 0 1 1 0 1 0 · r 0 0 1 1 0 1 · not r 1 1 0 0 1 0 · q 0 1 1 0 0 1; the first cycle is not counted
    assert activity.cycles == 5 * streams
    assert (activity.toggles[nets] // streams).tolist() == [4, 3, 3, 3]
    assert (activity.ones[nets] // streams).tolist() == [3, 3, 2, 3]
    assert activity.glitch_toggles is not None
    assert np.array_equal(activity.glitch_toggles, activity.toggles)  # a chain has no glitches
    assert activity.integers("q").T.tolist() == [[0, 1, 1, 0, 0, 1]] * streams


@pytest.mark.parametrize("streams", [1, 70])
def test_power_by_hand(streams: int) -> None:
    cells, timing, activity = run(streams)
    report = power_mw(cells, activity, 1000.0, timing=timing)
    unit = 1e-3  # fJ a cycle at 1000 MHz in mW
    # V²/2 = 0.5, loads 3, 3, 3, 1 fF. The table of Q holds 0.5 fJ/fF: taken off, it leaves 6 fJ.
    register = 3 / 5 * (1.5 + 6) + 3 / 5 * (0.5 + 6) + (4 / 5 + 3 / 5) * 1  # r, q; data pins of 1 fJ
    gates = 4 / 5 * 1.5 + 3 / 5 * (1.5 + 2)  # a, inverter
    # clock pin, two edges of ½(1 + 1) fF·V² and 5 fJ, or 10 fJ while D ≠ Q: shares of ones .6 and .6, .4 and .6
    clock = 2 * (1 + 0.52 * 5 + 0.48 * 10) + 2 * (1 + 0.48 * 5 + 0.52 * 10)
    assert report.register_mw == pytest.approx(register * unit)
    assert report.combinational_mw == pytest.approx(gates * unit)
    assert report.clock_mw == pytest.approx(clock * unit)
    assert report.leakage_mw == pytest.approx(3e-6)  # three cells of 1 nW
    assert report.total_mw == pytest.approx((register + gates + clock) * unit + 3e-6)
    assert report.glitch_mw == pytest.approx(0.0)
    assert set(report.groups) == {"in", "top", "out", "inputs"}
    assert report.groups["out"]["register"] == pytest.approx((3 / 5 * 6.5 + 3 / 5) * unit)
    assert report.groups["inputs"]["combinational"] == pytest.approx(4 / 5 * 1.5 * unit)
    assert sum(sum(parts.values()) for parts in report.groups.values()) == pytest.approx(report.total_mw)


def test_groups_by_pattern_and_by_readers() -> None:
    cells = netlist(
        {"a": [2], "b": [3]},
        {"s": [6], "c": [7], "y": [8]},
        {
            "g0": ("NAND2", {"A": 2, "B": 3, "Y": 4}),
            "g1": ("INV", {"A": 4, "Y": 5}),
            "heap.fa_1": ("HA", {"A": 5, "B": 3, "S": 6, "CO": 7}),
            "g2": ("INV", {"A": 3, "Y": 8}),
        },
    )
    labels, of_cell = group_of_cells(cells, None)
    assert [labels[g] for g in of_cell] == ["before heap", "before heap", "heap", "top"]
    labels, of_cell = group_of_cells(cells, {"tree": "fa_"})
    assert [labels[g] for g in of_cell] == ["before tree", "before tree", "tree", "other"]


def glitchy() -> tuple:  # type: ignore[type-arg]
    """y = a XOR NOT a, 0 → the XOR sees its inputs change one inverter apart."""
    cells = netlist({"a": [2]}, {"y": [4]}, {"i": ("INV", {"A": 2, "Y": 3}), "x": ("XOR2", {"A": 2, "B": 3, "Y": 4})})
    return cells, analyse(cells, Conditions(wire_ff=0.0))


@pytest.mark.parametrize(("inertia", "pulses"), [(0.0, 4), (1.0, 0)])
def test_glitches_by_hand(inertia: float, pulses: int) -> None:
    """The pulse is as long as the inverter's delay (11 ps): shorter than the XOR's delay (21 ps)."""
    cells, timing = glitchy()
    activity = simulate_cells(cells, {"a": A}, glitches=timing, inertia=inertia)
    y = net(cells, "y")
    assert activity.toggles[y] == 0
    assert activity.glitch_toggles is not None
    assert activity.glitch_toggles[y] == 2 * pulses  # one pulse for each of the four changes of a
    assert (activity.integers("y")[1:] == 1).all()
    report = power_mw(cells, activity, 100.0, timing=timing)
    assert (report.glitch_mw or 0.0) > 0 if pulses else report.glitch_mw == 0.0


def test_long_pulses_stay() -> None:
    """Four inverters in front of the XOR make a pulse of more than its delay."""
    chain = {f"i{k}": ("INV", {"A": 2 + k, "Y": 3 + k}) for k in range(4)}
    cells = netlist({"a": [2]}, {"y": [9]}, {**chain, "x": ("XOR2", {"A": 2, "B": 6, "Y": 9})})
    timing = analyse(cells, Conditions(wire_ff=0.0))
    activity = simulate_cells(cells, {"a": A}, glitches=timing)
    assert activity.glitch_toggles is not None
    assert activity.glitch_toggles[net(cells, "y")] == 8


def test_bad_inputs() -> None:
    cells = two_registers()
    with pytest.raises(UsageError, match=r"input ports: got \['b'\], expected \['a'\]"):
        simulate_cells(cells, {"b": A})
    with pytest.raises(ShapeError, match=r"port a: got 2..2, expected -1..1 \(1 bits\)|port a: got 0..2"):
        simulate_cells(cells, {"a": 2 * A})
    with pytest.raises(ShapeError, match=r"integers \[cycles, streams\] or bits \[cycles, streams, 1\]"):
        simulate_cells(cells, {"a": A[:, 0]})
    with pytest.raises(UsageError, match=r"warmup: got 6, expected 1\.\.5"):
        simulate_cells(cells, {"a": A}, warmup=6)
    with pytest.raises(UsageError, match="tick_ps"):
        simulate_cells(cells, {"a": A}, glitches=True, tick_ps=-1.0)
    activity: Activity = simulate_cells(cells, {"a": A})
    with pytest.raises(UsageError, match="clock_mhz: got 0"):
        power_mw(cells, activity, 0.0)
    with pytest.raises(UsageError, match="of another netlist"):
        power_mw(two_registers(), activity, 1.0)
