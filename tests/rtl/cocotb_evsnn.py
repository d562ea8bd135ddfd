"""cocotb tests of the spiking core; started by ``test_evsnn_protocol.py`` inside the simulator."""

from __future__ import annotations

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from rtl.cosim.agents import StreamSink, StreamSource, exchange, reset, start_clock
from rtl.cosim.harness import report, test_data


def beats(name: str) -> list[int]:
    """A list of the handed data, as numbers."""
    return [int(word, 16) for word in test_data()[name]]


async def watch_spikes(dut, cycles):
    """[layer, neuron, tick] of every spike in the coming cycles."""
    seen = []
    for _ in range(cycles):
        await FallingEdge(dut.clk)
        await ReadOnly()
        if int(dut.spike_valid.value):
            seen.append([int(port.value) for port in (dut.spike_layer, dut.spike_address, dut.spike_tick)])
    return seen


@cocotb.test()
async def order_and_loss_under_back_pressure(dut):
    start_clock(dut)
    for seed, rates in enumerate([(1.0, 1.0), (0.5, 0.5), (1.0, 0.1), (0.2, 1.0)]):
        await reset(dut)
        inputs = beats("load") + beats("samples") + beats("reads")
        source, sink = await exchange(dut, inputs, test_data()["cycles"], rates, seed)
        assert len(source.sent) == len(inputs), "not every beat entered"
        assert sink.got == beats("outputs"), "an answer was lost, doubled or wrong"
        assert sink.violations == [], "a refused answer changed"


@cocotb.test()
async def cycles_and_spikes(dut):
    start_clock(dut)
    await reset(dut)
    await exchange(dut, beats("load"), len(beats("load")) + 2)
    watching = cocotb.start_soon(watch_spikes(dut, 1500))
    source, sink = await exchange(dut, beats("samples"), 1500)
    first = [source.cycles[at] for at in test_data()["starts"]]
    last = [sink.cycles[at] for at in test_data()["ends"]]
    report({
        "forward": [b - a + 1 for a, b in zip(first, last, strict=True)],
        "learning": [b - a - 1 for a, b in zip(last, first[1:], strict=False)],
        "spikes": await watching,
    })  # fmt: skip


@cocotb.test()
async def reset_in_every_phase(dut):
    start_clock(dut)
    await reset(dut)
    await exchange(dut, beats("load"), len(beats("load")) + 2)
    one = beats("samples")[: test_data()["starts"][1]]
    for cycles in range(1, sum(test_data()["first"]), 7):
        await exchange(dut, one, cycles)
        await FallingEdge(dut.clk)
        dut.inp__valid.value = 0
        await reset(dut)
        await ReadOnly()
        assert int(dut.out__valid.value) == 0, "an answer survived the reset"
        assert int(dut.inp__ready.value) == 1, "the core does not wait for a sample"
        await FallingEdge(dut.clk)
    # learning may have been cut short: the weights are loaded anew
    inputs = beats("load") + beats("samples") + beats("reads")
    _, sink = await exchange(dut, inputs, test_data()["cycles"])
    assert sink.got == beats("outputs")


@cocotb.test()
async def an_answer_nobody_takes_holds_the_core(dut):
    start_clock(dut)
    await reset(dut)
    await exchange(dut, beats("load"), len(beats("load")) + 2)
    source, sink = StreamSource(dut, "inp"), StreamSink(dut, "out", rate=0.0)
    sending = cocotb.start_soon(source.send(beats("samples") + beats("reads")))
    await sink.run(600)
    assert len(source.sent) == test_data()["starts"][1], "the second sample waits"
    assert int(dut.out__valid.value) == 1
    later = StreamSink(dut, "out")
    await later.run(test_data()["cycles"])
    sending.cancel()
    assert later.got == beats("outputs")
