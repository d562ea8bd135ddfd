"""Recorded runs of Loihi, its integer N-MNIST network, and how many camera events a second the chip model takes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import cpu_rounds
from hwsim.evsnn import Chip, load_nmnist_net, load_recording, loihi_layer, moving_bars, trace_mismatches
from hwsim.interop.aer import bin_events, read_npz
from hwsim.ir.events import Events
from hwsim.ir.spiking import SpikingNet

MISSING = "no {} in $HWSIM_DATA; docs/data.md says where it comes from"


def measure(ctx: Context[Any]) -> None:
    """Traces, correct samples and events a second; without the recordings a stand-in under another name."""
    root = Path(os.environ.get("HWSIM_DATA") or "no-data-folder")
    recordings, events = root / "loihi", root / "nmnist" / "nmnist_test100.npz"
    if (recordings / "w1learned.txt").exists():
        wrong = trace_mismatches(load_recording(recordings))
        method = "250-25-1, 500 steps; " + ", ".join(f"{name} {count}" for name, count in wrong.items())
        ctx.metric("loihi_trace_mismatches", sum(wrong.values()), "", method=method)
        ctx.record_data("loihi", "$HWSIM_DATA", "recorded traces and the integer N-MNIST network")
    else:
        ctx.not_comparable("loihi_trace_mismatches", MISSING.format("loihi"))
    if (recordings / "NMNISTFc1.txt").exists() and events.exists():
        _nmnist(ctx, load_nmnist_net(recordings), events)
    else:
        for name in ("loihi_nmnist_correct", "nmnist_events_per_s"):
            ctx.not_comparable(name, MISSING.format("loihi and nmnist"))
    _bars(ctx)


def _nmnist(ctx: Context[Any], net: SpikingNet, path: Path) -> None:
    recording = read_npz(path)
    events, chip = bin_events(recording, net.steps), Chip(net)
    answer = chip.run(events)
    assert answer.classes is not None
    ctx.metric("loihi_nmnist_correct", int((answer.classes == recording.labels).sum()), "", n=events.batch)
    ctx.record_data("nmnist", "$HWSIM_DATA", "100 test samples")
    _rate(ctx, "nmnist_events_per_s", chip, events, "N-MNIST test samples")


def _rate(ctx: Context[Any], name: str, chip: Chip, events: Events, what: str) -> None:
    """Input events a CPU second of one thread."""
    best = cpu_rounds({"chip": lambda: chip.run(events)}, ctx.config.rounds)["chip"]
    sizes = "-".join(str(layer.population.n) for layer in chip.net.layers)
    method = f"{chip.net.n_inputs}-{sizes}, {events.batch} {what}, CPU time of one thread, counters on"
    ctx.metric(name, len(events) / best, "1/s", n=ctx.config.rounds, method=method)


def _bars(ctx: Context[Any]) -> None:
    """The same size of network with random weights, on generated events."""
    rng = ctx.rng("bars network")
    sizes = (2 * 34 * 34, 512, 10)
    layers = [loihi_layer(2 * rng.integers(-25, 26, (n_out, n_in))) for n_in, n_out in itertools.pairwise(sizes)]
    net = SpikingNet(sizes[0], 300, tuple(layers), n_classes=10)
    recording = moving_bars(40, seed=ctx.seed, edge=34, noise=2000)
    _rate(ctx, "bars_events_per_s", Chip(net), bin_events(recording, 300), "generated moving bars")


def raster(net: SpikingNet, events: Events) -> dict[str, Any]:
    """Times and addresses of every layer's spikes of one sample, for the plot."""
    result = Chip(net).run(events)
    layers = [events, *result.spikes]
    return {
        "times": [layer.time.tolist() for layer in layers],
        "addresses": [layer.address.tolist() for layer in layers],
        "steps": net.steps,
        "z": np.asarray(result.outputs)[0].tolist(),
    }
