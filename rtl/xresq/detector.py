"""`build(arch)`: the reverse-annealing MIMO detector as one component between two streams."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.xresq import FRONT_STAGES, XresqArch
from rtl.xresq.lane import Lane, odd_multiples, row_bits
from rtl.xresq.loader import Loader, Sequencer, beat_layout, delayed
from rtl.xresq.readout import Readout


def build(arch: XresqArch | None = None) -> Detector:
    """The detector of an architecture; default `XresqArch()`: 16×16 16-QAM, 16 replicas on 16 lanes.

    Example:
        >>> build(XresqArch(n=4, bits_per_axis=1, replicas=2, lanes=2)).arch.cycles(10)
        83
    """
    return Detector(arch or XresqArch())


class Detector(wiring.Component):
    """Takes problems (`XresqArch.pack`) and gives results (`XresqArch.unpack`), one at a time.

    A problem is loaded, run and read out in `arch.cycles(sweeps)` cycles, whatever its data. The next one can be
    loaded while a result waits; it starts when the result is gone.

    Ports:
        inp: In(stream of `beat_bits`-bit beats).   out: Out(stream of `beat_bits`-bit beats).
        clk, rst: rising edge; synchronous reset, after which a problem begins anew.
    """

    def __init__(self, arch: XresqArch) -> None:
        self.arch = arch
        beats = stream.Signature(beat_layout(arch))
        super().__init__({"inp": In(beats), "out": Out(beats)})

    def elaborate(self, platform: object) -> Module:
        m, arch = Module(), self.arch
        m.submodules.loader = loader = Loader(arch)
        m.submodules.sequencer = seq = Sequencer(arch)
        m.submodules.readout = readout = Readout(arch)
        wiring.connect(m, wiring.flipped(self.inp), loader.inp)
        wiring.connect(m, readout.stream, wiring.flipped(self.out))
        running = Signal()
        m.d.comb += [
            seq.start.eq(loader.loaded & ~running & readout.empty),
            seq.sweeps.eq(loader.sweeps),
            seq.list_beat.eq(loader.list_beat),
            loader.list_address.eq(seq.list_address),
            loader.release.eq(readout.done),
        ]
        with m.If(seq.start):
            m.d.sync += running.eq(1)
        with m.If(readout.done):
            m.d.sync += running.eq(0)
        self._slots(m, seq)
        rows = self._rows(m, loader)
        self._lanes(m, loader, readout, rows)
        return m

    def _slots(self, m: Module, seq: Sequencer) -> None:
        """Everything that goes with a slot, by stage."""
        u = FRONT_STAGES + self.arch.loop_cuts
        self._u = u
        self._at = {
            "mantissa": delayed(m, seq.mantissa, 3, "mantissa"), "exponent": delayed(m, seq.exponent, 4, "exponent"),
            "dim": delayed(m, seq.dim, u + 4, "dim"), "context": delayed(m, seq.context, u + 4, "context"),
            "inject": delayed(m, seq.inject, u + 3, "inject"), "seed": delayed(m, seq.seed, u + 4, "seed"),
            "anneal": delayed(m, seq.anneal, u + 4, "anneal"), "drain": delayed(m, seq.drain, u + 4, "drain"),
            "out": delayed(m, seq.out, u + 4, "out"), "last": delayed(m, seq.last, u + 4, "last"),
            "matched": delayed(m, seq.matched, u, "matched"),
            "seed_bits": delayed(m, seq.seed_bits, FRONT_STAGES - 1, "seed_bits"), "live": [seq.live],
        }  # fmt: skip

    def _rows(self, m: Module, loader: Loader) -> Value:
        """Odd multiples of the row at stage D+U: 2G, 6G, … while annealing, G, 3G, … for the seeds."""
        arch, at, u = self.arch, self._at, self._u
        width, bits = row_bits(arch), arch.gram_bits
        row = Signal(arch.n * bits, reset_less=True)
        m.d.comb += [loader.row_address.eq(at["dim"][u - 3]), loader.diagonal_address.eq(at["dim"][3])]
        m.d.sync += row.eq(loader.row[: arch.n * bits])
        multiples = []
        for odd in odd_multiples(arch):
            for j in range(arch.n):
                word = row[j * bits : (j + 1) * bits].as_signed()
                multiple = Signal(width, name=f"row{odd}_{j}", reset_less=True)
                scaled = sum(((word << b) for b in range(1, odd.bit_length()) if odd >> b & 1), word)
                m.d.sync += multiple.eq(Mux(at["seed"][u - 1], scaled, scaled << 1))
                multiples.append(multiple)
        return Cat(*multiples)

    def _lanes(self, m: Module, loader: Loader, readout: Readout, rows: Value) -> None:
        arch, at, u, k = self.arch, self._at, self._u, self.arch.bits_per_axis
        diagonal = delayed(m, loader.diagonal, 2, "diagonal")
        before = FRONT_STAGES - 1
        shared = {
            "live": at["live"][0], "draw": at["anneal"][0], "mantissa": at["mantissa"][3],
            "exponent": at["exponent"][4], "diagonal": diagonal[1], "diagonal_next": diagonal[2],
            "anneal": at["anneal"][before], "seed": at["seed"][before],
            "seed_now": at["seed"][FRONT_STAGES + (1 if arch.loop_cuts == 2 else 0)],
            "matched": at["matched"][u], "inject": at["inject"][u], "rows": rows, "clear": at["inject"][u + 3],
            "anneal_e": at["anneal"][u + 3], "unit": ~at["seed"][u + 3], "last": at["last"][u + 4],
            "first": at["seed"][u + 4],
        }  # fmt: skip
        per_beat = arch.beat_bits // 32
        lanes = []
        for i in range(arch.lanes):
            m.submodules[f"lane{i}"] = lane = Lane(arch)
            m.d.comb += [getattr(lane, name).eq(value) for name, value in shared.items()]
            m.d.comb += [
                lane.rng_load.eq(loader.rng_load[i]),
                lane.rng_word.eq(loader.rng_words.word_select(Const(i % per_beat, per_beat.bit_length()), 32)),
                lane.seed_bits.eq(at["seed_bits"][before][i * k : (i + 1) * k]),
            ]
            lanes.append(lane)
        m.d.comb += [
            readout.scan.eq(at["drain"][u + 4]), readout.out.eq(at["out"][u + 4]), readout.last.eq(at["last"][u + 4]),
            readout.dim.eq(at["dim"][u + 4]), readout.context.eq(at["context"][u + 4]),
            readout.energies.eq(Cat(lane.best_energy for lane in lanes)),
            readout.accepts.eq(Cat(lane.accepts for lane in lanes)),
            readout.bits.eq(Cat(lane.best_bits for lane in lanes)),
        ]  # fmt: skip
