"""Pictures of VEC-SBM's bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benches.runner import Context
from benches.vecsbm import handover, reverse
from benches.vecsbm.recovery import CASES

_METHODS = {
    "spectral": ("spectral", "0.6"), "sir": ("sIR-VEC, as published", "C1"),
    "ir_reference": ("IR-VEC, code's score", "C4"),
    "ir": ("IR-VEC, Gaussian score", "C2"), "sir_ir": ("sIR then IR, 20 sweeps each", "C5"),
    "annealed": ("annealed, unknown parameters", "C0"), "map": ("optimum, known parameters", "black"),
}  # fmt: skip


def scenarios(ctx: Context[Any], rows: Mapping[str, Any]) -> None:
    """NMI in scenarios 1 and 2 by method, and against K in scenario 3."""
    small = [case for case in ("s1", "s2") if case in rows]
    many = [case for case in CASES if case.startswith("s3") and case in rows]
    caption = "NMI (max-normalised); bars and error bars: mean and standard deviation over graphs."
    with ctx.plot("scenarios", caption, 9.0, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for i, (method, (label, colour)) in enumerate(_METHODS.items()):
            at = np.arange(len(small)) + (i - 3) * 0.12
            values = [np.array(rows[case][method]) for case in small]
            means, spread = [v.mean() for v in values], [v.std() for v in values]
            left.bar(at, means, 0.11, yerr=spread, color=colour, label=label, error_kw={"lw": 0.8})
        left.set_xticks(range(len(small)), [f"scenario {case[1]}" for case in small])
        left.set(ylabel="NMI", ylim=(0, 1.05))
        for method in ("spectral", "sir", "sir_ir", "annealed", "map"):
            colour, ks = _METHODS[method][1], [CASES[case] for case in many]
            values = [np.array(rows[case][method]) for case in many]
            style = {"ls": "--", "lw": 1} if method == "map" else {}
            right.errorbar(ks, [v.mean() for v in values], [v.std() for v in values], color=colour, marker="o", ms=4,
                           elinewidth=0.8, **style)  # fmt: skip
        right.set(xlabel="classes K, scenario 3", ylabel="NMI", ylim=(0, 1.05), xticks=[CASES[case] for case in many])
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def rate(ctx: Context[Any], found: Mapping[str, Any]) -> None:
    """Share of wrong nodes against τ, with the theory's line; and against density when p = q."""
    sizes = list(found["sizes"])
    n, series = int(sizes[-1]), found["sizes"][sizes[-1]]
    caption = (
        f"Wrong nodes of {n}, two classes, known parameters; left the published rate n^−τ and its refinement, right "
        "graphs that tell nothing by themselves (p = q): errors fall with density at a fixed covariate."
    )
    with ctx.plot("error_separation", caption, 9.0, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for axes, data in ((left, series), (right, found["density"])):
            x = np.array(data["x"])
            for kind, label, style in (
                ("spectral", "spectral", {"color": "0.6", "marker": "s"}),
                ("sir", "sIR-VEC", {"color": "C1", "marker": "v"}),
                ("map", "annealer, most probable labels", {"color": "C0", "marker": "o"}),
                ("oracle", "one node, others known", {"color": "C2", "marker": "x"}),
            ):  # fmt: skip
                counts = np.array(data[kind])
                share = counts.mean(axis=1) / n
                axes.semilogy(x, np.where(share > 0, share, np.nan), label=label, ms=5, lw=1.2, **style)
            fine = np.linspace(x.min(), x.max(), 50)
            axes.semilogy(fine, np.exp(-fine), "k--", lw=1, label="theory: exp(−exponent) = n^−τ")
            axes.semilogy(x, data["refined"], "k:", lw=1.4, label="theory with prefactor")
            axes.set(xlabel="exponent of the separation, τ·ln n (nats)", ylabel="share of wrong nodes", ylim=(1e-4, 1))
        left.set_title("τ = 0.3…0.8")
        right.set_title("p = q = 1.5…3.5 · ln n/n")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)


