"""Pictures of the bench of event-driven learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benches.evsnn.energy import PHASES, PRESETS
from benches.runner import Context

COLOURS = {"time steps": "C6", "MPD-ED": "C1", "STD-ED": "C0"}


def energy(ctx: Context[Any], table: Sequence[Mapping[str, Any]]) -> None:
    """Joules by learner, price and phase: all learners, and those by events alone, on a scale of their own."""
    learners = [name for name in COLOURS if any(row["learner"] == name for row in table)]
    _energy(ctx, table, learners, "energy", "A learning step a sample by phase, one panel a price.")
    _energy(ctx, table, learners[1:], "energy_events", "The same without time steps: by events, one panel a price.")


def _energy(
    ctx: Context[Any], table: Sequence[Mapping[str, Any]], learners: Sequence[str], name: str, caption: str
) -> None:
    """A panel a price, because prices differ by orders of magnitude."""
    columns = (len(PRESETS) + 1) // 2
    with ctx.plot(name, caption, 8.6, 4.6) as figure:
        panels = figure.subplots(2, columns).ravel()
        for axes, preset in zip(panels, PRESETS, strict=False):
            bottom = [0.0] * len(learners)
            for i, phase in enumerate(PHASES):
                values = [_pick(table, learner, preset, phase) / 1000 for learner in learners]
                axes.bar(learners, values, 0.7, bottom=bottom, color=f"C{(0, 1, 4)[i]}", label=phase)
                bottom = [a + b for a, b in zip(bottom, values, strict=True)]
            for i, value in enumerate(bottom):
                times = f"\n÷{bottom[0] / value:.1f}" if i and name == "energy" else ""
                axes.annotate(f"{value:.3g}{times}", (i, value), ha="center", va="bottom", fontsize=7)
            axes.set_title(preset, fontsize=9)
            axes.set_ylim(0, 1.18 * max(bottom))
            axes.set_xticks(range(len(learners)), [learner.replace(" ", "\n") for learner in learners], fontsize=7)
            axes.tick_params(axis="y", labelsize=8)
        for axes in panels[len(PRESETS) :]:
            axes.set_visible(False)
        for axes in panels[::columns]:
            axes.set_ylabel("µJ a sample")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)


def _pick(table: Sequence[Mapping[str, Any]], learner: str, preset: str, phase: str) -> float:
    wanted = (learner, preset, phase)
    return next(float(r["nJ"]) for r in table if (r["learner"], r["preset"], r["phase"]) == wanted)


def tradeoff(ctx: Context[Any], points: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Accuracy against energy, a mark a number of steps or ticks."""
    caption = "Test accuracy against the energy of a learning step (ANP-I's operation, memory by size); labels: T."
    with ctx.plot("accuracy_energy", caption, 6.0, 4.0) as figure:
        axes = figure.subplots()
        for name, listed in points.items():
            ordered = sorted(listed, key=lambda point: point[0])
            axes.semilogx([p[0] for p in ordered], [p[1] for p in ordered], "-o", color=COLOURS[name], label=name)
            for nj, accuracy, t in ordered:
                axes.annotate(f"{t:g}", (nj, accuracy), (4, 5), textcoords="offset points", fontsize=8)
        axes.set(xlabel="nJ a learning step", ylabel="accuracy, %")
        axes.legend(fontsize=8, loc="lower right")


def backward(ctx: Context[Any], made: Mapping[str, Any]) -> None:
    """Backward operations of each layer, by events and dense."""
    nets = {key: label for key, label in (("mpd", "MPD-ED"), ("mpd_quiet", "MPD-ED, spikes priced")) if key in made}
    caption = "Multiply-adds of the backward pass a sample, layer by layer, T = 4."
    with ctx.plot("backward", caption, 6.4, 3.6) as figure:
        axes = figure.subplots()
        dense = next(iter(made[key] for key in nets))["dense"]
        rows = {"time steps": dense, **{label: made[key]["event"] for key, label in nets.items()}}
        width = 0.8 / len(rows)
        for i, (label, values) in enumerate(rows.items()):
            places = [k + width * (i - (len(rows) - 1) / 2) for k in range(len(values))]
            axes.bar(places, values, 0.94 * width, label=label, color=("C6", "C1", "C4")[i])
            for x, value, base in zip(places, values, dense, strict=True):
                if i:
                    axes.annotate(f"÷{base / value:.1f}", (x, value), ha="center", va="bottom", fontsize=8)
        axes.set_yscale("log")
        axes.set_xticks(range(len(dense)), ["first", *[f"hidden {k}" for k in range(1, len(dense) - 1)], "readout"])
        axes.set(ylabel="multiply-adds a sample", ylim=(None, 3 * max(dense)))
        axes.legend(fontsize=8, ncols=len(rows), loc="upper right")


def raster(ctx: Context[Any], drawn: Mapping[str, Any]) -> None:
    """Spikes of one sample, layer after layer, each in its window."""
    steps, caption = drawn["steps"], "One sample in a shipped network: every layer fires in a window of its own."
    with ctx.plot("raster", caption, 7.2, 3.6) as figure:
        panels = figure.subplots(1, len(drawn["times"]) + 1, width_ratios=[2, 2, 1])
        names = ["input", *[f"hidden layer {i}" for i in range(1, len(drawn["times"]))]]
        for i, (axes, name) in enumerate(zip(panels, names, strict=False)):
            axes.plot(drawn["times"][i], drawn["addresses"][i], "|", color=f"C{i}", ms=3)
            axes.set(xlim=(-0.7, steps - 0.3), xlabel="tick", title=f"{name}: {len(drawn['times'][i])} spikes")
        panels[0].set_ylabel("neuron")
        panels[-1].barh(range(len(drawn["z"])), drawn["z"], color="C2")
        panels[-1].set(yticks=range(len(drawn["z"])), xlabel="z", ylabel="class", title="readout")
        panels[-1].tick_params(axis="x", labelsize=7)


def speed(ctx: Context[Any], rates: Mapping[str, float]) -> None:
    """Synaptic operations a second of every program."""
    labels = {"float": "hwsim, float32", "int": "hwsim, 8-bit", "torch_loop": "torch, plain loop"}
    ordered = sorted(rates.items(), key=lambda item: item[1])
    with ctx.plot("speed", "784-800-10, T = 100, 5 % of inputs a step, one thread.", 6.4, 2.4) as figure:
        axes = figure.subplots()
        names = [labels.get(name, name) for name, _ in ordered]
        own = ["C0" if name in ("float", "int") else "C6" for name, _ in ordered]
        axes.barh(names, [rate / 1e9 for _, rate in ordered], color=own)
        for i, (_, rate) in enumerate(ordered):
            axes.annotate(f" {rate / 1e9:.3g}", (rate / 1e9, i), va="center", fontsize=8)
        axes.set(xlabel="billion synaptic operations a CPU second")
        axes.margins(x=0.12)


def _learner(row: Mapping[str, Any]) -> str:
    return f"{row['data']}, T = {row['ticks']}" + (", every error" if row["skip"] == 1 else "")


def learning(ctx: Context[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Accuracy of the chip that learns, by epoch."""
    from matplotlib.ticker import MaxNLocator

    with ctx.plot("onchip", "Accuracy of the chip on test images while it learns; 8-bit weights.", 5.6, 3.4) as figure:
        axes = figure.subplots()
        for i, row in enumerate(rows):
            epochs = range(1, len(row["accuracy"]) + 1)
            axes.plot(epochs, row["accuracy"], "-o", ms=3, color=f"C{i}", label=_learner(row))
        axes.set(xlabel="epoch", ylabel="accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=8, loc="lower right")
