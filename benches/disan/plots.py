"""Pictures of DiSAN's bench, drawn from what the stages hand on."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.disan import handover, speed
from benches.runner import Context

LABELS = {
    "disan": "DiSAN", "undirected": "without direction", "bilstm": "Bi-LSTM", "cnn": "CNN", "multihead": "multi-head",
    "dense": "DiSAN, n²·d form",
}  # fmt: skip
COLOURS = {"disan": "C0", "undirected": "C1", "bilstm": "C2", "cnn": "C3", "multihead": "C4", "dense": "C5"}


def attention(ctx: Context[Any], found: dict[str, Any]) -> None:
    """The paper's heat maps: who looks at whom, forward and backward; one query's weights feature by feature."""
    words = found["words"]
    caption = (
        f"Attention of a trained DiSAN ({found['task']}): weights of attended words (columns) for each query word "
        "(rows), mean over features, forward and backward mask; features of one query; source2token."
    )
    with ctx.plot("attention", caption, 10.4, 6.6) as figure:
        (left, right), (below, pooled) = figure.subplots(2, 2)
        for axes, kind, title in ((left, "fw", "forward: earlier words"), (right, "bw", "backward: later words")):
            image = axes.imshow(np.array(found[kind]), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            axes.set_title(f"{title}, mean over features", fontsize=9)
            axes.set_yticks(range(len(words)), words, fontsize=8)
            figure.colorbar(image, ax=axes, fraction=0.04)
        j = found["query"]
        image = below.imshow(np.array(found["features"]), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        below.set_title(f"backward, feature by feature, query “{words[j]}”", fontsize=9)
        below.set_ylabel("feature")
        figure.colorbar(image, ax=below, fraction=0.04)
        image = pooled.imshow(np.array(found["s2t"]), cmap="Greens", aspect="auto")
        pooled.set_title("source2token, feature by feature", fontsize=9)
        pooled.set_ylabel("feature")
        figure.colorbar(image, ax=pooled, fraction=0.04)
        for axes in (left, right, below, pooled):
            axes.set_xticks(range(len(words)), words, rotation=40, ha="right", fontsize=8)
            axes.grid(visible=False)


def steps(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Seconds of a training step over the sentence's length."""
    caption = (
        f"CPU time of a training step (forward and backward, batch {found['batch']}, d = {found['d']}, one thread): "
        "streamed attention, the n²·d form, and rivals of the paper's sizes."
    )
    with ctx.plot("steps", caption, 5.8, 3.6) as figure:
        axes = figure.subplots()
        for name in ("disan", "bilstm", "cnn", "multihead", "dense"):
            points = [(n, found["steps"][str(n)][name]) for n in speed.LENGTHS if name in found["steps"][str(n)]]
            axes.plot(*zip(*points, strict=True), "o-", color=COLOURS[name], label=LABELS[name])
        axes.set(xlabel="words a sentence", ylabel="seconds a step", yscale="log")
        axes.legend(fontsize=8)


def order(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    """Learning curves on the generated task."""
    caption = "Generated sentences whose class is the order of three words: development accuracy while training."
    with ctx.plot("word-order", caption, 5.8, 3.4) as figure:
        axes = figure.subplots()
        for name, found in rows.items():
            curves = np.array([[100 * h["val"] for h in row["history"]] for row in found])
            axes.plot(np.arange(1, curves.shape[1] + 1), curves.mean(0), color=COLOURS[name], label=LABELS[name])
            axes.fill_between(
                np.arange(1, curves.shape[1] + 1), curves.min(0), curves.max(0), color=COLOURS[name], alpha=0.15, lw=0
            )
        axes.axhline(100 / 6, color="0.6", lw=1, ls=":")
        axes.set(xlabel="epoch", ylabel="accuracy, %", ylim=(0, 103))
        axes.legend(fontsize=8)


def accuracies(ctx: Context[Any], rows: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """Encoders of equal size on the published sets."""
    caption = "Test accuracy of encoders of equal size in one trainer, GloVe 50-d, mean over seeds (dots: seeds)."
    with ctx.plot("accuracy", caption, 8.4, 3.4) as figure:
        for axes, (task, of_task) in zip(figure.subplots(1, len(rows)), rows.items(), strict=True):
            for i, (name, found) in enumerate(of_task.items()):
                values = [row["acc"] for row in found]
                axes.bar(i, np.mean(values), color=COLOURS[name], label=LABELS[name])
                axes.plot([i] * len(values), values, "o", color="0.2", ms=3)
            every = [row["acc"] for found in of_task.values() for row in found]
            axes.set(title=task.upper(), ylim=(min(every) - 4, max(every) + 2), xticks=[])
        figure.axes[0].set_ylabel("test accuracy, %")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)


def curves(ctx: Context[Any], rows: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """Learning curves on the published sets."""
    caption = "Development accuracy while training, encoders of equal size, mean over seeds."
    with ctx.plot("curves", caption, 8.4, 3.2) as figure:
        for axes, (task, of_task) in zip(figure.subplots(1, len(rows)), rows.items(), strict=True):
            for name, found in of_task.items():
                values = 100 * np.mean([[h["val"] for h in row["history"]] for row in found], axis=0)
                axes.plot(np.arange(1, len(values) + 1), values, "o-", ms=3, color=COLOURS[name], label=LABELS[name])
            axes.set(title=task.upper(), xlabel="epoch")
        figure.axes[0].set_ylabel("accuracy, %")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)


def hardware(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Accuracy on product units, and cycles by kind of work over the sentence's length."""
    caption = (
        f"The trained network ({found['task']}) on the encoded-MAC array: accuracy by product unit, 8 bits, and cycles "
        "a sentence by kind of work on 64 × 64 cells with a vector unit of 64 lanes."
    )
    with ctx.plot("hardware", caption, 8.6, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        names = list(found["accuracy"])
        left.bar(range(len(names)), [found["accuracy"][name] for name in names], color=["0.6"] + ["C0"] * 9)
        left.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
        left.set(ylabel="test accuracy, %", ylim=(min(found["accuracy"].values()) - 3, 100))
        lengths = [int(n) for n in found["cycles"]]
        bottom = np.zeros(len(lengths))
        for i, work in enumerate(handover.WORK):
            values = np.array([found["cycles"][str(n)][work] for n in lengths])
            right.bar(range(len(lengths)), values, bottom=bottom, color=f"C{i}", label=work)
            bottom += values
        right.set_xticks(range(len(lengths)), [str(n) for n in lengths])
        right.set(xlabel="words", ylabel="cycles a sentence")
        right.legend(fontsize=8)
