"""cocotb tests of the Hamming scorer; started by ``test_semsearch_protocol.py`` inside the simulator."""

from __future__ import annotations

import cocotb

from rtl.cosim.agents import StreamSink, StreamSource, exchange, reset, reset_after, start_clock
from rtl.cosim.harness import report, test_data


async def _run(dut, rates: tuple[float, float], seed: int, cycles: int):
    data = test_data()
    await reset(dut)
    source, sink = await exchange(dut, data["inputs"], cycles, rates, seed)
    return source, sink, data


@cocotb.test()
async def order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, rates in enumerate([(0.5, 0.5), (1.0, 0.15), (0.2, 1.0)]):
        source, sink, data = await _run(dut, rates, seed, 1200)
        assert len(source.sent) == len(data["inputs"]), "not every beat entered"
        assert sink.got == data["outputs"], "a result was lost, doubled, changed or overtaken"
        assert sink.violations == [], "a refused result changed"


@cocotb.test()
async def cycles_of_every_run(dut):
    start_clock(dut)
    source, sink, data = await _run(dut, (1.0, 1.0), 0, 400)
    assert sink.got == data["outputs"]
    starts, ends = [source.cycles[at] for at in data["starts"]], [sink.cycles[at] for at in data["ends"]]
    report({"cycles": [b - a + 1 for a, b in zip(starts, ends, strict=True)]})
    assert [b - a for a, b in zip(ends[:-1], starts[1:], strict=True)] == [1] * (len(ends) - 1), "the next run follows"


@cocotb.test()
async def documents_wait_until_results_are_taken(dut):
    data = test_data()
    start_clock(dut)
    source, sink = StreamSource(dut, "inp"), StreamSink(dut, "out", rate=0.0)
    await reset(dut)
    sending = cocotb.start_soon(source.send(data["inputs"]))
    await sink.run(300)
    assert len(source.sent) == data["starts"][1], "the first run alone"
    taker = StreamSink(dut, "out")
    await taker.run(400)
    sending.cancel()
    assert taker.got == data["outputs"]


@cocotb.test()
async def reset_in_mid_run(dut):
    data = test_data()
    start_clock(dut)
    for cycles in (1, data["starts"][1] // 2, data["starts"][1] + 3, 200):
        await reset_after(dut, data["inputs"], cycles)
        _, again, _ = await _run(dut, (1.0, 1.0), 0, 400)
        assert again.got == data["outputs"]
