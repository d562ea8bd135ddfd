"""Joules of a whole learning step, forward, backward and update apart: time-step surrogates ÷ ours.

Ours are counts of the chip model (`benches.evsnn.onchip`), as a mean over a training from random weights (STD-ED) or
over lessons of a trained network (MPD-ED). The time-step learner holds the same layers and touches every synapse in
each of its T steps, three times: forward, error, weight change; it writes every weight once. Each side runs at the
smallest T within 0.1 point of its best accuracy. Sums build up in registers on both sides.

| counted | ours | time steps |
|---|---|---|
| syn_fwd, weight_rd | synapses an event passed | T·synapses |
| neuron_access, state_rd, state_wr | visits of neurons; 3 words a logged event | T·neurons |
| err_op (a multiply-add) | 2 a (event, active neuron) pair, and a state read for each pair | 2·T·synapses |
| weight_rd, weight_wr of learning | 1 a pair | T·synapses, synapses |

`anp1_sram` is the bar's price: ANP-I's 1.5 pJ for every operation and visit, and memory by its size after Horowitz. A
platform without a figure for learning pays a synaptic operation.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from benches.evsnn import onchip, training
from benches.evsnn.inputs import found
from benches.runner import Context
from hwsim.core.energy import Energy, EnergyEntry, energy_of_entries, sram_read64, technology
from hwsim.evsnn.energy import INSIDE, PLATFORMS, cmos45_entries, timestep_counters
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet, threshold

BAR = "anp1_sram"
PRESETS = (BAR, *PLATFORMS, "cmos45")
PHASES = ("forward", "backward", "update")
WITHIN = 0.1  # points
STATE_BITS = 32
Counts = dict[str, dict[str, float]]
Side = dict[str, Any]


def smallest(points: list[list[float]], within: float = WITHIN) -> tuple[int, float]:
    """The smallest T, and its accuracy, of [[T, percent], …] that comes within `within` points of the best.

    >>> smallest([[1, 97.0], [2, 98.3], [4, 98.38]])
    (2, 98.3)
    """
    best = max(accuracy for _, accuracy in points)
    t, accuracy = min(point for point in points if point[1] >= best - within)
    return int(t), accuracy


def ours(row: Mapping[str, Any], every_synapse: bool = False) -> Counts:
    """Counts a sample by phase of a row of `benches.evsnn.onchip`; `every_synapse`: sums lie in the state memory."""
    n, forward, backward = row["samples"], row["forward"], row["backward"]
    log, pairs = row["logged"] / n, backward["err_pair"] / n
    words = {name: forward[name] / n for name in ("syn_fwd", "neuron_access", "weight_rd")}
    states = log + words["neuron_access"] + (words["syn_fwd"] if every_synapse else 0.0)
    words |= {"state_rd": states, "state_wr": states}
    learned = {"err_op": 2 * pairs, "weight_rd": backward["weight_rd"] / n, "state_rd": pairs + log}
    return {"forward": words, "backward": learned, "update": {"weight_wr": backward["weight_wr"] / n}}


def time_steps(net: SpikingNet, steps: int, forward: Mapping[str, float] | None = None) -> Counts:
    """Counts of one sample of time-step learning; `forward` replaces the dense forward pass."""
    dense, back = timestep_counters(net, steps)
    names = ("syn_fwd", "neuron_access", "weight_rd", "state_rd", "state_wr")
    return {
        "forward": dict(forward) if forward else {name: float(dense[name]) for name in names},
        "backward": {"err_op": back["err_pair"], "weight_rd": back["weight_rd"], "state_rd": back["state_rd"]},
        "update": {"weight_wr": back["weight_wr"]},
    }


def entries(net: SpikingNet, preset: str) -> dict[str, dict[str, EnergyEntry]]:
    """Prices by phase and count; `net` gives arithmetic and memory sizes."""
    if preset == "cmos45":
        found_entries = cmos45_entries(net)
        half = found_entries["backward"]["err_pair"]
        return {
            **found_entries,
            "backward": {
                "err_op": _times(half, 0.5), "weight_rd": found_entries["backward"]["weight_rd"],
                "state_rd": found_entries["forward"]["state_rd"],
            },
        }  # fmt: skip
    table = technology("anp1" if preset == BAR else preset)
    op = table["syn_fwd"]
    learn = {"err_op": replace(op, event="err_op")}
    if preset != BAR:
        return {"forward": dict(table), "backward": learn, "update": dict(table)}
    cost = net.cost().values
    weights, states = sram_read64(cost["weight_bits"] / 8), sram_read64(max(1.0, cost["state_bits"] / 8))
    word = _times(states, STATE_BITS / 64)
    forward = {
        "syn_fwd": op, "neuron_access": op, "weight_rd": _times(weights, 8 / 64), "state_rd": word, "state_wr": word,
    }  # fmt: skip
    backward = {**learn, "weight_rd": _times(weights, 16 / 64), "state_rd": word}
    return {"forward": forward, "backward": backward, "update": {"weight_wr": _times(weights, 16 / 64)}}


def _times(entry: EnergyEntry, k: float) -> EnergyEntry:
    return replace(entry, energy_pj=k * entry.energy_pj, low_pj=k * entry.low_pj, high_pj=k * entry.high_pj)


def joules(net: SpikingNet, counts: Counts, preset: str) -> dict[str, Energy | None]:
    """Picojoule a sample by phase; None where a platform prices nothing of it apart."""
    prices = entries(net, preset)
    inside = () if preset == BAR else INSIDE[preset]
    found_energy = {}
    for phase in PHASES:
        priced = {k: n for k, n in counts[phase].items() if k in prices[phase] or k not in inside}
        found_energy[phase] = energy_of_entries(priced, prices[phase])  # type: ignore[arg-type]
    return found_energy


def total(parts: Mapping[str, Energy | None], column: str = "total_pj") -> float:
    """Sum of the phases."""
    return sum(getattr(part, column) for part in parts.values() if part is not None)


def twin(net: SpikingNet) -> SpikingNet:
    """A clocked net of the same sizes and 16-bit weights: what the time-step learner holds."""
    sizes = [net.n_inputs, *(layer.population.n for layer in net.layers)]
    layers = []
    for n_in, n in itertools.pairwise(sizes):
        synapse = Dense(np.zeros((n_in, n), np.int16)).with_shadow()
        layers.append(Layer(synapse, Population("if", n, threshold(1, n))))
    layers[-1] = Layer(layers[-1].synapse, Population("readout", sizes[-1]))
    return SpikingNet(sizes[0], 1, tuple(layers), n_classes=sizes[-1])


def mpd_lessons(ctx: Context[Any], steps: int) -> tuple[SpikingNet, dict[str, Any]]:
    """The trained MPD-ED network of `steps` steps in integers, and counts of its lessons on training images."""
    from ml.evsnn.export import to_ir
    from ml.evsnn.train import restore

    data = found("mnist")
    assert data is not None
    model, spec = restore(training.folder_of(f"mpd_t{steps}", ctx.seed, ctx.config.train_dir))
    net = to_ir(model)
    first, last = (layer.synapse.fraction for layer in net.layers)
    softmax = max(0, last + steps.bit_length() - 1 - 5)
    rule = Plasticity(
        "mpd", (30, 30), softmax, seeds=lane_seeds(onchip.LANES), surrogate_bits=min(16, first + 8),
        trace=trace_table(spec.leak, steps),
    )  # fmt: skip
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)  # type: ignore[union-attr]
    net = replace(net, layers=layers, plasticity=rule)
    x, y = np.asarray(data.x_train[: ctx.config.lessons]), np.asarray(data.y_train[: ctx.config.lessons])
    events = Events.from_raster(np.repeat(x[:, None].astype(np.int16), steps, axis=1))
    return net, onchip.replayed(net, events, y.astype(np.int64))


def measure(ctx: Context[Any], rows: list[dict[str, Any]], steps: dict[str, list[list[float]]] | None) -> Any:
    """Ratios under every price and joules by phase; what the plots need.

    Args:
        rows: of `onchip.measure`, the last one with skip 1.
        steps: of `training.by_steps`, None where MNIST is not here.
    """
    rows, every = rows[:-1], rows[-1]
    learned = [[row["ticks"], row["accuracy"][-1]] for row in rows]
    t_std, acc_std = smallest(learned)
    row = next(row for row in rows if row["ticks"] == t_std)
    data = row["data"]
    net = onchip.fresh((784, 400, 10) if data == "mnist" else (64, 64, 10), t_std, ctx.seed)
    t_step, acc_step = smallest(steps["stbp"]) if steps else (4, 0.0)
    short = "" if data == "mnist" else "_digits"
    suffix = short or ("" if steps else f"_t{t_step}")  # no measured T of the time-step learner: another name
    sides: dict[str, Side] = {
        "time steps": {"net": twin(net), "counts": time_steps(twin(net), t_step), "T": t_step, "acc": acc_step},
        "STD-ED": {"net": net, "counts": ours(row), "T": t_std, "acc": acc_std},
    }
    if steps:
        t_mpd, acc_mpd = smallest(steps["mpd"])
        mpd, lessons = mpd_lessons(ctx, t_mpd)
        sides["MPD-ED"] = {"net": mpd, "counts": ours(lessons), "T": t_mpd, "acc": acc_mpd}
    _learning(ctx, sides["STD-ED"], short)
    table = _table(sides)
    _write(ctx, table)
    for name, method in (("std", "STD-ED"), ("mpd", "MPD-ED")):
        if method in sides:
            _ratios(ctx, f"onchip_energy_ratio_{name}", suffix, sides["time steps"], sides[method])
    if steps:
        _variants(ctx, sides, row, every)
    return {"table": table, "learned": learned, "steps": steps, "points": _points(ctx, net, rows, steps)}


def _learning(ctx: Context[Any], side: Side, suffix: str) -> None:
    counts = side["counts"]
    priced = joules(side["net"], counts, "anp1")
    learning = {phase: priced[phase] for phase in ("backward", "update")}
    method = f"{counts['backward']['err_op']:.0f} multiply-adds at 1.5 pJ a sample, mean over the training"
    ctx.metric(f"learning_nj_per_sample_anp1{suffix}", total(learning) / 1000, "nJ", method=method)
    forward = total({"forward": priced["forward"]})
    ctx.metric(f"forward_nj_per_sample_anp1{suffix}", forward / 1000, "nJ", method="synaptic operations at 1.5 pJ")


def _ratios(ctx: Context[Any], metric: str, suffix: str, top: Side, side: Side) -> None:
    for preset in PRESETS:
        parts = [joules(s["net"], s["counts"], preset) for s in (top, side)]
        ends = [total(parts[0], c) / total(parts[1], c) for c in ("total_pj", "low_pj", "high_pj")]
        name = metric + suffix + ("" if preset == BAR else f"_{preset}")
        split = ["/".join(f"{total({p: part[p]}) / 1000:.1f}" for p in PHASES) for part in parts]
        method = (
            f"T = {top['T']} over T = {side['T']}{_reached(top, side)}; forward/backward/update "
            f"{split[0]} over {split[1]} nJ"
        )
        ctx.metric(name, ends[0], "×", low=min(ends), high=max(ends), method=method)


def _reached(top: Side, side: Side) -> str:
    return f" ({top['acc']:.2f} and {side['acc']:.2f} %)" if top["acc"] else ""


def _variants(ctx: Context[Any], sides: dict[str, Side], row: dict[str, Any], every: dict[str, Any]) -> None:
    """Other comparisons for STD-ED at the bar's price: a cleverer time-step learner, dearer lessons of ours."""
    top, side = sides["time steps"], sides["STD-ED"]
    _, lessons = mpd_lessons(ctx, top["T"])
    sparse = time_steps(top["net"], top["T"], ours(lessons)["forward"])
    first = top["net"].layers[0].synapse
    once = time_steps(top["net"], top["T"])
    spared = (top["T"] - 1) * first.n_in * first.n_out  # products of the constant input, formed in one step only
    for phase, name, times in (
        ("forward", "syn_fwd", 1), ("forward", "weight_rd", 1), ("backward", "err_op", 2), ("backward", "weight_rd", 1)
    ):  # fmt: skip
        once[phase][name] -= times * spared
    dear = ours(row, every_synapse=True)
    late = ours(row["last"])
    for name, above, below, what in (
        ("last_epoch", top["counts"], late, "lessons of the last epoch in place of the whole training's"),
        ("every_error", top["counts"], ours(every), f"every error changes weights; ours at T = {every['ticks']}"),
        ("sparse_forward", sparse, side["counts"], "time steps with an event-driven forward pass, MPD-ED's activity"),
        ("input_once", once, side["counts"], "time steps that multiply their constant input once"),
        ("state_per_synapse", top["counts"], dear, "our sums read from and written to a memory at every synapse"),
    ):
        ratio = total(joules(top["net"], above, BAR)) / total(joules(side["net"], below, BAR))
        text = f"{what}; T = {top['T']} over T = {side['T']}"
        ctx.metric(f"onchip_energy_ratio_std_{name}", ratio, "×", method=text)


