"""The detectors in software: error rates against SNR, time to exact-ML quality, and scaling to 1024 × 1024."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benches.runner import Context
from benches.xresq.counts import Counts, ratio
from benches.xresq.links import Link, Options, run_links

CURVE = (8.0, 10.0, 12.0, 14.0, 16.0, 18.0)
DETECTORS: dict[str, Options] = {
    "zf": {},
    "mmse": {},
    "mmse_sic": {},
    "fsd": {},
    "ep": {},
    "kbest": {"k": 16},
    "quamax": {"reads": 24},
    "resq": {"reads": 24, "seeds": "mmse", "rounds": 1},
    "paramax": {},
    "xresq": {"levels": 6, "reads": 4},
    "sphere": {},
}
SINGLE: Options = {"detector": "resq", "reads": 4, "seeds": "mmse", "rounds": 1}  # one copy of what X-ResQ starts
MULTI: Options = {"detector": "xresq", "rounds": 1}  # six of them, without later rounds
LARGE_DETECTORS: dict[str, Options] = {"mmse": {}, "amp": {}, "ra1": SINGLE, "xresq": {}}
TELLING = 64  # vectors: one seed fails in about every seventh, and only failures tell the two apart
TELLING_DB = 19.0  # at 22 dB both kinds of reverse annealing make no error at 1024 × 1024


def curves(ctx: Context[Any]) -> dict[str, Any]:
    """Bit error rate and spectral efficiency of every detector at 4 × 6, 16-QAM, on shared channels."""
    links = [Link(4, 6, "16qam", snr) for snr in CURVE]
    found = run_links(
        ctx,
        links,
        DETECTORS,
        vectors=1000,
        enough=lambda counts: counts["sphere"].errors >= ctx.config.curve_errors,
        max_chunks=ctx.config.curve_chunks,
    )
    _time_to_ml(ctx, dict(zip(CURVE, found, strict=True))[16.0])
    return {
        label: [
            [snr, counts[label].ber().value, counts[label].efficiency().value]
            for snr, counts in zip(CURVE, found, strict=True)
        ]
        for label in DETECTORS
    }


def _time_to_ml(ctx: Context[Any], counts: dict[str, Counts]) -> None:
    """CPU milliseconds a vector at 16 dB, if the bit error rate is that of exact ML."""
    gap = ratio(counts["xresq"], counts["sphere"], ctx.rng("digital gap"))
    ctx.metric("digital_ml_gap_4x6_16db", gap, "×")
    if gap.value > 1.05:
        ctx.not_comparable("digital_ms_4x6", f"bit error rate is {gap.value:.3f} times exact ML's")
        return
    method = f"seeds included, CPU time of one thread, {counts['xresq'].vectors} vectors at exact ML's error rate"
    ctx.metric("digital_ms_4x6", counts["xresq"].ms, "ms", n=counts["xresq"].vectors, method=method)
    ctx.metric("sphere_ms_4x6", counts["sphere"].ms, "ms", method="exact ML on the same vectors")


def large(ctx: Context[Any]) -> None:
    """16-QAM at 22 dB: 64 × 64 beside K-best-64, and 1024 × 1024; one seed against six where they differ."""
    config = ctx.config
    rivals = {**LARGE_DETECTORS, "kbest": {"k": 64}}
    middle, top = Link(64, 64, "16qam", 22.0), Link(1024, 1024, "16qam", 22.0)
    half = fixed(ctx, middle, rivals, 125, config.chunks_64)
    full = fixed(ctx, top, LARGE_DETECTORS, 1, config.trials_1024)
    telling = replace(top, snr_db=TELLING_DB)
    seeds = fixed(ctx, telling, {"ra1": SINGLE, "xresq": MULTI}, 1, max(TELLING, config.trials_1024))
    for name, counts, failing in (("64x64", half, half["ra1"]), ("1024x1024", full, seeds["ra1"])):
        burst = failing.errors / max(failing.wrong, 1)
        for label, count in counts.items():
            figure = count.ber(burst)
            method = f"{count.vectors} vectors, {count.errors} bit errors, {count.ms:.1f} ms CPU a vector"
            suffix = "" if label == "xresq" else f"_{label}"
            ctx.metric(f"ber_{name}_16qam_22db{suffix}", figure, "", method=f"{method}; {figure.method}")
        ctx.metric(f"ms_{name}_16qam", counts["xresq"].ms, "ms", method="CPU of one thread, seeds and linear algebra")
        if name == "1024x1024":
            _over(ctx, "mmse_over_xresq_1024x1024", counts["mmse"], counts["xresq"], burst)
            _over(ctx, "ra1_over_xresq_1024x1024", seeds["ra1"], seeds["xresq"], burst, f"at {TELLING_DB:g} dB: ")


def fixed(ctx: Context[Any], link: Link, detectors: dict[str, Options], vectors: int, chunks: int) -> dict[str, Counts]:
    """Counts after a fixed number of chunks."""
    return run_links(ctx, [link], detectors, vectors=vectors, enough=lambda _: False, max_chunks=chunks)[0]


def _over(ctx: Context[Any], metric: str, top: Counts, ours: Counts, burst: float, note: str = "") -> None:
    """BER ratio; where X-ResQ made no error, its upper limit stands in, with bursts as long as a failing vector's."""
    if ours.errors or not top.errors:
        figure = ratio(top, ours, ctx.rng(metric))
        ctx.metric(metric, figure, "×", method=f"{note}{top.errors} over {ours.errors} bit errors; {figure.method}")
        return
    bound = top.ber(burst).value / (ours.ber(burst).high or 1.0)
    method = f"{note}{top.errors} over no bit error in {ours.vectors} vectors: its upper 95 % limit stands in"
    ctx.metric(metric, bound, "×", n=ours.vectors, method=method)
