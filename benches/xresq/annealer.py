"""Figures of the 4 × 6, 16-QAM study on the annealer's stand-in: `benches.xresq.qpu` runs it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from benches import montecarlo
from benches.runner import Context
from benches.xresq import qpu
from benches.xresq.counts import Counts, ratio
from benches.xresq.links import Link, merged
from hwsim.xresq.seeds import make_seeds
from hwsim.xresq.xresq_sampler import anneal_copies

ENOUGH_ERRORS = 200  # exact-ML bit errors that a point needs to count
TARGET = 10.0  # bit/s/Hz
FEWEST_PACKETS = 50
TUNING_SEED = 7919  # added to the run's seed: channels of the schedules' choice
PAPER_READS = 100  # 220 µs in anneals of 2.2 µs


def tune(ctx: Context[Any]) -> dict[str, float]:
    """s_p of the schedules: fewest bit errors on channels that no figure uses.

    ``few`` and ``forward`` have few reads, at 16 dB, the first in a single copy. ``reverse`` has the many reads of the
    paper's point, all copies, and 14 dB, where single answers are hardest to find.
    """
    few = {"reads": ctx.config.few_reads, "seeds": "mmse"}
    many = {"reads": ctx.config.reads, "seeds": "fsd", "levels": qpu.LEVELS, "kind": "reverse"}
    sorts: dict[str, tuple[float, dict[str, Any]]] = {
        "few": (16.0, {**few, "kind": "reverse", "levels": 1}),
        "forward": (16.0, {**few, "kind": "forward", "levels": qpu.LEVELS}),
        "reverse": (14.0, many),
    }
    return {sort: _tuned(ctx, sort, snr_db, method) for sort, (snr_db, method) in sorts.items()}


def _tuned(ctx: Context[Any], sort: str, snr_db: float, method: dict[str, Any]) -> float:
    """The s_p of `qpu.GRID` with the fewest bit errors, recorded as ``s_p_<sort>``."""
    methods = {f"{s_p:g}": {**method, "s_p": s_p} for s_p in qpu.GRID}
    points = [
        {"snr_db": snr_db, "seed": ctx.seed + TUNING_SEED, "vectors": 40, "chunk": chunk, "methods": methods}
        for chunk in range(ctx.config.tune_chunks)
    ]
    errors = [counts.errors for counts in merged(ctx.sweep(qpu.qpu_counts, points)).values()]
    best = qpu.GRID[errors.index(min(errors))]
    method_text = f"fewest of {errors} bit errors on {list(qpu.GRID)}, {snr_db:g} dB, {method['reads']} reads a copy"
    ctx.metric(f"s_p_{sort}", best, "", n=40 * ctx.config.tune_chunks, method=method_text)
    return best


def link(ctx: Context[Any], s_p: float) -> dict[str, Any]:
    """Exact ML, MMSE, ResQ and X-ResQ at the paper's 100 reads a copy, over SNR."""
    reads = ctx.config.reads
    anneal = {"kind": "reverse", "reads": reads, "s_p": s_p}
    methods = {
        "ml": {"kind": "ml"},
        "mmse": {"kind": "mmse"},
        "ra1": {**anneal, "levels": 1, "seeds": "mmse"},
        "ra1_fsd": {**anneal, "levels": 1, "seeds": "fsd"},
        "xresq": {**anneal, "levels": qpu.LEVELS, "seeds": "fsd"},
    }
    snrs = [float(snr) for snr in ctx.config.snrs.split()]
    points = [{"snr_db": snr, "seed": ctx.seed, "vectors": 80, "methods": methods} for snr in snrs]
    rows = montecarlo.until(
        ctx.sweep,
        qpu.qpu_counts,
        points,
        lambda r: merged(r)["ml"].errors >= ENOUGH_ERRORS and merged(r)["ml"].vectors >= ctx.config.min_vectors,
        ctx.config.qpu_chunks,
    )
    counts = dict(zip(snrs, map(merged, rows), strict=True))
    _gap(ctx, counts)
    _efficiency(ctx, counts)
    return {
        name: [[snr, row[name].ber().value, row[name].efficiency().value] for snr, row in counts.items()]
        for name in methods
    }


def _gap(ctx: Context[Any], counts: dict[float, dict[str, Counts]]) -> None:
    """Worst ratio of bit error rates to exact ML among SNRs with enough errors."""
    counted = {snr: row for snr, row in counts.items() if row["ml"].errors >= ENOUGH_ERRORS}
    if not counted:
        ctx.not_comparable("ml_gap_4x6_16qam", f"no SNR has {ENOUGH_ERRORS} exact-ML bit errors in this profile")
        return
    gaps = {snr: ratio(row["xresq"], row["ml"], ctx.rng(f"gap {snr}")) for snr, row in counted.items()}
    worst = max(gaps, key=lambda snr: gaps[snr].value)
    each = ", ".join(f"{gap.value:.3f} at {snr:g} dB" for snr, gap in gaps.items())
    method = f"worst of {each}; {ctx.config.reads} reads a copy; {gaps[worst].method}"
    ctx.metric("ml_gap_4x6_16qam", gaps[worst], "×", method=method)


