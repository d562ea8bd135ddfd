"""The FPGA annealer: RTL equal to its cycle model, its cycles, what it detects, and its size and clock."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benches.runner import Context
from benches.xresq.counts import Counts
from benches.xresq.links import Link
from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.mimo_ising import MimoIsing
from hwsim.xresq.channel import Problems
from hwsim.xresq.chip import problem_from, simulate, simulate_many
from hwsim.xresq.modulation import bits_of_levels, spins_of_levels
from hwsim.xresq.seeds import make_seeds

SWEEPS = 50
SMALL = XresqArch(n=8, replicas=6, lanes=6, beat_bits=64)  # 4 × 6, 16-QAM, six levels
LARGE = XresqArch()  # 16 × 16, 16-QAM, 16 replicas
BRAM = "; block RAM primitives, a RAMB18 and a RAMB36 count one each"
SMALL_LINK, LARGE_LINK = Link(4, 6, "16qam", 16.0), Link(16, 16, "16qam", 22.0)


@cache
def device(arch: XresqArch) -> Any:
    """The detector under Verilator, built once a shape."""
    from rtl.cosim.verilate import Verilated
    from rtl.xresq import build

    return Verilated(build(arch))


def chip_problems(link: Link, arch: XresqArch, seed: int, chunk: int, vectors: int) -> tuple[Problems, list[MimoIsing]]:
    """A chunk of a link as problems for the detector, seeded by fixed-complexity sphere decoding."""
    problems = link.problems(seed, chunk, vectors)
    r = problems.received
    seeds = spins_of_levels(r.mod, make_seeds(r, arch.replicas, "fsd", seed=seed))
    chips = [
        problem_from(r.H[b], r.y[b], float(r.n0[b]), seeds[b], r.mod.bits_per_axis, arch, sweeps=SWEEPS, rng_seed=b)
        for b in range(vectors)
    ]
    return problems, chips


def equality(ctx: Context[Any], progress: Any) -> None:
    """States, energies, acceptance counts, winners and cycles of the RTL against the cycle model."""
    equal = runs = worst = 0
    links = [(SMALL, SMALL_LINK)] + ([(LARGE, LARGE_LINK)] if ctx.config.rtl_large else [])
    for i, (arch, link) in enumerate(links):
        _, problems = chip_problems(link, arch, ctx.seed, 0, ctx.config.rtl_runs)
        same, worst = compare(arch, problems)
        equal, runs = equal + same, runs + len(problems)
        progress(i + 1, len(links), link.name)
    ctx.metric("rtl_equal_runs", equal, "", n=runs, method="states, energies, acceptance counts, winner and cycles")
    ctx.metric("rtl_runs", runs, "")
    if ctx.config.rtl_large:
        method = f"first word in to last word out, worst of {ctx.config.rtl_runs} channels, read off the RTL"
        ctx.metric("rtl_cycles_16x16_16qam", worst, "cycles", n=ctx.config.rtl_runs, method=method)


def compare(arch: XresqArch, problems: list[MimoIsing]) -> tuple[int, int]:
    """(runs in which RTL and cycle model agree in everything, most cycles of a run in the RTL)."""
    from rtl.xresq.cosim import stream

    outcome = stream(device(arch), arch, problems)
    equal = 0
    for problem, got, cycles in zip(problems, outcome.records, outcome.cycles, strict=True):
        want = simulate(problem, arch)
        pairs = ((got.energies, want.energies), (got.accepts, want.accepts), (got.spins, want.spins))
        same = all(a is not None and np.array_equal(a, b) for a, b in pairs)
        winner = (got.winner, got.energy, cycles) == (want.winner, want.energies[want.winner], want.cycles)
        equal += same and winner
    return equal, max(outcome.cycles)


def detection(ctx: Context[Any]) -> None:
    """Bit error rate of the 16 × 16 chip, in its integers."""
    problems, chips = chip_problems(LARGE_LINK, LARGE, ctx.seed, 1, ctx.config.chip_vectors)
    best = simulate_many(chips, LARGE).best
    levels = np.concatenate([chip.points(row[None]) for chip, row in zip(chips, best, strict=True)])
    wrong = (bits_of_levels(problems.received.mod, levels) != problems.bits).sum(axis=1)
    counts = Counts.of(wrong, problems.bits.shape[1])
    figure = counts.ber(burst=4.0)
    method = f"cycle model, {SWEEPS} sweeps; {figure.method}"
    ctx.metric("chip_ber_16x16_16qam_22db", figure, "", method=method)


def synthesis(ctx: Context[Any]) -> None:
    """LUTs, flip-flops and block RAMs of both detectors; clock of the small one, placed and routed on an ECP5."""
    from rtl.lib.verilog import to_verilog
    from rtl.synth.nextpnr import place
    from rtl.synth.yosys import synthesize
    from rtl.xresq import build

    for size, arch in (("4x6", SMALL), ("16x16", LARGE)):
        report = synthesize(to_verilog(build(arch), "xresq").sources, "xresq", "xcup", timeout_s=1800)
        method = f"{report.tool} {report.version}, {report.device}; {arch.replicas} replicas on {arch.lanes} lanes"
        cells = (("lut", report.lut_total, ""), ("ff", report.ff, ""), ("bram", report.bram, BRAM))
        for name, value, remark in cells:
            if value is not None:
                ctx.metric(f"chip_{name}_{size}_16qam", value, "", method=method + remark)
    small = place(to_verilog(build(SMALL), "xresq").sources, "xresq", timeout_s=1200)
    if small.fmax_mhz is not None:
        method = f"{small.tool} {small.version}, {small.device}; {SMALL.replicas} replicas on {SMALL.lanes} lanes"
        ctx.metric("chip_fmax_4x6_ecp5", small.fmax_mhz, "MHz", method=method)
