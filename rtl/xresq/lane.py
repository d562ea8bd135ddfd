"""One lane of the reverse-annealing detector: the datapath of the replicas that it serves.

Everything is a straight pipeline but for the loops, and every loop is a chain of registers through which the lane's
states pass in turn; nothing has an enable, nothing waits. Stages count from a slot's start:

====  =====================================================================================
0     random state steps (xorshift32)
1, 2  −ln(u) is looked up                                         u_k = byte k
3     · mantissa
4     · 2^exponent, / 2^5                                         t_k
5     bound  A_k = ⌊(2^2p G_ii − t_k) / 2^p⌋                      = 2^p G_ii − ⌈t_k / 2^p⌉
6     V_k: the bound for every way that the bits before k may go
D     decision, D = 7: new spin k = +1 when g_i + (V_k ⊕ s_k < 0) ≥ 0
D+U   update: g −= Δx_i G_i, the ring turns by one place          U = `XresqArch.loop_cuts`
+1…4  g_i + g_i', · |Δx|, energy, comparison with the best
====  =====================================================================================

Why one comparison decides: a flip is accepted when D_k < t_k, that is s g_i + A_k < 0. From s = +1 the new spin is
+1 unless g_i + A_k < 0; from s = −1 it is +1 when −g_i + A_k < 0, that is g_i + ~A_k ≥ 0. Both: the sign of
g_i + (A_k ⊕ [s < 0]). A flip of an earlier bit j moves g_i by +2·2^(p_j) s_j G_ii, which moves A_k alike, so all
2^K − 1 comparisons run side by side. A bound of ±2^big forces a decision: seeds enter so.

Energy: ΔE = Δx (Δx G_ii − 2 g_i) = −Δx (g_i + g_i'), with g_i' the updated field.
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.mimo_ising import ROM_FRACTION, ROM_SIZE, minus_log_rom
from hwsim.ir.rng import Xorshift
from rtl.lib.lfsr import next_state

ROM_BITS = 8


def row_bits(arch: XresqArch) -> int:
    """Signed width of a multiple of a row: Δx·G with |Δx| < 2^(K+1)."""
    return arch.gram_bits + arch.bits_per_axis + 1


def odd_multiples(arch: XresqArch) -> range:
    """Multiples of a row that are computed; the even ones are shifts of these."""
    return range(1, 2**arch.bits_per_axis, 2)


def add_sub(a: Value, b: Value, subtract: Value) -> Value:
    """a − b or a + b in one carry chain; the carry enters through an added lowest bit."""
    width = max(len(a), len(b)) + 1
    wide = [Cat(v, v[-1].replicate(width - len(v))) for v in (a, b)]
    total = Cat(Const(1, 1), wide[0]) + Cat(subtract, wide[1] ^ subtract.replicate(width))
    return total[1 : width + 1].as_signed()


class Lane(wiring.Component):
    """Datapath of C replicas; see the module.

    Ports, with the stage at which they belong to a slot (D+U written u):
        rng_load, rng_word: a seed of the lane's next context, before the first slot.
        live@0: the slot is one of a run.   draw@0: it anneals.
        mantissa@3, exponent@4.   diagonal@5, diagonal_next@6: G_ii, the second one stage later.
        anneal@6: decide; otherwise keep the spins, or take `seed_bits` when seed@6.
        seed_now@W, matched@u, inject@u, rows@u: is this the seeds' slot, z_i to put in, multiples of G_i.
        clear@u+3: energy and counter start at 0.   anneal_e@u+3.   unit@u+3: Δx = μ (0) or 2μ (1).
        last@u+4: the sweep's last dimension; first@u+4: this energy is the first one.
        best_energy, accepts, best_bits: of the slot's context at u+4.
    """

    def __init__(self, arch: XresqArch) -> None:
        self.arch = arch
        k, rows = arch.bits_per_axis, arch.n * row_bits(arch) * len(odd_multiples(arch))
        flags = ("rng_load", "live", "draw", "anneal", "seed", "seed_now", "inject", "clear", "anneal_e", "unit")
        super().__init__({
            **dict.fromkeys((*flags, "last", "first"), In(1)),
            "rng_word": In(32), "mantissa": In(arch.mantissa_bits), "exponent": In(arch.exponent_bits),
            "diagonal": In(arch.gram_bits - 1), "diagonal_next": In(arch.gram_bits - 1), "seed_bits": In(k),
            "matched": In(signed(arch.field_bits)), "rows": In(rows),
            "best_energy": Out(signed(arch.energy_bits)), "accepts": Out(arch.accept_bits), "best_bits": Out(k),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._settled = {}
        thresholds = self._thresholds(m)
        old_next = Signal(self.arch.bits_per_axis)  # spins of the slot at stage D−1, 1 = +1
        bounds = self._bounds(m, thresholds, old_next)
        fields, moved = self._fields(m)
        old = self._after(m, old_next, 1, "old")
        new, decided = self._decide(m, fields[0], bounds, old)
        self._turn_spins(m, new, old_next)
        g_old, g_new = self._update(m, fields, moved, decided)
        self._energy(m, g_old, g_new, decided)
        return m

    def _after(self, m: Module, value: Value, cycles: int, name: str) -> Value:
        """`value`, that many registers later."""
        for i in range(cycles):
            register = Signal.like(value, name=f"{name}_{i + 1}", reset_less=True)
            m.d.sync += register.eq(value)
            value = register
        return value

    def _thresholds(self, m: Module) -> list[Value]:
        """Stages 0 to 4: t_k, unsigned, at stage 5."""
        arch = self.arch
        state = [Signal(32, name=f"rng{i}", reset_less=True) for i in range(arch.contexts)]
        stepped = Signal(32)
        m.d.comb += stepped.eq(Mux(self.draw, next_state(Xorshift(), state[-1]), state[-1]))
        with m.If(self.rng_load | self.live):
            m.d.sync += Cat(state).eq(Cat(Mux(self.rng_load, self.rng_word, stepped), *state[:-1]))
        drawn = state[0]  # stage 1
        m.submodules.rom = rom = memory.Memory(
            shape=ROM_BITS, depth=ROM_SIZE, init=minus_log_rom().tolist(), attrs={"ram_style": "block"}
        )
        out = []
        for k in range(arch.bits_per_axis):
            port = rom.read_port()
            product = Signal(ROM_BITS + arch.mantissa_bits, name=f"product{k}", reset_less=True)
            threshold = Signal(arch.threshold_bits, name=f"threshold{k}", reset_less=True)
            m.d.comb += [port.addr.eq(drawn[8 * k : 8 * k + 8]), port.en.eq(1)]
            log = self._after(m, port.data, 1, f"log{k}")  # block RAM is slow to answer
            terms = [Mux(bit, log << b, 0) for b, bit in enumerate(self.mantissa)]
            m.d.sync += product.eq(sum(terms[1:], terms[0]))
            m.d.sync += threshold.eq((product << self.exponent) >> ROM_FRACTION)
            out.append(threshold)
        return out

    def _bounds(self, m: Module, thresholds: list[Value], old: Value) -> list[list[Value]]:
        """Stages 5 and 6: V[k][pattern] at stage D; bit j of a pattern: bit j was flipped."""
        arch = self.arch
        top = arch.bits_per_axis - 1
        width = max(arch.field_bits, arch.gram_bits + arch.bits_per_axis) + 2
        self._bound_bits = width
        out: list[list[Value]] = []
        for k, threshold in enumerate(thresholds):
            p = top - k
            bound = Signal(signed(width), name=f"bound{k}", reset_less=True)
            m.d.sync += bound.eq(((self.diagonal << 2 * p) - threshold) >> p)
            minus = ~old[k]
            ways: list[Value] = [bound]
            for pattern in range(1, 2**k):
                j = pattern.bit_length() - 1
                step = Cat(Const(0, top - j + 1), self.diagonal_next, Const(0, 1)).as_signed()
                ways.append(add_sub(ways[pattern - 2**j], step, minus ^ ~old[j]))
            forced = Mux(Mux(self.seed, ~(self.seed_bits[k] ^ minus), 0), Const(2, 2), Const(1, 2))
            out.append([])
            for pattern, way in enumerate(ways):
                register = Signal(signed(width), name=f"bound{k}_{pattern}", reset_less=True)
                sized = Signal(signed(width), name=f"way{k}_{pattern}")
                m.d.comb += sized.eq(way)
                high = Mux(self.anneal, sized[-2:], forced)
                m.d.sync += register.eq(Cat(sized[:-2], high))
                out[k].append(register)
        return out

    def _decide(self, m: Module, field: Value, bounds: list[list[Value]], old: Value) -> tuple[Value, dict[str, Value]]:
        """Stage D: new spins (at D, or D+1 with two cuts) and Δx, flips at D+U."""
        arch = self.arch
        cuts = arch.loop_cuts
        signs: list[list[Value]] = []
        for k, ways in enumerate(bounds):
            signs.append([])
            for pattern, bound in enumerate(ways):
                total = Signal(signed(max(len(bound), len(field)) + 1), name=f"total{k}_{pattern}")
                mirrored = bound.as_unsigned() ^ (~old[k]).replicate(len(bound))  # a signed ⊕ unsigned would widen
                m.d.comb += total.eq(field + mirrored.as_signed())
                signs[k].append(~total[-1])
        if cuts == 2:
            signs = [
                [self._after(m, sign, 1, f"sign{k}_{pattern}") for pattern, sign in enumerate(row)]
                for k, row in enumerate(signs)
            ]
            old = self._after(m, old, 1, "old_w")
        new = Signal(arch.bits_per_axis)
        for k, row in enumerate(signs):
            choices = row
            for j in reversed(range(k)):
                flipped = new[j] ^ old[j]
                half = len(choices) // 2
                choices = [Mux(flipped, choices[half + i], choices[i]) for i in range(half)]
            m.d.comb += new[k].eq(choices[0])
        decided = self._step_of(m, new, old)
        if cuts:
            decided = {name: self._after(m, value, 1, name) for name, value in decided.items()}
        return new, decided

    def _step_of(self, m: Module, new: Value, old: Value) -> dict[str, Value]:
        """μ = |Δx| / unit, its sign, and how many spins flipped."""
        bits = self.arch.bits_per_axis
        levels = [Cat(reversed(list(v))) for v in (new, old)]  # bit 0 of a spin vector weighs most
        step, size = Signal(signed(bits + 2)), Signal(bits, name="size")
        down = Signal(name="down")
        from_zero = (levels[0] << 1) - (2**bits - 1)  # a seed's point x: the run starts at x = 0
        m.d.comb += step.eq(Mux(self.seed_now, from_zero, levels[0] - levels[1]))
        m.d.comb += [down.eq(step[-1]), size.eq(Mux(down, -step, step))]
        flips = Signal(range(bits + 1), name="flips")
        m.d.comb += flips.eq(sum((new ^ old)[k] for k in range(bits)))
        self._settled["old"] = old
        return {"size": size, "down": down, "flips": flips}

    def _turn_spins(self, m: Module, new: Value, old_next: Value) -> None:
        """Ring of spins: what leaves the decision comes back n·C slots later."""
        bits = self.arch.bits_per_axis
        length = self.arch.slots - 1 - (1 if self.arch.loop_cuts == 2 else 0)
        ring = Signal(length * bits, name="spins", reset_less=True)
        m.d.sync += ring.eq(Cat(ring, new)[bits:])
        m.d.comb += old_next.eq(ring[:bits])

    def _fields(self, m: Module) -> tuple[list[Value], list[Value]]:
        """Fields of the slot at stage D and, `loop_cuts` registers on, at D+U."""
        arch = self.arch
        at_d = [Signal(signed(arch.field_bits), name=f"g{j}", reset_less=True) for j in range(arch.n)]
        at_u = [self._after(m, g, arch.loop_cuts, f"g{j}") for j, g in enumerate(at_d)]
        return at_d, at_u

    def _multiple(self, j: int, size: Value) -> Value:
        """size · row_j, unit included, chosen among shared multiples."""
        width, odd = row_bits(self.arch), odd_multiples(self.arch)
        choices: list[Value] = [Const(0, width)]
        for multiple in range(1, 2**self.arch.bits_per_axis):
            shift = (multiple & -multiple).bit_length() - 1
            start = (odd.index(multiple >> shift) * self.arch.n + j) * width
            choices.append(Cat(Const(0, shift), self.rows[start : start + width])[:width])
        for bit in size:
            choices = [Mux(bit, choices[i + 1], choices[i]) for i in range(0, len(choices), 2)]
        return choices[0]

    def _update(
        self, m: Module, at_d: list[Value], at_u: list[Value], decided: dict[str, Value]
    ) -> tuple[Value, Value]:
        """Stage D+U: new fields, one place further round the ring; returns (g_i, g_i') at D+U+1."""
        arch = self.arch
        up, updated = ~decided["down"], []
        for j, g in enumerate(at_u):
            value = Signal(signed(arch.field_bits), name=f"updated{j}")
            m.d.comb += value.eq(add_sub(g, self._multiple(j, decided["size"]).as_signed(), up))
            updated.append(value)
        turned = [*updated[1:], Mux(self.inject, self.matched, updated[0]).as_signed()]
        waits = arch.contexts - 1 - arch.loop_cuts
        for j, (target, value) in enumerate(zip(at_d, turned, strict=True)):
            m.d.sync += target.eq(self._after(m, value, waits, f"wait{j}"))
        return self._after(m, at_u[0], 1, "g_old"), self._after(m, updated[0], 1, "g_new")

    def _energy(self, m: Module, g_old: Value, g_new: Value, decided: dict[str, Value]) -> None:
        """Stages D+U+1 to D+U+4: energy, acceptances, best energy and best state."""
        arch, chain = self.arch, self.arch.contexts
        size = self._after(m, decided["size"], 2, "size_e")
        down = self._after(m, decided["down"], 3, "down_e")
        flips = self._after(m, decided["flips"], 3, "flips_e")
        both = self._after(m, g_old + g_new, 1, "both")
        terms = [Mux(bit, both << b, 0) for b, bit in enumerate(size)]
        product = self._after(m, sum(terms[1:], terms[0]), 1, "product_e")
        energies = [Signal(signed(arch.energy_bits), name=f"energy{c}", reset_less=True) for c in range(chain)]
        counts = [Signal(arch.accept_bits, name=f"accepts{c}", reset_less=True) for c in range(chain)]
        change = Mux(self.unit, product << 1, product).as_signed()
        for values in (energies, counts):
            m.d.sync += [target.eq(source) for target, source in zip(values[1:], values, strict=False)]
        m.d.sync += energies[0].eq(add_sub(energies[-1], change, ~down))
        m.d.sync += counts[0].eq(counts[-1] + Mux(self.anneal_e, flips, 0))
        with m.If(self.clear):
            m.d.sync += [energies[0].eq(0), counts[0].eq(0)]
        self._best(m, energies[0], counts[0])

    def _best(self, m: Module, energy: Value, count: Value) -> None:
        """Stage D+U+4. A sweep's final spins leave their ring in the next sweep, and are kept then if it was better."""
        arch, bits = self.arch, self.arch.bits_per_axis
        best = [Signal(signed(arch.energy_bits), name=f"best{c}", reset_less=True) for c in range(arch.contexts)]
        better = [Signal(name=f"better{c}", reset_less=True) for c in range(arch.contexts)]
        improved = self.last & (self.first | (energy < best[-1]))
        m.d.sync += best[0].eq(Mux(improved, energy, best[-1]))
        m.d.sync += better[0].eq(Mux(self.last, improved, better[-1]))
        for values in (best, better):
            m.d.sync += [target.eq(source) for target, source in zip(values[1:], values, strict=False)]
        lag = arch.loop_cuts + 4 - (1 if arch.loop_cuts == 2 else 0)
        leaving = self._after(m, self._settled["old"], lag, "leaving")
        ring = Signal(arch.slots * bits, name="best_spins", reset_less=True)
        m.d.sync += ring.eq(Cat(ring, Mux(better[-1], leaving, ring[:bits]))[bits:])
        m.d.comb += [self.best_energy.eq(best[-1]), self.accepts.eq(count), self.best_bits.eq(ring[:bits])]