def _efficiency(ctx: Context[Any], counts: dict[float, dict[str, Counts]]) -> None:
    """Spectral efficiency where X-ResQ first reaches the target, and gains over the others there."""
    reached = [snr for snr, row in counts.items() if row["xresq"].efficiency().value >= TARGET]
    snr = min(reached) if reached else max(counts, key=lambda s: counts[s]["xresq"].efficiency().value)
    row = counts[snr]
    if row["xresq"].packets < FEWEST_PACKETS:
        for name in ("se_4x6_16qam", "se_gain_vs_mmse_4x6", "se_gain_vs_ra1_4x6"):
            ctx.not_comparable(name, f"{row['xresq'].packets} packets in this profile, {FEWEST_PACKETS} needed")
        return
    ours = row["xresq"].efficiency()
    uses = f"{row['xresq'].packets} packets of 32 bytes over 16 channel uses each"
    ctx.metric("se_4x6_16qam", ours, "bit/s/Hz", method=f"at {snr:g} dB, {uses}; {ours.method}")
    for name, what in (
        ("mmse", "linear MMSE"),
        ("ra1", "one copy seeded by the MMSE slice"),
        ("ra1_fsd", "one copy seeded by the best answer of the fixed-complexity sphere decoder"),
    ):
        theirs = row[name].efficiency()
        bound = theirs.value or theirs.high or 1.0
        method = f"{ours.value:.2f} over {theirs.value:.2f} bit/s/Hz at {snr:g} dB: {what}"
        if not theirs.value:
            method += "; it lost every packet, so its upper 95 % limit stands in"
        ctx.metric(f"se_gain_vs_{name}_4x6", ours.value / bound, "×", method=method)


def read_limited(ctx: Context[Any], s_p: dict[str, float]) -> dict[str, Any]:
    """Few reads: forward against reverse annealing, and the error rate by number of levels."""
    few = ctx.config.few_reads
    methods = {
        "xresq": {"kind": "reverse", "levels": qpu.LEVELS, "reads": few, "s_p": s_p["few"], "seeds": "fsd"},
        "forward": {"kind": "forward", "levels": qpu.LEVELS, "reads": few, "s_p": s_p["forward"]},
    }
    point = {"snr_db": 16.0, "seed": ctx.seed, "vectors": 80, "methods": methods}
    rows = montecarlo.until(
        ctx.sweep, qpu.qpu_counts, [point], lambda r: merged(r)["xresq"].errors >= ENOUGH_ERRORS, ctx.config.qpu_chunks
    )
    counts = merged(rows[0])
    method = f"{few} reads of each of {qpu.LEVELS} copies"
    figure = ratio(counts["forward"], counts["xresq"], ctx.rng("forward"))
    ctx.metric("fa_over_xresq_4x6_16db", figure, "×", method=f"{method}; {figure.method}")
    return _levels(ctx, s_p["few"])


def _levels(ctx: Context[Any], s_p: float) -> dict[str, Any]:
    """More copies, each with the same reads: the paper's claim; and copies that share a fixed total."""
    reads = 6 * max(1, ctx.config.few_reads // 6)
    points = [
        {"snr_db": 16.0, "seed": ctx.seed, "vectors": 80, "chunk": chunk, "reads": reads, "s_p": s_p}
        for chunk in range(ctx.config.level_chunks)
    ]
    counts = merged(ctx.sweep(qpu.level_counts, points))
    same = [counts[f"same {p}"].errors for p in qpu.PARALLEL]
    falls = all(after <= before for before, after in pairwise(same))
    vectors = counts["same 1"].vectors
    method = f"bit errors {same} in {vectors} vectors with P = {list(qpu.PARALLEL)}, {reads} reads a copy"
    ctx.metric("ber_by_levels", float(falls), "", n=vectors, method=method)
    return {kind: [[p, counts[f"{kind} {p}"].ber().value] for p in qpu.PARALLEL] for kind in ("same", "fixed")}


def times(ctx: Context[Any]) -> None:
    """Annealing time of 100 reads, and what one submission occupies the annealer in all."""
    problems = Link(4, 6, "16qam", 16.0).problems(ctx.seed, 0, 1)
    seeds = make_seeds(problems.received, qpu.LEVELS, "fsd")[0]
    schedule = qpu.reverse(qpu.PAPER_S_P)
    _, [info] = anneal_copies(
        problems.received, 0, qpu.station(qpu.LEVELS, ctx.seed), qpu.LEVELS, seeds, qpu.CHAIN_STRENGTH,
        anneal_schedule=schedule, num_reads=PAPER_READS,
    )  # fmt: skip
    timing = info["timing"]
    compute = timing["qpu_anneal_time_per_sample"] * PAPER_READS
    method = f"{PAPER_READS} reads of {qpu.ANNEAL_US} µs; read-out, delay and programming not counted"
    ctx.metric("compute_us_4x6", round(compute, 6), "µs", method=method)
    ctx.metric("access_us_4x6", timing["qpu_access_time"], "µs", method="programming, anneals, read-outs and delays")
