"""The cocotb test behind `rtl.cosim.harness.cocotb_rate`: the leanest honest loop, timed inside the simulator."""

from __future__ import annotations

import time

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.cosim.harness import report, test_data


@cocotb.test()
async def rate(dut: object) -> None:
    data = test_data()
    inputs = [int(row, 16) for row in data["inputs"]]
    expected = [int(row, 16) for row in data["expected"]]
    source, sink, clk = getattr(dut, data["source"]), getattr(dut, data["sink"]), dut.clk
    dut.rst.value = 0
    Clock(clk, 10, unit="ns").start()
    edge = RisingEdge(clk)
    for _ in range(4):
        await edge
    seen = []
    start = time.perf_counter()
    for value in inputs:
        source.value = value
        await edge
        seen.append(int(sink.value))
    seconds = time.perf_counter() - start
    shift = next((s for s in range(64) if seen[s:] == expected[: len(seen) - s]), None)
    assert shift is not None, "outputs differ from those expected"
    report({"cycles_per_s": len(inputs) / seconds, "shift": shift})
