"""Pictures of X-ResQ's bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benches.runner import Context
from benches.xresq import embedding, qpu

Series = Mapping[str, Sequence[Sequence[float]]]
_NAMES = {
    "ml": "exact ML", "sphere": "exact ML (sphere)", "mmse": "MMSE", "zf": "ZF", "mmse_sic": "MMSE-SIC", "fsd": "FSD",
    "kbest": "K-best-16", "ep": "EP", "quamax": "QuAMax (forward)", "resq": "ResQ (MMSE seed)", "paramax": "ParaMax",
    "ra1": "ResQ, MMSE seed", "ra1_fsd": "ResQ, FSD seed", "xresq": "X-ResQ, 6 levels",
}  # fmt: skip
_EXACT = ("ml", "sphere")
COLOURS = 6  # distinct ones of the style; further lines are dotted


def all_of(ctx: Context[Any], drawn: Mapping[str, Any]) -> None:
    """Every picture whose data this run has."""
    _link(ctx, "annealer", "4 × 6, 16-QAM on the annealer's stand-in.", drawn["link"])
    _link(ctx, "detectors", "4 × 6, 16-QAM, detectors in software.", drawn["digital"])
    with ctx.plot("levels", "Bit error rate by levels of parallelism, 4 × 6, 16-QAM at 16 dB.", 4.8, 3.4) as figure:
        axes = figure.subplots()
        for kind, label in (("same", "equal reads a copy"), ("fixed", "one total of reads, shared")):
            axes.plot(*zip(*drawn["levels"][kind], strict=True), "o-", label=label)
        axes.set(xlabel="levels of parallelism P", ylabel="bit error rate", xticks=qpu.PARALLEL)
        axes.legend()
    with ctx.plot("embedding", "Six copies of a K16 on an Advantage chip (Pegasus P16).", 7.2, 2.2) as figure:
        graph = embedding.chip("pegasus")
        embedding.draw(figure.subplots(), graph, embedding.disjoint_cliques(graph, embedding.SPINS, embedding.LEVELS))


def _link(ctx: Context[Any], name: str, caption: str, series: Series) -> None:
    """Bit error rate and spectral efficiency against SNR, side by side."""
    with ctx.plot(name, caption, 8.6, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for i, (label, rows) in enumerate(series.items()):
            snr, ber, efficiency = zip(*rows, strict=True)
            style = {"color": f"C{i % COLOURS}", "ls": "-" if i < COLOURS else ":", "marker": "o", "ms": 3}
            if label in _EXACT:
                style = {"color": "black", "ls": "--"}
            kept = [(x, y) for x, y in zip(snr, ber, strict=True) if y > 0]
            if kept:
                left.semilogy(*zip(*kept, strict=True), label=_NAMES.get(label, label), **style)
            right.plot(snr, efficiency, **style)
        left.set(xlabel="SNR, dB", ylabel="bit error rate")
        right.set(xlabel="SNR, dB", ylabel="spectral efficiency, bit/s/Hz")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=7)
