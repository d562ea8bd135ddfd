"""Drivers and monitors for cocotb tests: streams with seeded back-pressure, and plain ports.

One cycle, for all of them: inputs change at the falling edge and settle, ports are read in the read-only phase that
follows, and the rising edge commits what was read. So no agent races with another, or with the design.

cocotb runs inside the simulator only: this module is imported by test modules that `rtl.cosim.harness` starts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, ReadOnly


def pack(codes: Iterable[int], bits: int) -> int:
    """Bus value of codes: code k at bits [k·bits + bits − 1 : k·bits]."""
    return sum(int(code) << (k * bits) for k, code in enumerate(codes))


def unpack(value: int, lanes: int, bits: int) -> list[int]:
    """Codes of a bus value; inverse of `pack`."""
    return [(value >> (k * bits)) & ((1 << bits) - 1) for k in range(lanes)]


def start_clock(dut: HierarchyObject, period_ns: int = 10) -> None:
    """Start the clock ``dut.clk``."""
    Clock(dut.clk, period_ns, unit="ns").start()


async def reset(dut: HierarchyObject, cycles: int = 2) -> None:
    """Hold ``dut.rst`` for `cycles` rising edges."""
    await FallingEdge(dut.clk)
    dut.rst.value = 1
    for _ in range(cycles):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


class StreamSource:
    """Sends payloads into a stream, in order; keeps valid and payload until the transfer.

    Args:
        dut, name: the ports are ``<name>__payload``, ``<name>__valid`` and ``<name>__ready`` of `dut`.
        rate: chance of offering a payload in a cycle in which none is pending.
        seed: of the offers.

    Attributes:
        sent: payloads transferred so far.   cycles: cycle number of each transfer.   cycle: cycles seen.
    """

    def __init__(self, dut: HierarchyObject, name: str, *, rate: float = 1.0, seed: int = 0) -> None:
        self.dut, self.name, self.rate = dut, name, rate
        self.sent: list[int] = []
        self.cycles: list[int] = []
        self.cycle = 0
        self._random = random.Random(seed)
        self._ports = [getattr(dut, f"{name}__{port}") for port in ("payload", "valid", "ready")]

    async def send(self, payloads: Sequence[int]) -> None:
        """Transfer all payloads; returns after the cycle of the last transfer."""
        payload, valid, ready = self._ports
        waiting, offered = list(payloads), False
        while waiting:
            await FallingEdge(self.dut.clk)
            offered = offered or self._random.random() < self.rate
            valid.value = int(offered)
            if offered:
                payload.value = waiting[0]
            await ReadOnly()
            if offered and int(ready.value):
                self.sent.append(waiting.pop(0))
                self.cycles.append(self.cycle)
                offered = False
            self.cycle += 1
        await FallingEdge(self.dut.clk)
        valid.value = 0
        self.cycle += 1


class StreamSink:
    """Takes payloads from a stream, with random back-pressure; checks that a refused payload stays.

    Args:
        dut, name: as for `StreamSource`.
        rate: chance of being ready in a cycle.
        seed: of the readiness.

    Attributes:
        got: payloads in order.   cycles: cycle number of each transfer.
        violations: cycles in which valid or payload changed although the last one had been refused.
    """

    def __init__(self, dut: HierarchyObject, name: str, *, rate: float = 1.0, seed: int = 0) -> None:
        self.dut, self.name, self.rate = dut, name, rate
        self.got: list[int] = []
        self.cycles: list[int] = []
        self.violations: list[int] = []
        self.cycle = 0
        self._random = random.Random(seed)
        self._ports = [getattr(dut, f"{name}__{port}") for port in ("payload", "valid", "ready")]

    async def run(self, cycles: int) -> None:
        """Take what comes for a number of cycles."""
        payload, valid, ready = self._ports
        refused: int | None = None
        for _ in range(cycles):
            await FallingEdge(self.dut.clk)
            take = self._random.random() < self.rate
            ready.value = int(take)
            await ReadOnly()
            offered = int(payload.value) if int(valid.value) else None
            if refused is not None and offered != refused:
                self.violations.append(self.cycle)
            refused = None if take else offered
            if take and offered is not None:
                self.got.append(offered)
                self.cycles.append(self.cycle)
            self.cycle += 1


async def exchange(
    dut: HierarchyObject, inputs: Sequence[int], cycles: int, rates: tuple[float, float] = (1.0, 1.0), seed: int = 0
) -> tuple[StreamSource, StreamSink]:
    """Send `inputs` into port ``inp`` and take from ``out`` for so many cycles; `rates` of offering and of taking."""
    source = StreamSource(dut, "inp", rate=rates[0], seed=seed)
    sink = StreamSink(dut, "out", rate=rates[1], seed=seed + 1)
    receiving = cocotb.start_soon(sink.run(cycles))
    sending = cocotb.start_soon(source.send(inputs))
    await receiving
    sending.cancel()
    return source, sink


async def reset_after(dut: HierarchyObject, inputs: Sequence[int], cycles: int) -> None:
    """Begin a run whose results nobody takes, reset in its midst, and check that nothing of it is left."""
    sink, source = StreamSink(dut, "out", rate=0.0), StreamSource(dut, "inp")
    await reset(dut)
    sending = cocotb.start_soon(source.send(inputs))
    await sink.run(cycles)
    sending.cancel()
    await FallingEdge(dut.clk)
    dut.inp__valid.value = 0
    await reset(dut)
    await ReadOnly()
    assert int(dut.out__valid.value) == 0, f"a result survived the reset after {cycles} cycles"
    assert int(dut.inp__ready.value) == 1, f"no input is taken after the reset after {cycles} cycles"
    await FallingEdge(dut.clk)


class PlainPort:
    """Drives and records a design without handshake, one value a cycle.

    Args:
        dut: the design.   source, sink: names of its input and output port.
    """

    def __init__(self, dut: HierarchyObject, source: str = "codes_in", sink: str = "codes_out") -> None:
        self.dut, self._source, self._sink = dut, getattr(dut, source), getattr(dut, sink)

    async def stream(self, values: Sequence[int], extra: int = 0) -> list[int]:
        """Output value of every cycle while `values` enter one a cycle, and of `extra` cycles after them."""
        seen = []
        for i in range(len(values) + extra):
            await FallingEdge(self.dut.clk)
            if i < len(values):
                self._source.value = values[i]
            await ReadOnly()
            seen.append(int(self._sink.value))
        return seen
