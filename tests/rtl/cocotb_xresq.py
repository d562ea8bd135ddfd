"""cocotb tests of the annealing detector; started by ``test_xresq_protocol.py`` inside the simulator."""

from __future__ import annotations

from itertools import pairwise

import cocotb

from rtl.cosim.agents import StreamSink, StreamSource, exchange, reset, reset_after, start_clock
from rtl.cosim.harness import report, test_data


async def _results(dut, rates: tuple[float, float], seed: int, cycles: int):
    data = test_data()
    await reset(dut)
    source, sink = await exchange(dut, [int(word, 16) for word in data["inputs"]], cycles, rates, seed)
    return source, sink, data


@cocotb.test()
async def order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, rates in enumerate([(0.5, 0.5), (1.0, 0.1), (0.2, 1.0)]):
        source, sink, data = await _results(dut, rates, seed, 2500)
        assert len(source.sent) == len(data["inputs"]), "not every word entered"
        assert sink.got == [int(word, 16) for word in data["outputs"]], "a word was lost, doubled or changed"
        assert sink.violations == [], "a refused word changed"


@cocotb.test()
async def latency_and_interval(dut):
    start_clock(dut)
    source, sink, data = await _results(dut, (1.0, 1.0), 0, 800)
    first = [source.cycles[at] for at in data["starts"]]
    last = [sink.cycles[at] for at in data["ends"]]
    latencies = [b - a + 1 for a, b in zip(first, last, strict=True)]
    assert latencies == data["cycles"]
    report({"latencies": latencies, "intervals": [b - a for a, b in pairwise(first)]})


@cocotb.test()
async def reset_in_mid_run(dut):
    data = test_data()
    start_clock(dut)
    # while loading, while annealing, and with a result that nobody takes
    for cycles in (len(data["inputs"]) // 8, data["cycles"][0] // 2, data["cycles"][0] + 30):
        await reset_after(dut, [int(word, 16) for word in data["inputs"]], cycles)
        _, again, _ = await _results(dut, (1.0, 1.0), 0, 800)
        assert again.got == [int(word, 16) for word in data["outputs"]]


@cocotb.test()
async def a_result_nobody_takes_holds_the_next_run(dut):
    data = test_data()
    start_clock(dut)
    source, sink = StreamSource(dut, "inp"), StreamSink(dut, "out", rate=0.0)
    await reset(dut)
    sending = cocotb.start_soon(source.send([int(word, 16) for word in data["inputs"]]))
    await sink.run(1500)
    assert len(source.sent) == data["starts"][2], "the second problem is loaded, the third one waits"
    assert int(dut.out__valid.value) == 1
    later = StreamSink(dut, "out")
    await later.run(800)
    sending.cancel()
    assert later.got == [int(word, 16) for word in data["outputs"]]
