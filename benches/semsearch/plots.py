"""Pictures: what fusion gives, speed against recall, hardware beside hardware, when a graph pays."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from ml.semsearch.evaluate import WEIGHTS


def fusion(ctx: Context[Any], rows: list[dict[str, Any]]) -> None:
    """nDCG over the weight of the vectors, a line a corpus."""
    caption = "Keywords (left end), vectors (right end), and their sum in between; dots: weight chosen by folds."
    with ctx.plot("fusion", caption) as figure:
        axes = figure.subplots()
        for row in rows:
            (line,) = axes.plot(WEIGHTS, row["curve"], label=f"{row['corpus']} ({row['encoder']})")
            axes.plot(row["weight"], row["hybrid"], "o", color=line.get_color())
        axes.set(xlabel="weight of the vectors", ylabel="nDCG@10", ylim=(0, None))
        axes.legend(loc="lower right", fontsize="small")


def recall_time(ctx: Context[Any], rows: list[dict[str, Any]]) -> None:
    """Recall against time of one query, over ef."""
    last = rows[-1]
    with ctx.plot("recall-time", f"{last['documents']} clustered vectors: recall against time, one thread.") as figure:
        axes = figure.subplots()
        ms, found = ([row[name] for row in last["curve"]] for name in ("ms", "recall"))
        axes.plot(ms, found, "o-")
        for row in last["curve"]:
            axes.annotate(f"ef {row['ef']:g}", (row["ms"], row["recall"]), (6, -12), textcoords="offset points")
        axes.set(xlabel="CPU time of one query, ms", ylabel="recall@10", xlim=(0, 1.25 * max(ms)))
        axes.set_ylim(min(0.99, min(found)) - 0.002, 1.001)


def losses(ctx: Context[Any], rows: list[dict[str, Any]]) -> None:
    """nDCG lost by every approximation, a group a corpus; bits alone lose so much more that they have a scale apart."""
    kinds = {
        "hnsw": "graph, ef 400", "int8": "int8", "mac": "int8 on the encoded-MAC array",
        "bits_rescore": "bits, rescored",
    }  # fmt: skip
    caption = "nDCG@10 lost against exact float cosines; below zero is a gain. Mind the two scales."
    with ctx.plot("losses", caption, 8.0, 3.8) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        for i, (kind, label) in enumerate(kinds.items()):
            left.bar(np.arange(len(rows)) + (i - 1.5) * 0.2, [row[kind] for row in rows], 0.2, label=label)
        right.bar(range(len(rows)), [row["bits"] for row in rows], 0.5, color="C4", label="bits alone")
        for axes in (left, right):
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set_xticks(range(len(rows)), [row["corpus"] for row in rows], rotation=20)
        left.set_ylabel("nDCG@10 lost")
        figure.legend(loc="outside upper center", ncols=len(kinds) + 1, fontsize="x-small")


def encoders(ctx: Context[Any], rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """nDCG of keywords and of every encoder, a group a corpus; nothing when none but the corpus' own was measured."""
    kinds = {
        "bm25": "BM25", "dense": "MiniLM", "lsa": "LSA", "glove": "mean of GloVe 50-d", "disan": "DiSAN over GloVe 50-d"
    }  # fmt: skip
    joined = [row | other for other in others for row in rows if row["corpus"] == other["corpus"]]
    joined = [row for row in joined if "lsa" in row]
    if not joined:
        return
    caption = "Words, and vectors of several encoders alone: nDCG@10."
    with ctx.plot("encoders", caption) as figure:
        axes = figure.subplots()
        for i, (kind, label) in enumerate(kinds.items()):
            axes.bar(np.arange(len(joined)) + (i - 2) * 0.16, [row[kind] for row in joined], 0.16, label=label)
        axes.set_xticks(range(len(joined)), [row["corpus"] for row in joined])
        axes.set(ylabel="nDCG@10")
        figure.legend(loc="outside upper center", ncols=3, fontsize="small")


def hardware(ctx: Context[Any], rows: list[dict[str, Any]]) -> None:
    """Cycles and energy of a query on both kinds of hardware."""
    kinds = {"int8 array, one query": "", "int8 array, queries share weights": "batch_", "384 bits on LUTs": "lut_"}
    with ctx.plot("hardware", "A query over all documents: cycles and energy.", 8.0, 3.8) as figure:
        for axes, (name, label) in zip(
            figure.subplots(1, 2), (("cycles", "cycles"), ("nj", "energy, nJ")), strict=True
        ):
            for i, (kind, prefix) in enumerate(kinds.items()):
                values = [row[prefix + name] for row in rows]
                shown = kind if axes is figure.axes[0] else None
                axes.bar(np.arange(len(rows)) + (i - 1) * 0.27, values, 0.27, label=shown)
            axes.set_xticks(range(len(rows)), [row["corpus"] for row in rows], rotation=20)
            axes.set(yscale="log", ylabel=label)
        figure.legend(loc="outside upper center", ncols=len(kinds), fontsize="small")


def break_even(ctx: Context[Any], curves: dict[str, Any]) -> None:
    """Time of scan and walk over the number of documents."""
    caption = "A streaming scan reads all, a walk waits for memory: time of a query over the number of documents."
    with ctx.plot("break-even", caption, 8.0, 3.6) as figure:
        for axes, (name, title) in zip(
            figure.subplots(1, 2, sharey=True), (("dram", "DDR4-3200"), ("sram", "on-chip SRAM")), strict=True
        ):
            for label, colour in (("bits", "C0"), ("int8", "C1")):
                scan, walk = curves[f"{name}_{label}"]
                axes.plot(curves["documents"], np.array(scan) / 1e3, "o-", color=colour, label=f"scan, {label}")
                axes.plot(curves["documents"], np.array(walk) / 1e3, "s--", color=colour, label=f"walk, {label}")
            axes.set(xscale="log", yscale="log", xlabel="documents", title=title)
        figure.axes[0].set_ylabel("time of a query, µs")
        figure.axes[0].legend(fontsize="small")
