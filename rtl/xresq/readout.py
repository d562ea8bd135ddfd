"""From the lanes to the output stream: the lowest energy, every replica's figures, and the winner's record."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.xresq import XresqArch
from rtl.lib.streams import StreamFifo
from rtl.xresq.loader import beat_layout


class Packer(wiring.Component):
    """Collects items of `bits` bits in a beat; gives the beat away when it is full, or after the last item.

    Ports:
        put, item, last: an item, and whether it is the last one.   full, beat: one cycle later; unused places are 0.
    """

    def __init__(self, bits: int, beat_bits: int) -> None:
        self.places = beat_bits // bits
        super().__init__({"put": In(1), "item": In(bits), "last": In(1), "full": Out(1), "beat": Out(beat_bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, bits = Signal(range(max(2, self.places))), len(self.item)
        end = Signal()
        m.d.comb += end.eq(self.put & (self.last | (place == self.places - 1)))
        m.d.sync += self.full.eq(end)
        with m.If(self.put):
            m.d.sync += place.eq(Mux(end, 0, place + 1))
        with m.If(self.full):
            m.d.sync += self.beat.eq(0)
        for i in range(self.places):
            with m.If(self.put & (place == i)):
                m.d.sync += self.beat[i * bits : (i + 1) * bits].eq(self.item)
        return m


class Readout(wiring.Component):
    """Finds the winner while the last states pass, then reads out; its inputs belong to stage D+U+4.

    The result waits in a buffer that holds all of it, so that the lanes never wait for the sink.

    Ports:
        scan: a slot of the part "drain".   out: a slot of the part "out".
        dim, context, last: of the slot; in "drain" lane i is looked at in dimension i.
        energies, accepts, bits: of all lanes.
        stream: results.   empty: the buffer holds nothing.   done: in the cycle in which a result is complete.
    """

    def __init__(self, arch: XresqArch) -> None:
        self.arch = arch
        lanes = arch.lanes
        super().__init__({
            "scan": In(1), "out": In(1), "last": In(1), "dim": In(range(arch.n)),
            "context": In(range(max(2, arch.contexts))),
            "energies": In(lanes * arch.energy_bits), "accepts": In(lanes * arch.accept_bits),
            "bits": In(lanes * arch.bits_per_axis),
            "stream": Out(stream.Signature(beat_layout(arch))), "empty": Out(1), "done": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, arch = Module(), self.arch
        depth = max(4, arch.result_beats + 1)
        m.submodules.buffer = self._buffer = buffer = StreamFifo(beat_layout(arch), depth)
        wiring.connect(m, buffer.out, wiring.flipped(self.stream))
        m.d.comb += self.empty.eq(buffer.level == 0)
        winner = self._scan(m)
        record = self._record(m, winner)
        pushes = [record]
        if arch.readout == "all":
            pushes += [(packer.full, packer.beat) for packer in self._packers]
        for valid, beat in pushes:
            with m.If(valid):
                m.d.comb += [buffer.inp.valid.eq(1), buffer.inp.payload.as_value().eq(beat)]
        return m

    def _scan(self, m: Module) -> dict[str, Signal]:
        """One replica a cycle; a later one wins only if its energy is lower."""
        arch = self.arch
        energy, count = Signal(signed(arch.energy_bits)), Signal(arch.accept_bits)
        here = Signal()
        index = Signal(range(max(2, arch.replicas)))
        lane = Signal(range(max(2, arch.lanes)))
        context = Signal.like(self.context)
        low = lane[:] if arch.lanes > 1 else Const(0, 1)
        m.d.sync += [
            here.eq(self.scan & (self.dim < arch.lanes)),
            lane.eq(self.dim), context.eq(self.context),
            energy.eq(self.energies.word_select(self.dim[: len(low)], arch.energy_bits).as_signed()),
            count.eq(self.accepts.word_select(self.dim[: len(low)], arch.accept_bits)),
        ]  # fmt: skip
        winner = {
            "energy": Signal(signed(arch.energy_bits), name="winner_energy"),
            "index": Signal.like(index, name="winner_index"), "lane": Signal.like(lane, name="winner_lane"),
            "context": Signal.like(context, name="winner_context"),
        }  # fmt: skip
        with m.If(here):
            m.d.sync += index.eq(Mux(index == arch.replicas - 1, 0, index + 1))
            with m.If((index == 0) | (energy < winner["energy"])):
                found = {"energy": energy, "index": index, "lane": lane, "context": context}
                m.d.sync += [winner[name].eq(value) for name, value in found.items()]
        if arch.readout == "all":
            m.submodules.pairs = pairs = Packer(64, arch.beat_bits)
            m.submodules.planes = planes = Packer(arch.plane_bits, arch.beat_bits)
            self._packers = (pairs, planes)
            wide = Cat(energy, energy[-1].replicate(32 - len(energy)), count)
            m.d.comb += [pairs.put.eq(here), pairs.item.eq(wide), pairs.last.eq(index == arch.replicas - 1)]
        return winner

    def _record(self, m: Module, winner: dict[str, Signal]) -> tuple[Signal, Signal]:
        """Spins of the winner are picked from the planes, then its record leaves, beat by beat."""
        arch, k = self.arch, self.arch.bits_per_axis
        plane, out, last = Signal(len(self.bits)), Signal(), Signal()
        context = Signal.like(self.context)
        m.d.sync += [plane.eq(self.bits), out.eq(self.out), context.eq(self.context)]
        m.d.sync += last.eq(self.last & (self.context == arch.contexts - 1))
        if arch.readout == "all":
            planes = self._packers[1]
            m.d.comb += [planes.put.eq(out), planes.item.eq(plane), planes.last.eq(last)]
        bits = [Signal(arch.n, name=f"winner_bits{j}") for j in range(k)]
        mine = plane.word_select(winner["lane"], k) if arch.lanes > 1 else plane
        natural = [mine[j] for j in range(k)]
        coded = [natural[j] ^ natural[j - 1] if arch.gray and j else natural[j] for j in range(k)]
        with m.If(out & (context == winner["context"])):
            m.d.sync += [target.eq(Cat(target, bit)[1:]) for target, bit in zip(bits, coded, strict=True)]
        words = arch.winner_beats
        energy = winner["energy"]
        wide = Cat(energy, energy[-1].replicate(32 - len(energy)), winner["index"])
        record = Signal(words * arch.beat_bits)
        m.d.comb += record.eq(Cat(wide, Const(0, 64 - len(wide)), *bits))
        sending, word = Signal(2), Signal(range(words + 1))  # the planes' last beat goes first
        m.d.sync += sending[0].eq(out & last)
        with m.If(sending[0]):
            m.d.sync += [sending[1].eq(1), word.eq(0)]
        with m.If(sending[1]):
            m.d.sync += word.eq(word + 1)
            with m.If(word == words - 1):
                m.d.sync += sending[1].eq(0)
                m.d.comb += self.done.eq(1)
        beat = record.word_select(word[: max(1, (words - 1).bit_length())], arch.beat_bits)
        return sending[1], beat if words > 1 else record
