"""cocotb tests of the statistics unit; started by ``test_graphnorm_protocol.py`` inside the simulator."""

from __future__ import annotations

import cocotb

from rtl.cosim.agents import StreamSink, StreamSource, exchange, reset, reset_after, start_clock
from rtl.cosim.harness import test_data


async def _results(dut, rates: tuple[float, float], seed: int, cycles: int):
    data = test_data()
    await reset(dut)
    source, sink = await exchange(dut, data["inputs"], cycles, rates, seed)
    return source, sink, data


@cocotb.test()
async def order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, rates in enumerate([(0.5, 0.5), (1.0, 0.1), (0.2, 1.0)]):
        source, sink, data = await _results(dut, rates, seed, 12 * test_data()["cycles"])
        assert len(source.sent) == len(data["inputs"]), "not every beat entered"
        assert sink.got == data["outputs"], "a beat was lost, doubled or changed"
        assert sink.violations == [], "a refused beat changed"


@cocotb.test()
async def first_in_to_last_out(dut):
    start_clock(dut)
    source, sink, data = await _results(dut, (1.0, 1.0), 0, test_data()["cycles"] + 20)
    assert sink.cycles[-1] - source.cycles[0] + 1 == data["cycles"]
    assert [source.cycles[at] - source.cycles[0] for at in data["starts"]] == data["begins"]


@cocotb.test()
async def reset_in_every_state(dut):
    data = test_data()
    start_clock(dut)
    load = data["starts"][1]
    for cycles in (load // 2, load + 3, load + 14, load + 30):
        await reset_after(dut, data["inputs"], cycles)
        _, again, _ = await _results(dut, (1.0, 1.0), 0, data["cycles"] + 20)
        assert again.got == data["outputs"]


@cocotb.test()
async def a_graph_that_nobody_takes_holds_the_next_one(dut):
    data = test_data()
    start_clock(dut)
    source, sink = StreamSource(dut, "inp"), StreamSink(dut, "out", rate=0.0)
    await reset(dut)
    sending = cocotb.start_soon(source.send(data["inputs"]))
    await sink.run(data["cycles"])
    assert len(source.sent) == data["starts"][1], "the first graph is in, the second one waits"
    assert int(dut.out__valid.value) == 1
    later = StreamSink(dut, "out")
    await later.run(2 * data["cycles"])
    sending.cancel()
    assert later.got == data["outputs"]
