"""cocotb tests of the encoded-MAC array; started by ``test_encodingnet_protocol.py`` inside the simulator."""

from __future__ import annotations

from itertools import pairwise

import cocotb

from rtl.cosim.agents import StreamSink, StreamSource, exchange, reset, reset_after, start_clock
from rtl.cosim.harness import report, test_data


async def _sums(dut, rates: tuple[float, float], seed: int, cycles: int):
    data = test_data()
    await reset(dut)
    source, sink = await exchange(dut, data["inputs"], cycles, rates, seed)
    return source, sink, data


@cocotb.test()
async def order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, rates in enumerate([(0.5, 0.5), (1.0, 0.15), (0.2, 1.0)]):
        source, sink, data = await _sums(dut, rates, seed, 900)
        assert len(source.sent) == len(data["inputs"]), "not every beat entered"
        assert sink.got == data["outputs"], "a sum was lost, doubled, changed or overtaken"
        assert sink.violations == [], "a refused sum changed"


@cocotb.test()
async def loading_and_cycles(dut):
    start_clock(dut)
    source, sink, data = await _sums(dut, (1.0, 1.0), 0, 400)
    first = [source.cycles[at] for at in data["starts"]]
    assert [b - a for a, b in pairwise(first)] == data["cycles"][:-1], "a fold's length"
    last = [sink.cycles[at] for at in data["ends"]]
    assert [b - a for a, b in zip(first, last, strict=True)] == data["cycles"], "written a cycle before it is shown"
    report({"cycles": [b - a for a, b in zip(first, last, strict=True)]})


@cocotb.test()
async def a_sum_nobody_takes_stops_the_array(dut):
    data = test_data()
    start_clock(dut)
    source, sink = StreamSource(dut, "inp"), StreamSink(dut, "out", rate=0.0)
    await reset(dut)
    sending = cocotb.start_soon(source.send(data["inputs"]))
    await sink.run(200)
    assert len(source.sent) == data["rows"] + data["latency"], "the weights and a full pipeline"
    taker = StreamSink(dut, "out")
    await taker.run(400)
    sending.cancel()
    assert taker.got == data["outputs"]


@cocotb.test()
async def reset_in_mid_run(dut):
    data = test_data()
    start_clock(dut)
    # in the middle of the weights, with sums under way, and with one that nobody takes
    for cycles in (data["rows"] // 2 + 1, data["rows"] + data["latency"] // 2 + 1, 100):
        await reset_after(dut, data["inputs"], cycles)
        _, again, _ = await _sums(dut, (1.0, 1.0), 0, 400)
        assert again.got == data["outputs"]
