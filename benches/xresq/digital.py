"""The detectors in software: error rates against SNR, time to exact-ML quality, and scaling to 1024 × 1024."""

from __future__ import annotations

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
    "resq": {"reads": 24, "seeds": "mmse"},
    "paramax": {},
    "xresq": {"levels": 6, "reads": 4},
    "sphere": {},
}
LARGE_DETECTORS: dict[str, Options] = {"mmse": {}, "resq": {}, "xresq": {}}
BURST = 8.0  # bits that an erroneous vector has wrong at most, where too few errors tell: a few axes


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


def large(ctx: Context[Any]) -> dict[str, Any]:
    """64 × 64 beside K-best-64, and 1024 × 1024, both 16-QAM at 22 dB."""
    rivals = {**LARGE_DETECTORS, "kbest": {"k": 64}, "amp": {}}
    middle, top = Link(64, 64, "16qam", 22.0), Link(1024, 1024, "16qam", 22.0)
    half = run_links(ctx, [middle], rivals, vectors=125, enough=lambda _: False, max_chunks=ctx.config.chunks_64)[0]
    everything = {**LARGE_DETECTORS, "amp": {}}
    full = run_links(ctx, [top], everything, vectors=1, enough=lambda _: False, max_chunks=ctx.config.trials_1024)[0]
    for name, counts in (("64x64", half), ("1024x1024", full)):
        for label, count in counts.items():
            suffix = "" if label == "xresq" else f"_{label}"
            method = f"{count.vectors} vectors, {count.errors} bit errors, {count.ms:.1f} ms CPU a vector"
            figure = count.ber(BURST)
            ctx.metric(f"ber_{name}_16qam_22db{suffix}", figure, "", method=f"{method}; {figure.method}")
        ctx.metric(f"ms_{name}_16qam", counts["xresq"].ms, "ms", method="CPU of one thread, seeds and linear algebra")
    _ratios(ctx, full)
    return {name: {k: c.ber(BURST).value for k, c in counts.items()} for name, counts in (("64", half), ("1024", full))}


def _ratios(ctx: Context[Any], counts: dict[str, Counts]) -> None:
    """MMSE and single-seed reverse annealing over X-ResQ at 1024 × 1024; without an error the upper limit stands in."""
    ours = counts["xresq"]
    for metric, label in (("mmse_over_xresq_1024x1024", "mmse"), ("ra1_over_xresq_1024x1024", "resq")):
        if ours.errors:
            ctx.metric(metric, ratio(counts[label], ours, ctx.rng(metric)), "×")
        else:
            bound = counts[label].ber(BURST).value / (ours.ber(BURST).high or 1.0)
            ctx.metric(metric, bound, "×", low=bound, method="X-ResQ made no error: its upper 95 % limit stands in")
