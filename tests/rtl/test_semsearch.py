"""The Hamming scorer in RTL against its cycle model: neighbours, distances and cycles, with pauses on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwsim.ir.arch.semsearch import HammingArch
from hwsim.semsearch.scorer import scan
from rtl.cosim.toolchain import lint
from rtl.cosim.verilate import Verilated
from rtl.lib.verilog import to_verilog
from rtl.semsearch import FewPins, build
from rtl.semsearch.cosim import stream

pytestmark = pytest.mark.rtl
SIZES = {
    "one beat": HammingArch(96, 96, k=4, index_bits=7, register_every=1),
    "three beats": HammingArch(96, 32, k=5, index_bits=7, register_every=2),
    "no registers, one place": HammingArch(64, 64, k=1, index_bits=7, register_every=0),
    "384 bits": HammingArch(index_bits=7),
}


@pytest.mark.parametrize("name", SIZES)
def test_drawn_runs(name):
    arch, rng = SIZES[name], np.random.default_rng(5)
    design = to_verilog(build(arch), "dut")
    assert lint(design) == ""
    dut = Verilated(design, optimise="-O0")
    codes = rng.integers(0, 2, (6, arch.bits))
    runs = [
        (rng.integers(0, 2, arch.bits), codes[rng.integers(0, 6, n)] if n % 2 else rng.integers(0, 2, (n, arch.bits)))
        for n in (1, 2, 11, 40, 3, 128)
    ]
    want = [scan(query[None], documents, arch, priced=0) for query, documents in runs]
    for seed, rates in enumerate([(1.0, 1.0), (0.5, 0.5), (1.0, 0.2), (0.3, 1.0)]):
        outcome = stream(dut, arch, runs, rates, seed)
        assert [n.tolist() for n in outcome.numbers] == [one.outputs[0].tolist() for one in want]
        assert [d.tolist() for d in outcome.distances] == [one.distances[0].tolist() for one in want]
        if rates == (1.0, 1.0):
            assert outcome.cycles == [one.cycles for one in want]


def test_all_distances():
    """From 0 to all bits, in every order of arrival."""
    arch = HammingArch(32, 32, k=33, index_bits=6, register_every=0)
    dut = Verilated(build(arch), optimise="-O0")
    steps = np.tri(33, 32, -1, dtype=int)
    for order in (np.arange(33), np.arange(33)[::-1], np.random.default_rng(0).permutation(33)):
        outcome = stream(dut, arch, [(np.zeros(32, int), steps[order])])
        assert outcome.distances[0].tolist() == list(range(33))
        assert outcome.numbers[0].tolist() == np.argsort(order).tolist()


def test_few_pins_hold_the_whole_scorer():
    """Behind two pins: the parity of what the scorer says to the same inputs, three edges later."""
    arch, rng = HammingArch(32, 32, k=2, index_bits=4, register_every=0), np.random.default_rng(3)
    used = arch.beat_bits + 2
    bits = rng.integers(0, 2, 400).tolist()
    few, alone, seen = FewPins(arch), build(arch), []

    async def pins(ctx):
        found = []
        for bit in bits:
            ctx.set(few.d, bit)
            await ctx.tick()
            found.append(ctx.get(few.q))
        seen.append(found)

    async def whole(ctx):
        found, shift = [], 0
        for bit in bits:
            payload = shift & (1 << used) - 1
            ctx.set(alone.inp.payload.as_value(), payload)
            ctx.set(alone.inp.valid, shift >> used & 1)
            ctx.set(alone.out.ready, shift >> used + 1 & 1)
            out = [ctx.get(x) for x in (alone.out.payload.as_value(), alone.inp.ready, alone.out.valid)]
            found.append(sum(int(x).bit_count() for x in out) % 2)
            await ctx.tick()
            shift = (shift << 1 | bit) & (1 << used + 2) - 1
        seen.append(found)

    for dut, bench in ((few, pins), (alone, whole)):
        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
    assert seen[0][3:] == seen[1][1:-2]
    assert 0 < sum(seen[0]) < len(bits)
