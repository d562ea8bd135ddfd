"""The event log: every event and spike of a sample, in order; log l + 1 follows log l without a gap."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import Plan
from rtl.evsnn.ram import Ram


class EventLog(wiring.Component):
    """A memory of `log_depth` events with a write pointer.

    An event that finds the log full is dropped and raises `overflow`, until `clear` or reset.

    Ports:
        write, address, tick: append an event.   value: its value (a plan with `value_bits`).
        restart: the next event is the first of a sample.
        head: events held, before this cycle's; `after`: with it.
        read_at → read_address, read_tick, read_value: one cycle later.   clear, overflow: see above.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        level = range(plan.arch.log_depth + 1)
        super().__init__({
            "write": In(1), "address": In(plan.address_bits), "tick": In(plan.tick_bits), "restart": In(1),
            "head": Out(level), "after": Out(level), "read_at": In(level), "clear": In(1), "overflow": Out(1),
            "read_address": Out(plan.address_bits), "read_tick": Out(plan.tick_bits),
            **({"value": In(signed(plan.value_bits)), "read_value": Out(signed(plan.value_bits))}
               if plan.value_bits else {}),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, plan, depth = Module(), self.plan, max(2, self.plan.arch.log_depth)
        event = [self.address, self.tick, *([self.value] if plan.value_bits else [])]
        found = [self.read_address, self.read_tick, *([self.read_value] if plan.value_bits else [])]
        width = plan.address_bits + plan.tick_bits + plan.value_bits
        ram = Ram(m, "store", width, depth, platform)
        room, index_bits = Signal(), len(ram.read_at)
        m.d.comb += [
            room.eq(self.head != plan.arch.log_depth),
            ram.write_at.eq(self.head[:index_bits]),
            ram.written.eq(Cat(event)),
            ram.write.eq(self.write & room),
            self.after.eq(self.head + (self.write & room)),
            ram.read_at.eq(self.read_at[:index_bits]),
            Cat(found).eq(ram.read),
        ]
        m.d.sync += self.head.eq(self.after)
        with m.If(self.restart):
            m.d.sync += self.head.eq(0)
        with m.If(self.write & ~room):
            m.d.sync += self.overflow.eq(1)
        with m.If(self.clear):
            m.d.sync += self.overflow.eq(0)
        return m
