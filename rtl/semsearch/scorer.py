"""`build(arch)`: the Hamming scorer between two streams.

One input stream carries a query's beats (flag `QUERY`), then the documents' beats, the last of all with flag `LAST`.
The output stream gives the nearest documents, nearest first; the next query waits until all of them are taken. A query
stays: documents may follow again without one.
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.semsearch import LANE, HammingArch
from rtl.lib.popcount import Popcount


def build(arch: HammingArch | None = None) -> HammingScorer:
    """The scorer of an architecture; default `HammingArch()`: 384 bits a cycle, 10 places.

    Example:
        >>> build(HammingArch(64, 32)).arch.cycles(100)
        215
    """
    return HammingScorer(arch or HammingArch())


class HammingScorer(wiring.Component):
    """XOR, popcount tree, sum over a document's beats, k sorted places.

    Ports:
        inp: In(stream of ArrayLayout(32, W / 32 + 1)): lanes of a beat, then the flags (bit 0 query, bit 1 last).
        out: Out(stream of ArrayLayout(32, 2)): a document's number; its distance, with bit 31 in the last result.
        clk, rst: rising edge; synchronous reset, after which a query comes first.
    """

    def __init__(self, arch: HammingArch) -> None:
        self.arch = arch
        lanes = arch.beat_bits // LANE + 1
        super().__init__({
            "inp": In(stream.Signature(data.ArrayLayout(LANE, lanes))),
            "out": Out(stream.Signature(data.ArrayLayout(LANE, 2))),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, arch = Module(), self.arch
        busy, take, is_query, is_last = Signal(), Signal(), Signal(), Signal()
        payload = self.inp.payload.as_value()
        m.d.comb += [
            self.inp.ready.eq(~busy),
            take.eq(self.inp.valid & ~busy),
            is_query.eq(payload[arch.beat_bits]),
            is_last.eq(payload[arch.beat_bits + 1]),
        ]
        with m.If(take & ~is_query & is_last):
            m.d.sync += busy.eq(1)
        word, first, final = self._word(m, take, is_query, payload[: arch.beat_bits])
        beat = Signal(arch.beat_bits, name="xor_bits", reset_less=True)
        m.submodules.tree = tree = Popcount(arch.beat_bits, arch.register_every).create()
        with m.If(take & ~is_query):
            m.d.sync += beat.eq(payload[: arch.beat_bits] ^ word)
        m.d.comb += tree.bits.eq(beat)
        marks = Cat(take & ~is_query, first, final, final & is_last)
        for i in range(1 + arch.tree_edges):
            held = Signal(4, name=f"marks{i}")
            m.d.sync += held.eq(marks)
            marks = held
        done, ended, distance = self._distance(m, tree.count, marks)
        self._places(m, done, ended, distance, busy)
        return m

    def _word(self, m: Module, take: Value, is_query: Value, bits: Value) -> tuple[Value, Value, Value]:
        """The query's word for this beat; whether the beat is a document's first, and its last."""
        words = [Signal(self.arch.beat_bits, name=f"query{i}", reset_less=True) for i in range(self.arch.words)]
        turn = Signal(range(max(2, self.arch.words)))
        final = turn == self.arch.words - 1
        with m.If(take):
            m.d.sync += turn.eq(Mux(final, 0, turn + 1))
        for i, word in enumerate(words):
            with m.If(take & is_query & (turn == i)):
                m.d.sync += word.eq(bits)
        word = words[0]
        for i, other in enumerate(words[1:], 1):
            word = Mux(turn == i, other, word)
        return word, turn == 0, final

    def _distance(self, m: Module, count: Value, marks: Value) -> tuple[Signal, Signal, Signal]:
        """(a distance is there, it is the last one, the distance), one edge after the tree."""
        valid, first, final, last = marks
        done, ended = Signal(), Signal()
        distance = Signal(self.arch.distance_bits, reset_less=True)
        m.d.sync += [done.eq(valid & final), ended.eq(valid & last)]
        with m.If(valid):
            m.d.sync += distance.eq(Mux(first, 0, distance) + count)
        return done, ended, distance

    def _places(self, m: Module, done: Value, ended: Value, distance: Value, busy: Signal) -> None:
        """Sorted places: a new distance goes before the first larger one; when all are in, they leave in order."""
        arch = self.arch
        number, draining = Signal(arch.index_bits), Signal()
        full = [Signal(name=f"full{i}") for i in range(arch.k)]
        far = [Signal(arch.distance_bits, name=f"distance{i}", reset_less=True) for i in range(arch.k)]
        who = [Signal(arch.index_bits, name=f"number{i}", reset_less=True) for i in range(arch.k)]
        before = [~full[i] | (distance < far[i]) for i in range(arch.k)]
        more = full[1] if arch.k > 1 else 0
        m.d.comb += [
            self.out.valid.eq(draining),
            self.out.payload[0].eq(who[0]),
            self.out.payload[1].eq(Cat(far[0], Signal(LANE - 1 - arch.distance_bits, name="zeros"), ~Value.cast(more))),
        ]
        with m.If(done):
            m.d.sync += [number.eq(Mux(ended, 0, number + 1)), draining.eq(ended)]
            for i in range(arch.k):
                with m.If(before[i]):
                    behind = before[i - 1] if i else 0
                    m.d.sync += [
                        full[i].eq(full[i - 1] | ~behind if i else 1),
                        far[i].eq(Mux(behind, far[i - 1], distance) if i else distance),
                        who[i].eq(Mux(behind, who[i - 1], number) if i else number),
                    ]
        with m.Elif(draining & self.out.ready):
            for i in range(arch.k):
                last = i == arch.k - 1
                m.d.sync += full[i].eq(0 if last else full[i + 1])
                if not last:
                    m.d.sync += [far[i].eq(far[i + 1]), who[i].eq(who[i + 1])]
            with m.If(~Value.cast(more)):
                m.d.sync += [draining.eq(0), busy.eq(0)]
