"""The RTL core beside its model: answers, cycles and counters of samples, weights after lessons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benches.evsnn.inputs import mnist_test, shipped_events
from benches.evsnn.onchip import LANES, exp_shift
from benches.runner import Context
from hwsim.evsnn import learn, simulate
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ToolMissingError
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.spiking import Layer, SpikingNet

SHIFTS = (11, 5)  # fast learning: many weights change in few lessons
MPD_NET, MPD_SHIFTS, MPD_SURROGATE = "digits_mpd", (18, 14, 7), 6


def learning_net(name: str, lanes: int = LANES, seed: int = 0) -> SpikingNet:
    """A shipped network that goes on learning."""
    from ml.evsnn import shipped

    net = shipped.load(name)
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)  # type: ignore[union-attr]
    last = net.layers[-1].synapse.fraction
    more: dict[str, Any] = {"exp_shift": exp_shift(last, net.steps), "seeds": lane_seeds(lanes, seed + 1)}
    if net.window:
        return replace(net, layers=layers, plasticity=Plasticity("std", SHIFTS, **more))
    first = net.layers[0].population
    more["trace"] = trace_table(1 - first.v_loss / 2**first.decay_bits, net.steps)
    return replace(net, layers=layers, plasticity=Plasticity("mpd", MPD_SHIFTS, surrogate_bits=MPD_SURROGATE, **more))


def samples_of(name: str, net: SpikingNet, n: int) -> Any:
    """Events, labels and source of up to `n` samples for a shipped network."""
    if name.startswith("digits"):
        from sklearn.datasets import load_digits

        from ml.evsnn import shipped

        digits = load_digits()
        return shipped.events(net, digits.data[:n].astype(int)), digits.target[:n], "scikit-learn's digits"
    images = mnist_test(n)
    return shipped_events(net, images.x), images.y, images.source


def measure(ctx: Context[Any], progress: Any) -> None:
    """RTL's figures, or why there are none."""
    for at, (prefix, name) in enumerate((("rtl", ctx.config.rtl_net), ("rtl_mpd", MPD_NET))):
        try:
            _compare(ctx, prefix, name, lambda done, total, note, at=at: progress(done + 3 * at, 2 * total, note))
        except ToolMissingError as error:
            for part in ("equal_samples", "equal_weights", "sop_per_cycle"):
                ctx.not_comparable(f"{prefix}_{part}", f"a tool is missing: {error}")


def _compare(ctx: Context[Any], prefix: str, name: str, progress: Any) -> None:
    """Samples whose outputs, cycles and counters agree; weights after the lessons; operations a cycle; its area."""
    from rtl.cosim.verilate import Verilated
    from rtl.evsnn import build
    from rtl.evsnn.cosim import stream

    config = ctx.config
    net = learning_net(name, seed=ctx.seed)
    arch = EvsnnArch.fitting(net)
    events, labels, source = samples_of(name, net, config.rtl_samples)
    core = build(net, arch)
    dut, plan = Verilated(core, optimise="-O1"), core.plan
    progress(1, 3, "built")
    got, want = stream(dut, plan, net, events), simulate(net, events, arch)
    equal = (got.outputs == want.outputs).all(axis=1) & (got.forward_cycles == want.sample_cycles)
    counters = all(got.counters[key] == want.counters[key] for key in want.counters)
    method = f"{name}, {source}: outputs and cycles of each sample; counters {'equal' if counters else 'DIFFER'}"
    ctx.metric(f"{prefix}_equal_samples", int(equal.sum()) if counters else 0, "", method=method)
    ctx.metric(f"{prefix}_samples", events.batch, "")
    rate = got.counters["syn_fwd"] / int(got.forward_cycles.sum())
    method = f"{name}, {LANES} lanes, forward pass, {got.forward_cycles.mean():.0f} cycles a sample, RTL's own counts"
    ctx.metric(f"{prefix}_sop_per_cycle", rate, "1/cycle", method=method)
    progress(2, 3, "inference")
    if config.rtl_area:
        _area(ctx, prefix, name, dut.design)
    lessons = min(config.rtl_lessons, events.batch)
    _lessons(ctx, prefix, dut, plan, net, arch, events.samples(0, lessons), np.asarray(labels[:lessons], np.int64))


def _lessons(
    ctx: Context[Any], prefix: str, dut: Any, plan: Any, net: SpikingNet, arch: Any, events: Any, labels: np.ndarray
) -> None:
    """Words of the weight memory after all lessons, and answers and cycles during them."""
    from rtl.evsnn.cosim import stream

    got = stream(dut, plan, net, events, labels)
    after, want = learn(net, events, labels, arch)
    shadows = [layer.synapse.to_tensors()[0]["shadow"] for layer in after.layers]
    words = sum(int((a == b).sum()) for a, b in zip(got.shadows, shadows, strict=True))
    changed = sum(
        int((layer.synapse.to_tensors()[0]["shadow"] != b).sum()) for layer, b in zip(net.layers, shadows, strict=True)
    )
    method = f"after {len(labels)} lessons; {changed} of them changed"
    ctx.metric(f"{prefix}_equal_weights", words, "", method=method)
    ctx.metric(f"{prefix}_weights", sum(w.size for w in shadows), "")
    same = (got.outputs == want.outputs).all(axis=1) & (got.learn_cycles == want.learn_cycles)
    ctx.metric(f"{prefix}_equal_lessons", int(same.sum()), "", method="answers and learning cycles")
    ctx.metric(f"{prefix}_lessons", len(labels), "")


def _area(ctx: Context[Any], prefix: str, name: str, design: Any) -> None:
    """Look-up tables and registers of the core that learns."""
    from rtl.synth.yosys import synthesize

    report = synthesize(design.sources, design.top, timeout_s=3600)
    assert report.lut6_equiv is not None  # UltraScale+ has both
    assert report.ff is not None
    method = f"yosys, UltraScale+, core for {name}, {LANES} lanes; {report.cells.get('DSP48E2', 0)} DSP blocks"
    ctx.metric(f"{prefix}_lut", report.lut6_equiv, "", method=f"{method}; pairs of outputs share a LUT6")
    ctx.metric(f"{prefix}_ff", report.ff, "", method=method)
