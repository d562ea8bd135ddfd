"""X-ResQ from radio channel to annealer and FPGA: what runs in which profile, in order.

quick: the Ising form exact and fast → kernels beside their peers → six copies on the annealer's stand-in → the
detectors in software, the time each takes, and up to 1024 × 1024 → RTL equal to its model → plots. full takes more
errors and more vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from benches.runner import Context
from benches.xresq import annealer, chip, digital, effort, embedding, kernels, mapping, plots, scaling

Readout = Literal["all", "winner"]


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        rounds: timed rounds.
        reads, few_reads: reads of a copy at the paper's point, and in the read-limited regime.
        snrs: SNRs in dB of the annealer's link.
        qpu_chunks, min_vectors: limits of its Monte Carlo, chunks of 80 vectors.
        tune_chunks, level_chunks: chunks of 40 and 80 vectors that choose s_p, and that compare numbers of levels.
        curve_errors, curve_chunks: exact-ML bit errors, and chunks of 1000 vectors, of the detectors' curves.
        effort_chunks: chunks of 250, 125 and 25 vectors of the time to BER at 4 × 6, 16 × 16 and 64 × 64.
        effort_qpu_chunks: chunks of 80 vectors of the time to BER on the annealer.
        scaling_chunks: chunks of 1000, 125, 25, 4 and 1 vectors from 4 × 6 to 1024 × 1024.
        chunks_64: chunks of 125 vectors at 64 × 64.
        trials_1024: vectors at 1024 × 1024.
        structured_sweeps: sweeps of the timed reverse anneal at 1024 × 1024.
        speed: measure kernels beside their peers.
        rtl_runs: channels through the RTL of each size. rtl_large: the 16 × 16 detector too.
        chip_vectors: vectors of the chip's error rate.
        synthesis: LUTs, flip-flops and a placed clock.
    """

    rounds: int = 5
    reads: int = 100
    few_reads: int = 12
    snrs: str = "12 14 16 17"
    qpu_chunks: int = 40
    min_vectors: int = 320
    tune_chunks: int = 6
    level_chunks: int = 20
    curve_errors: int = 200
    curve_chunks: int = 8
    effort_chunks: tuple[int, ...] = (16, 8, 8)
    effort_qpu_chunks: int = 8
    scaling_chunks: tuple[int, ...] = (4, 8, 16, 24, 32)
    chunks_64: int = 32
    trials_1024: int = 4
    structured_sweeps: int = 10
    speed: bool = True
    rtl_runs: int = 100
    rtl_large: bool = True
    chip_vectors: int = 1000
    synthesis: bool = False


PROFILES = {
    "smoke": Config(
        rounds=2, snrs="14", reads=20, qpu_chunks=1, min_vectors=40, tune_chunks=1, level_chunks=1, curve_chunks=1,
        curve_errors=20, effort_chunks=(1,), effort_qpu_chunks=1, scaling_chunks=(1, 1), chunks_64=0, trials_1024=0,
        speed=False, rtl_runs=10, rtl_large=False, chip_vectors=100,
    ),
    "quick": Config(),
    "full": Config(
        curve_errors=400, curve_chunks=16, effort_chunks=(24, 8, 12), effort_qpu_chunks=12,
        scaling_chunks=(16, 64, 120, 96, 72), chunks_64=40, trials_1024=400, level_chunks=30, chip_vectors=4000,
        synthesis=True,
    ),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    config = ctx.config
    ctx.record_data("channels", "embedded", "i.i.d. Rayleigh, SNR = Nt·Es/N0 at a receive antenna, numpy's PCG64")
    with ctx.stage("Ising form and embeddings") as stage:
        if stage.todo:
            mapping.measure(ctx)
            embedding.measure(ctx)
            annealer.times(ctx)
    drawn: dict[str, Any] = {}
    if config.speed:
        with ctx.stage("kernels beside their peers") as stage:
            if stage.todo:
                stage.outcome = kernels.measure(ctx, stage.progress)
        drawn["kernels"] = stage.outcome
    drawn |= _annealer(ctx)
    with ctx.stage("detectors in software") as stage:
        if stage.todo:
            stage.outcome = digital.curves(ctx)
    drawn["digital"] = stage.outcome
    drawn["effort"] = _effort(ctx, drawn.pop("s_p"))
    with ctx.stage("from 4 × 6 to 1024 × 1024") as stage:
        if stage.todo:
            stage.outcome = scaling.measure(ctx)
    scaling.tabulate(ctx, stage.outcome)
    drawn["scaling"] = stage.outcome
    if config.chunks_64 and config.trials_1024:
        with ctx.stage("64 × 64 and 1024 × 1024") as stage:
            if stage.todo:
                digital.large(ctx)
    with ctx.stage("RTL beside its cycle model") as stage:
        if stage.todo:
            chip.equality(ctx, stage.progress)
            chip.detection(ctx)
    if config.synthesis:
        with ctx.stage("synthesis") as stage:
            if stage.todo:
                chip.synthesis(ctx)
    ctx.kept()
    plots.all_of(ctx, drawn)


def _annealer(ctx: Context[Config]) -> dict[str, Any]:
    """The annealer's stages; what their plots need."""
    with ctx.stage("schedules") as stage:
        if stage.todo:
            stage.outcome = annealer.tune(ctx)
    s_p = stage.outcome
    with ctx.stage("4 × 6, 16-QAM on the annealer") as stage:
        if stage.todo:
            stage.outcome = annealer.link(ctx, s_p["reverse"])
    drawn = {"link": stage.outcome, "s_p": s_p}
    with ctx.stage("few reads") as stage:
        if stage.todo:
            stage.outcome = annealer.read_limited(ctx, s_p)
    return {**drawn, "levels": stage.outcome}


def _effort(ctx: Context[Config], s_p: dict[str, float]) -> list[effort.Panel]:
    """Time to BER on the annealer and in software."""
    with ctx.stage("time to BER") as stage:
        if stage.todo:
            stage.outcome = effort.stored(effort.on_annealer(ctx, s_p) + effort.digital(ctx))
    panels = [effort.Panel(**panel) for panel in stage.outcome]
    effort.tabulate(ctx, panels)
    return panels


def verilog(
    out: Path,
    *,
    users: int = 16,
    bits_per_axis: int = 2,
    replicas: int = 16,
    lanes: int = 16,
    clock_ns: float = 5.0,
    readout: Readout = "all",
) -> Any:
    """Verilog of a detector: sources, constraints, vendor Tcl. `users` complex streams, 2·users real dimensions."""
    from rtl.xresq.export import export

    beat = max(64, 1 << (lanes * bits_per_axis - 1).bit_length())
    arch = replace(
        chip.LARGE, n=2 * users, bits_per_axis=bits_per_axis, replicas=replicas, lanes=lanes, readout=readout,
        beat_bits=max(chip.LARGE.beat_bits, beat),
    )  # fmt: skip
    return export(arch, out, clock_ns=clock_ns)
