"""What a problem passes through before the lanes: the input stream, its memories, and the order of slots.

`Loader` takes the beats of a problem, section by section, into memories; then `Sequencer` runs through the slots of
five parts (fields, seeds, sweeps, last states, readout) and deals out what the lanes need, without ever waiting.
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.xresq import XresqArch


def beat_layout(arch: XresqArch) -> data.ArrayLayout:
    """Payload of both streams: 32-bit words, the least significant one first."""
    return data.ArrayLayout(32, arch.beat_bits // 32)


def list_depth(arch: XresqArch) -> int:
    """Beats of z, seeds and the longest schedule, which share a memory, and one that is only looked ahead at."""
    sections = arch.load_sections
    return sections["matched"] + sections["seeds"] + arch.beats(arch.max_sweeps, 16) + 1


class Loader(wiring.Component):
    """Takes one problem; then raises `loaded` and refuses beats until `release`.

    Ports:
        inp: stream of beats.   loaded, release: a problem is there, take the next one.   sweeps: of the problem.
        rng_load [L], rng_words: load pulses of the lanes, and the beat with their words.
        list_address → list_beat: one cycle later.   row_address → row: G_i, n words, one cycle later.
        diagonal_address → diagonal: G_ii, one cycle later.
    """

    def __init__(self, arch: XresqArch) -> None:
        self.arch = arch
        self.row_beats = arch.beats(arch.n, 16)
        self.words = min(arch.n, arch.beat_bits // 16)  # of G that a beat brings
        super().__init__({
            "inp": In(stream.Signature(beat_layout(arch))), "loaded": Out(1), "release": In(1),
            "sweeps": Out(range(arch.max_sweeps + 1)), "rng_load": Out(arch.lanes), "rng_words": Out(arch.beat_bits),
            "list_address": In(range(list_depth(arch))), "list_beat": Out(arch.beat_bits),
            "row_address": In(range(arch.n)), "row": Out(self.row_beats * self.words * arch.gram_bits),
            "diagonal_address": In(range(arch.n)), "diagonal": Out(arch.gram_bits - 1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, arch = Module(), self.arch
        self._beat, self._take = Signal(arch.beat_bits), Signal()
        m.d.comb += [
            self._beat.eq(self.inp.payload.as_value()),
            self.inp.ready.eq(~self.loaded),
            self._take.eq(self.inp.valid & self.inp.ready),
            self.rng_words.eq(self._beat),
        ]
        section = Signal(5, init=1)  # one-hot: a `case` over states would leave arms open
        header, rng, listed, gram, wait = section
        write = Signal(range(list_depth(arch)))
        i, part = Signal(range(arch.n)), Signal(range(max(2, self.row_beats)))
        enter = [section.eq(1 << target) for target in range(5)]
        self._start(m, header & self._take, rng & self._take, enter)
        with m.If(listed & self._take):
            m.d.sync += write.eq(write + 1)
            with m.If(write + 1 == self._list_beats):
                m.d.sync += [write.eq(0), enter[3]]
        with m.If(gram & self._take):
            m.d.sync += part.eq(part + 1)
            with m.If(part == self.row_beats - 1):
                m.d.sync += [part.eq(0), i.eq(Mux(i == arch.n - 1, 0, i + 1))]
                with m.If(i == arch.n - 1):
                    m.d.sync += enter[4]
        m.d.comb += self.loaded.eq(wait)
        with m.If(wait & self.release):
            m.d.sync += enter[0]
        self._list(m, write, self._take & listed)
        self._rows(m, i, part, self._take & gram)
        return m

    def _start(self, m: Module, header: Value, rng: Value, enter: list[object]) -> None:
        """The first two sections: how many sweeps, and the random states, which go to the lanes."""
        arch, sections = self.arch, self.arch.load_sections
        per_beat, fixed = arch.beat_bits // 16, sections["matched"] + sections["seeds"]
        count = Signal(range(sections["rng"] + 1))
        self._list_beats = Signal(range(list_depth(arch) + 1))
        sweeps = self._beat[: len(self.sweeps)]
        with m.If(header):
            m.d.sync += [self.sweeps.eq(sweeps), count.eq(0), enter[1]]
            m.d.sync += self._list_beats.eq(((sweeps + (per_beat - 1)) >> (per_beat.bit_length() - 1)) + fixed)
        with m.If(rng):
            m.d.sync += count.eq(count + 1)
            with m.If(count == sections["rng"] - 1):
                m.d.sync += enter[2]
            self._load_random(m, count)

    def _load_random(self, m: Module, count: Signal) -> None:
        arch = self.arch
        per_context = arch.beats(arch.lanes, 32)
        for lane in range(arch.lanes):
            mine = lane // (arch.beat_bits // 32)
            hits = [count == c * per_context + mine for c in range(arch.contexts)]
            m.d.comb += self.rng_load[lane].eq(Cat(hits).any())

    def _list(self, m: Module, write: Signal, take: Value) -> None:
        depth = list_depth(self.arch)
        m.submodules.list = store = memory.Memory(shape=self.arch.beat_bits, depth=depth, init=[])
        port, reader = store.write_port(), store.read_port()
        m.d.comb += [port.addr.eq(write), port.data.eq(self._beat), port.en.eq(take)]
        m.d.comb += [reader.addr.eq(self.list_address), reader.en.eq(1), self.list_beat.eq(reader.data)]

    def _rows(self, m: Module, i: Signal, part: Signal, take: Value) -> None:
        """G as it comes: row i begins at its diagonal; a row takes whole beats."""
        arch, width = self.arch, self.words * self.arch.gram_bits
        words = Cat(self._beat[16 * w : 16 * w + arch.gram_bits] for w in range(self.words))
        for chunk in range(self.row_beats):
            store = memory.Memory(shape=width, depth=arch.n, init=[], attrs={"ram_style": "block"})
            m.submodules[f"rows{chunk}"] = store
            port, reader = store.write_port(), store.read_port()
            m.d.comb += [port.addr.eq(i), port.data.eq(words), port.en.eq(take & (part == chunk))]
            m.d.comb += [reader.addr.eq(self.row_address), reader.en.eq(1)]
            m.d.comb += self.row[chunk * width : (chunk + 1) * width].eq(reader.data)
        m.submodules.diagonals = store = memory.Memory(shape=arch.gram_bits - 1, depth=arch.n, init=[])
        port, reader = store.write_port(), store.read_port()
        m.d.comb += [port.addr.eq(i), port.data.eq(words[: arch.gram_bits - 1]), port.en.eq(take & (part == 0))]
        m.d.comb += [reader.addr.eq(self.diagonal_address), reader.en.eq(1), self.diagonal.eq(reader.data)]


class Sequencer(wiring.Component):
    """Counts slots and reads the list memory in step; all outputs belong to stage 0.

    Ports:
        start: begin a run in the next cycle.   sweeps: of the run.
        list_beat, list_address: of `Loader`.
        live, inject, seed, anneal, drain, out: the slot's part (`live` = any).   dim: i.   context: of the slot.
        last: i = n − 1.   matched: z_i.   seed_bits: L·K bits.   mantissa, exponent: of the sweep.
    """

    PARTS = ("inject", "seed", "anneal", "drain", "out")

    def __init__(self, arch: XresqArch) -> None:
        self.arch = arch
        super().__init__({
            "start": In(1), "sweeps": In(range(arch.max_sweeps + 1)), "live": Out(1),
            "list_beat": In(arch.beat_bits), "list_address": Out(range(list_depth(arch))),
            **dict.fromkeys((*self.PARTS, "last"), Out(1)),
            "dim": Out(range(arch.n)), "context": Out(range(max(2, arch.contexts))),
            "matched": Out(signed(arch.field_bits)), "seed_bits": Out(arch.lanes * arch.bits_per_axis),
            "mantissa": Out(arch.mantissa_bits), "exponent": Out(arch.exponent_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, arch = Module(), self.arch
        turn, sweep_end = Signal(), Signal()
        left = Signal(range(arch.max_sweeps + 1))
        m.d.comb += [
            self.last.eq(self.dim == arch.n - 1),
            turn.eq(self.context == arch.contexts - 1),
            sweep_end.eq(turn & self.last),
        ]
        enter = Signal()  # the first item of a part is taken from a new beat
        with m.If(self.live):
            m.d.sync += self.context.eq(Mux(turn, 0, self.context + 1))
            with m.If(turn):
                m.d.sync += self.dim.eq(Mux(self.last, 0, self.dim + 1))
        part = Signal(len(self.PARTS))  # one-hot; none: idle
        m.d.comb += [Cat(getattr(self, name) for name in self.PARTS).eq(part), self.live.eq(part.any())]
        with m.If(self.start):
            m.d.sync += [self.dim.eq(0), self.context.eq(0), left.eq(self.sweeps), part.eq(1)]
        with m.If(sweep_end & self.live):
            m.d.sync += part.eq(part << 1)  # after the last one: idle
            with m.If(self.anneal):
                m.d.sync += left.eq(left - 1)
                with m.If(left != 1):
                    m.d.sync += part.eq(part)
            with m.If(self.seed & (left == 0)):  # there may be no sweep at all
                m.d.sync += part.eq(1 << self.PARTS.index("drain"))
        m.d.comb += enter.eq(self.start | (sweep_end & (self.inject | self.seed)))
        self._list(m, enter, turn, sweep_end)
        return m

    def _list(self, m: Module, enter: Signal, turn: Signal, sweep_end: Signal) -> None:
        """The beat in use is a shift register; an item leaves it at its part's pace."""
        arch = self.arch
        beat, address = Signal(arch.beat_bits, reset_less=True), Signal.like(self.list_address)
        item = Signal(range(arch.beat_bits // min(16, arch.plane_bits)))
        take = Signal()
        following = [(self.inject & turn, 32), (self.seed, arch.plane_bits), (self.anneal & sweep_end, 16)]
        for step, bits in following:
            with m.If(step):
                m.d.sync += [beat.eq(beat >> bits if bits < arch.beat_bits else 0), item.eq(item + 1)]
                with m.If(item == arch.beat_bits // bits - 1):
                    m.d.comb += take.eq(1)
        with m.If(enter):
            m.d.comb += take.eq(1)
        with m.If(take):
            m.d.sync += [beat.eq(self.list_beat), item.eq(0), address.eq(self.list_address)]
        with m.If(~self.live & ~self.start):
            m.d.sync += address.eq(0)
        m.d.comb += [
            self.list_address.eq(Mux(take, address + 1, address)),
            self.matched.eq(beat[: arch.field_bits].as_signed()),
            self.seed_bits.eq(beat[: arch.lanes * arch.bits_per_axis]),
            self.mantissa.eq(beat[: arch.mantissa_bits]),
            self.exponent.eq(beat[8 : 8 + arch.exponent_bits]),
        ]


def delayed(m: Module, value: Signal, cycles: int, name: str) -> list[Signal]:
    """`value` at stages 0 … cycles."""
    out = [value]
    for i in range(1, cycles + 1):
        register = Signal.like(value, name=f"{name}_{i}")
        m.d.sync += register.eq(out[-1])
        out.append(register)
    return out
