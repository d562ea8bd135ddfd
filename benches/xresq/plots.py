"""Pictures of X-ResQ's bench."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benches.runner import Context
from benches.xresq import effort, embedding, qpu, scaling

Series = Mapping[str, Sequence[Sequence[float]]]
_NAMES = {
    "ml": "exact ML", "sphere": "exact ML (sphere)", "mmse": "MMSE", "zf": "ZF", "mmse_sic": "MMSE-SIC", "fsd": "FSD",
    "kbest": "K-best-16", "ep": "EP", "quamax": "QuAMax (forward)", "resq": "ResQ (MMSE seed)", "paramax": "ParaMax",
    "ra1": "ResQ, MMSE seed", "ra1_fsd": "ResQ, FSD seed", "xresq": "X-ResQ, 6 levels", "amp": "AMP",
    "xresq_rounds": "X-ResQ, more rounds", "ours": "this project", "dwave": "dwave-samplers", "openjij": "OpenJij",
}  # fmt: skip
_STYLES = {  # the style's colours; detectors of a kind share one
    "xresq": ("C0", "-"), "xresq_rounds": ("C0", ":"), "ra1": ("C1", "-"), "ra1_fsd": ("C1", ":"), "resq": ("C1", "-"),
    "quamax": ("C2", "-"), "paramax": ("C2", ":"), "mmse": ("C3", "-"), "mmse_sic": ("C3", ":"), "zf": ("C6", ":"),
    "kbest": ("C4", "-"), "fsd": ("C4", ":"), "ep": ("C5", "-"), "amp": ("C5", ":"), "ml": ("black", "--"),
    "sphere": ("black", "--"),
}  # fmt: skip


def all_of(ctx: Context[Any], drawn: Mapping[str, Any]) -> None:
    """Every picture whose data this run has."""
    _link(ctx, "annealer", "4 × 6, 16-QAM on the annealer's stand-in.", drawn["link"])
    _link(ctx, "detectors", "4 × 6, 16-QAM, detectors in software.", drawn["digital"])
    if "kernels" in drawn:
        _kernels(ctx, drawn["kernels"])
    _effort(ctx, drawn["effort"])
    _scaling(ctx, drawn["scaling"])
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
        for label, rows in series.items():
            snr, ber, efficiency = zip(*rows, strict=True)
            style = _style(label)
            kept = [(x, y) for x, y in zip(snr, ber, strict=True) if y > 0]
            if kept:
                left.semilogy(*zip(*kept, strict=True), label=_NAMES.get(label, label), **style)
            right.plot(snr, efficiency, **style)
        left.set(xlabel="SNR, dB", ylabel="bit error rate")
        right.set(xlabel="SNR, dB", ylabel="spectral efficiency, bit/s/Hz")
        _legend(figure, [left])


def _kernels(ctx: Context[Any], rates: Series) -> None:
    """Spin updates a second by sampler and size."""
    with ctx.plot("kernels", "Simulated annealing on complete graphs, one thread, whole calls.", 5.6, 3.2) as figure:
        axes, width = figure.subplots(), 0.8 / len(rates)
        for i, (name, rows) in enumerate(rates.items()):
            places = [k + (i - (len(rates) - 1) / 2) * width for k in range(len(rows))]
            bars = axes.bar(places, [rate / 1e6 for _, rate in rows], width, label=_NAMES.get(name, name))
            axes.bar_label(bars, fmt="%.0f", fontsize=8)
        sizes = [f"{n:g}" for n, _ in rates["ours"]]
        axes.set(xlabel="spins", ylabel="million spin updates a second", yscale="log", ylim=(1, None))
        axes.set_xticks(range(len(sizes)), sizes)
        figure.legend(loc="outside upper center", ncols=len(rates), fontsize=8)


def _effort(ctx: Context[Any], panels: Sequence[effort.Panel]) -> None:
    """Bit error rate against time, a panel a system; the dashed line is the target."""
    caption = "Bit error rate against time; every point is one setting of a detector, the dashed line the target."
    columns = 2 if len(panels) > 2 else len(panels)
    rows = -(-len(panels) // columns)
    with ctx.plot("time_to_ber", caption, 4.0 * columns + 1.8, 3.2 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            floor = effort.least(panel)
            for name in sorted(panel.series, key=_order):
                times, rates, _ = zip(*panel.series[name], strict=True)
                label = "K-best" if name == "kbest" else _NAMES.get(name, name)
                axes.loglog(times, [max(rate, floor) for rate in rates], label=label, **_style(name))
            axes.axhline(panel.target, color="black", ls="--", lw=0.8)
            axes.set(title=panel.title, xlabel=f"time, {panel.unit} a vector", ylabel="bit error rate")
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        _legend(figure, grid)


def _scaling(ctx: Context[Any], rows: Sequence[scaling.Row]) -> None:
    """Quality and time by size; a hollow triangle is an upper 95 % limit where no error was made."""
    sizes = list(dict.fromkeys(row[0] for row in rows))
    names = sorted({row[1] for row in rows}, key=_order)
    caption = "16-QAM at 19 dB by size. Hollow triangles: upper 95 % limits where no bit was wrong."
    with ctx.plot("scaling", caption, 9.6, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for i, name in enumerate(names):
            style, mine = _style(name), [row for row in rows if row[1] == name]
            places = [sizes.index(row[0]) for row in mine]
            label = "K-best-64" if name == "kbest" else _NAMES.get(name, name)
            left.semilogy(places, [row[2] or float("nan") for row in mine], label=label, **style)
            none = [(x, row[4]) for x, row in zip(places, mine, strict=True) if not row[2]]
            if none:
                left.plot(*zip(*none, strict=True), "v", ms=7, mfc="white", color=style["color"], zorder=20 - i)
            right.semilogy(places, [row[5] for row in mine], **style)
        left.set(ylabel="bit error rate")
        right.set(ylabel="CPU ms a vector, one thread")
        for axes in (left, right):
            axes.set_xticks(range(len(sizes)), [size.replace("x", " × ") for size in sizes], fontsize=7)
        _legend(figure, [left])


def _style(name: str) -> dict[str, Any]:
    colour, line = _STYLES[name]
    return {"color": colour, "ls": line, "marker": "o", "ms": 3}


def _order(name: str) -> int:
    return list(_STYLES).index(name)


def _legend(figure: Any, axes: Iterable[Any]) -> None:
    """One legend beside all axes."""
    entries = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside right center", fontsize=7)