def _table(sides: dict[str, Side]) -> list[dict[str, Any]]:
    out = []
    for name, side in sides.items():
        for preset in PRESETS:
            for phase, energy in joules(side["net"], side["counts"], preset).items():
                columns = ("total_pj", "low_pj", "high_pj")
                values = [getattr(energy, c) / 1000 if energy is not None else 0.0 for c in columns]
                counted = "; ".join(f"{k} {n:.1f}" for k, n in side["counts"][phase].items())
                out.append(
                    {"learner": name, "T": side["T"], "preset": preset, "phase": phase, "nJ": values[0],
                     "low": values[1], "high": values[2], "priced": energy is not None, "counts a sample": counted}
                )  # fmt: skip
    return out


def _write(ctx: Context[Any], table: list[dict[str, Any]]) -> None:
    path = ctx.folder / "energy.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    ctx.file(path, "table", "Energy of a learning step a sample, by learner, price and phase, with operation counts.")


def _points(
    ctx: Context[Any], net: SpikingNet, rows: list[dict[str, Any]], steps: dict[str, list[list[float]]] | None
) -> dict[str, list[list[float]]]:
    """Accuracy against energy at the bar's price: [[nJ, percent, T], …] by learner."""
    out = {"STD-ED": [
        [total(joules(net, ours(row), BAR)) / 1000, row["accuracy"][-1], row["ticks"]] for row in rows
    ]}  # fmt: skip
    if steps:
        other = twin(net)
        out["time steps"] = [
            [total(joules(other, time_steps(other, int(t)), BAR)) / 1000, a, t] for t, a in steps["stbp"]
        ]
        out["MPD-ED"] = []
        for t, accuracy in steps["mpd"]:
            mpd, lessons = mpd_lessons(ctx, int(t))
            out["MPD-ED"].append([total(joules(mpd, ours(lessons), BAR)) / 1000, accuracy, t])
    return out
