"""cocotb tests of the NeuraLUT pipelines; started by ``test_neuralut_protocol.py`` inside the simulator."""

from __future__ import annotations

import cocotb
from cocotb.triggers import FallingEdge

from rtl.cosim.agents import PlainPort, StreamSink, StreamSource, exchange, reset, start_clock
from rtl.cosim.harness import report, test_data


async def _stream(dut, source_rate: float, sink_rate: float, seed: int, cycles: int):
    data = test_data()
    await reset(dut)
    source, sink = await exchange(dut, data["inputs"], cycles, (source_rate, sink_rate), seed)
    return source, sink, data


@cocotb.test()
async def stream_order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, (source_rate, sink_rate) in enumerate([(0.5, 0.5), (1.0, 0.3), (0.3, 1.0)]):
        source, sink, data = await _stream(dut, source_rate, sink_rate, seed, 900)
        assert source.sent == data["inputs"], "not every sample entered"
        assert sink.got == data["outputs"], "a sample was lost, doubled, changed or overtaken"
        assert sink.violations == [], "a refused result changed"


@cocotb.test()
async def stream_latency_and_interval(dut):
    start_clock(dut)
    source, sink, data = await _stream(dut, 1.0, 1.0, 0, len(test_data()["inputs"]) + 20)
    n = len(data["inputs"])
    assert [b - a for a, b in zip(source.cycles, source.cycles[1:], strict=False)] == [1] * (n - 1)
    latencies = {b - a for a, b in zip(source.cycles, sink.cycles, strict=True)}
    assert latencies == {data["latency"]}
    report({"latency": latencies.pop(), "samples": n})


@cocotb.test()
async def stream_reset_in_mid_stream(dut):
    data = test_data()
    start_clock(dut)
    source = StreamSource(dut, "inp")
    sink = StreamSink(dut, "out", rate=0.0)
    await reset(dut)
    # a full pipeline that nobody empties
    sending = cocotb.start_soon(source.send(data["inputs"]))
    await sink.run(data["latency"] + 5)
    assert len(source.sent) == data["latency"]
    sending.cancel()
    await FallingEdge(dut.clk)
    dut.inp__valid.value = 0
    await reset(dut)
    assert int(dut.out__valid.value) == 0, "a sample survived the reset"
    again, taker = StreamSource(dut, "inp"), StreamSink(dut, "out")
    receiving = cocotb.start_soon(taker.run(len(data["inputs"]) + 20))
    cocotb.start_soon(again.send(data["inputs"]))
    await receiving
    assert taker.got == data["outputs"]


@cocotb.test()
async def plain_codes_latency_and_reset(dut):
    data = test_data()
    start_clock(dut)
    port = PlainPort(dut)
    await reset(dut)
    n, latency = len(data["inputs"]), data["latency"]
    seen = await port.stream(data["inputs"], extra=latency)
    assert seen[latency:] == data["outputs"], "wrong code or latency"
    await FallingEdge(dut.clk)
    await reset(dut, cycles=latency + 1)
    assert (await port.stream(data["inputs"], extra=latency))[latency:] == data["outputs"]
    report({"latency": latency, "samples": n})