def energy(ctx: Context[Any], found: Mapping[str, Any]) -> None:
    """Energy above the best known against sweeps."""
    right = {name: f"{found[f'accuracy_{name}']:.0%}" for name in ("spectral", "sir")}
    caption = (
        "Native annealer, four classes at τ = 0.9: mean energy of eight reads above the best known labels. Reverse "
        f"anneals start with {right['spectral']} (spectral) and {right['sir']} (sIR) of the nodes right."
    )
    with ctx.plot("energy", caption, 6.4, 4.0) as figure:
        axes = figure.subplots()
        for (name, values), style in zip(found["series"].items(), ("C3-", "C3--", "0.5", "C0-"), strict=True):
            mark: dict[str, Any] = {"color": style} if style == "0.5" else {"color": style[:2], "ls": style[2:]}
            axes.plot(range(1, len(values) + 1), np.maximum(values, 0.1), label=name, **mark)
        axes.axhline(max(found["sir"], 0.1), color="C1", ls=":", label="sIR's own labels")
        axes.set(xlabel="sweeps", ylabel="energy above the best known, nats", yscale="log", xlim=(1, None))
        figure.legend(loc="outside upper center", ncols=3, fontsize=8)


def adjacency(ctx: Context[Any], drawn: Mapping[str, Any]) -> None:
    """The adjacency matrix in the order given, by spectral labels and by the estimate."""
    truth, found, start = (np.array(drawn[k]) for k in ("truth", "found", "start"))
    u, v = np.array(drawn["edges"]).T
    n = len(truth)
    shuffled = np.random.default_rng(0).permutation(n)
    orders = {
        "as it comes": np.argsort(shuffled),
        f"by spectral labels, NMI {drawn['nmi_start']:.2f}": np.lexsort((shuffled, start)),
        f"by IR-VEC's labels, NMI {drawn['nmi']:.2f}": np.lexsort((shuffled, found)),
    }
    caption = (
        f"Mails among {n} people in the order of the estimate; a dot is an edge, its colour the department of both."
    )
    with ctx.plot("adjacency", caption, 9.6, 3.6) as figure:
        for axes, (title, order) in zip(figure.subplots(1, 3), orders.items(), strict=True):
            place = np.argsort(order)
            inside = truth[u] == truth[v]
            colours = np.array([f"C{k % 7}" for k in truth[u]])
            for a, b in ((u, v), (v, u)):
                axes.scatter(place[a][~inside], place[b][~inside], s=0.4, c="0.7", lw=0)
                axes.scatter(place[a][inside], place[b][inside], s=0.6, c=colours[inside], lw=0)
            axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xticks=[], yticks=[])
            axes.set_title(title, fontsize=9)
            axes.grid(False)


def communities(ctx: Context[Any], drawn: Mapping[str, Any]) -> None:
    """The graph itself, coloured by departments and by the estimate; wrong nodes are ringed."""
    import networkx as nx

    truth, found = np.array(drawn["truth"]), np.array(drawn["found"])
    graph = nx.Graph(drawn["edges"])
    graph.add_nodes_from(range(len(truth)))
    place = nx.spring_layout(graph, seed=3, iterations=40, k=0.12)
    at = np.array([place[i] for i in range(len(truth))])
    u, v = np.array(drawn["edges"]).T
    wrong = found != truth
    caption = (
        f"Communities: {len(truth)} people, an edge where they mailed. Left their departments, right what IR-VEC found "
        f"from the edges and their covariates (NMI {drawn['nmi']:.2f}); {int(wrong.sum())} wrong nodes are ringed."
    )
    with ctx.plot("communities", caption, 9.6, 4.8) as figure:
        for axes, labels, title in zip(figure.subplots(1, 2), (truth, found), ("departments", "found"), strict=True):
            lines = np.stack([at[u], at[v]], axis=1)
            from matplotlib.collections import LineCollection

            axes.add_collection(LineCollection(list(lines), colors="0.75", linewidths=0.15, zorder=1))
            axes.scatter(*at.T, s=14, c=[f"C{k % 7}" for k in labels], lw=0, zorder=2)
            if title == "found":
                axes.scatter(*at[wrong].T, s=40, facecolors="none", edgecolors="black", lw=0.8, zorder=3)
            axes.set(xticks=[], yticks=[])
            axes.set_title(title, fontsize=10)
            axes.grid(False)
            for side in axes.spines.values():
                side.set_visible(False)


