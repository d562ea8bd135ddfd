"""Blocks between two Amaranth streams: a register slice that breaks every path, and a FIFO.

Both pass payloads on in order, losing and doubling none. A transfer happens in each cycle in which valid and ready
are both 1.
"""

from __future__ import annotations

from amaranth import Module, Mux, Shape, Signal
from amaranth.hdl import ShapeLike, ValueLike
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.errors import UsageError


class SkidBuffer(wiring.Component):
    """Register slice: no combinational path from any input to any output, full throughput, latency 1.

    It holds up to two payloads: one at the output, and one (the *skid*) that arrived in the cycle in which the sink
    stopped, before the source could see it.

    Args:
        shape: payload shape.

    Ports:
        inp: In(stream of shape).   out: Out(stream of shape).
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"inp": In(stream.Signature(shape)), "out": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(_bits(self.inp.payload))
        head, skid = Signal(width, reset_less=True), Signal(width, reset_less=True)
        head_full, skid_full = Signal(), Signal()
        m.d.comb += [self.inp.ready.eq(~skid_full), self.out.valid.eq(head_full), _bits(self.out.payload).eq(head)]
        with m.If(~head_full | self.out.ready):  # the head is free from the next edge on
            m.d.sync += [
                head.eq(Mux(skid_full, skid, _bits(self.inp.payload))),
                head_full.eq(skid_full | self.inp.valid),
                skid_full.eq(0),
            ]
        with m.Elif(~skid_full):
            m.d.sync += [skid.eq(_bits(self.inp.payload)), skid_full.eq(self.inp.valid)]
        return m


class StreamFifo(wiring.Component):
    """First-in first-out queue of `depth` payloads between two streams, in one clock domain.

    A payload is visible at the output two cycles after it went in (one to the memory, one to the output register,
    which is one of the `depth` places). One payload passes each cycle; at depth 2, one every second cycle.

    Args:
        shape: payload shape.
        depth: payloads that fit, 2 or more.

    Ports:
        inp: In(stream of shape).   out: Out(stream of shape).   level: Out(range(depth + 1)), payloads held.

    Raises:
        UsageError: a depth below 2.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if depth < 2:
            raise UsageError.of("FIFO depth", depth, "2 or more", "Use SkidBuffer for a single place.")
        self.depth = depth
        level = Shape.cast(range(depth + 1))
        super().__init__({"inp": In(stream.Signature(shape)), "out": Out(stream.Signature(shape)), "level": Out(level)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(_bits(self.inp.payload))
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=self.depth)
        m.d.comb += [
            queue.w_data.eq(_bits(self.inp.payload)),
            queue.w_en.eq(self.inp.valid),
            self.inp.ready.eq(queue.w_rdy),
            _bits(self.out.payload).eq(queue.r_data),
            queue.r_en.eq(self.out.ready),
            self.out.valid.eq(queue.r_rdy),
            self.level.eq(queue.level),
        ]
        return m


def _bits(payload: ValueLike) -> Signal:
    return payload.as_value() if hasattr(payload, "as_value") else payload