def bits(ctx: Context[Any], table: Mapping[str, Any]) -> None:
    """NMI against the bits of a coupler weight, and what the counters are worth."""
    caption = (
        f"Chip's form, {handover.REGIME_N} nodes: NMI by bits of a coupler weight (left), with and without counters."
    )
    with ctx.plot("bits", caption, 9.0, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        for i, (regime, row) in enumerate(table.items()):
            left.plot(handover.BITS, [row[f"b{b}"] for b in handover.BITS], "o-", ms=4, color=f"C{i}", label=regime)
            left.axhline(row["float"], color=f"C{i}", ls=":", lw=0.8)
        left.set(xlabel="bits of a coupler weight (dotted: double precision)", ylabel="NMI", ylim=(0, 1.05))
        left.legend(fontsize=8, loc="lower right")
        forms = {
            "b4": "4 bits, fine counters", "coarse counter": "4 bits, counters on the couplers' grid",
            "no counter": "double precision, no counters",
        }  # fmt: skip
        for i, (form, label) in enumerate(forms.items()):
            at = np.arange(len(table)) + (i - 1) * 0.27
            right.bar(at, [row[form] for row in table.values()], 0.25, label=label, color=f"C{(0, 1, 3)[i]}")
        right.set_xticks(range(len(table)), [regime.replace(" ", "\n", 1) for regime in table], fontsize=8)
        right.set(ylabel="NMI", ylim=(0, 1.35))
        right.legend(fontsize=8, loc="upper left")


def reversed_(ctx: Context[Any], table: Mapping[str, Any]) -> None:
    """Gaps of reverse anneals and their controls against the budget."""
    names = {
        "forward": ("forward from hot", "C3", "-"), "control": ("forward, same window", "C3", "--"),
        "spectral": ("reverse from spectral", "0.5", "-"), "sir": ("reverse from sIR", "C1", "-"),
        "80 %": ("reverse from 80 % right", "C0", "-"),
    }  # fmt: skip
    taus = [tau for tau in table if tau != "qpu"]
    panels = len(taus) + ("qpu" in table)
    caption = (
        "Mean energy above the best known labels; each point is the best of the reheatings (turning points) tried."
    )
    with ctx.plot("reverse", caption, 3.4 * panels + 0.6, 3.8) as figure:
        drawn = figure.subplots(1, panels, squeeze=False)[0]
        for axes, tau in zip(drawn, taus, strict=False):
            for name, (label, colour, line) in names.items():
                values = [_best(table[tau], name, reverse.REHEATS, s) for s in reverse.SWEEPS]
                axes.loglog(reverse.SWEEPS, np.maximum(values, 0.05), line, marker="o", ms=4, color=colour, label=label)
            axes.set(title=f"native, τ = {tau}", xlabel="sweeps", ylabel="energy gap, nats")
            axes.set_xticks(reverse.SWEEPS, [str(s) for s in reverse.SWEEPS])
            axes.minorticks_off()
        if "qpu" in table:
            _stand_in(drawn[-1], table["qpu"], names)
        figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)


def _stand_in(axes: Any, row: Mapping[str, float], names: Mapping[str, Sequence[str]]) -> None:
    for name, (_, colour, line) in names.items():
        values = [_best(row, name, reverse.S_P, pause) for pause in reverse.PAUSE_US]
        axes.plot(range(len(values)), values, line, marker="o", ms=4, color=colour)
    axes.set_xticks(range(len(reverse.PAUSE_US)), [f"{pause:g}" for pause in reverse.PAUSE_US])
    axes.set(title="annealer's stand-in", xlabel="pause at the turning point, µs", yscale="log")


def _best(row: Mapping[str, float], name: str, settings: Sequence[float], budget: float) -> float:
    if f"{name} {budget}" in row:
        return row[f"{name} {budget}"]
    return min(row[f"{name} {setting} {budget}"] for setting in settings)
