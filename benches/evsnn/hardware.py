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
from hwsim.ir.plasticity import Plasticity, lane_seeds
from hwsim.ir.spiking import Layer, SpikingNet

SHIFTS = (11, 5)  # fast learning: many weights change in few lessons


def learning_net(name: str, lanes: int = LANES, seed: int = 0) -> SpikingNet:
    """A shipped network that goes on learning."""
    from ml.evsnn import shipped

    net = shipped.load(name)
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)  # type: ignore[union-attr]
    last = net.layers[-1].synapse.fraction
    rule = Plasticity("std", SHIFTS, exp_shift(last, net.steps), seeds=lane_seeds(lanes, seed + 1))
    return replace(net, layers=layers, plasticity=rule)


def samples_of(name: str, net: SpikingNet, n: int) -> Any:
    """Events, labels and source of up to `n` samples for a shipped network."""
    if name == "digits_std":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return shipped_events(net, digits.data[:n].astype(int)), digits.target[:n], "scikit-learn's digits"
    images = mnist_test(n)
    return shipped_events(net, images.x), images.y, images.source


def measure(ctx: Context[Any], progress: Any) -> None:
    """RTL's figures, or why there are none."""
    try:
        _compare(ctx, progress)
    except ToolMissingError as error:
        for name in ("rtl_equal_samples", "rtl_equal_weights", "rtl_sop_per_cycle"):
            ctx.not_comparable(name, f"a tool is missing: {error}")


def _compare(ctx: Context[Any], progress: Any) -> None:
    """Samples whose outputs, cycles and counters agree; weights after the lessons; operations a cycle."""
    from rtl.cosim.verilate import Verilated
    from rtl.evsnn import build
    from rtl.evsnn.cosim import stream

    name, config = ctx.config.rtl_net, ctx.config
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
    ctx.metric("rtl_equal_samples", int(equal.sum()) if counters else 0, "", method=method)
    ctx.metric("rtl_samples", events.batch, "")
    rate = got.counters["syn_fwd"] / int(got.forward_cycles.sum())
    method = f"{name}, {LANES} lanes, forward pass, {got.forward_cycles.mean():.0f} cycles a sample, RTL's own counts"
    ctx.metric("rtl_sop_per_cycle", rate, "1/cycle", method=method)
    progress(2, 3, "inference")
    lessons = min(config.rtl_lessons, events.batch)
    _lessons(ctx, dut, plan, net, arch, events.samples(0, lessons), np.asarray(labels[:lessons], np.int64))


def _lessons(
    ctx: Context[Any], dut: Any, plan: Any, net: SpikingNet, arch: Any, events: Any, labels: np.ndarray
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
    ctx.metric("rtl_equal_weights", words, "", method=method)
    ctx.metric("rtl_weights", sum(w.size for w in shadows), "")
    same = (got.outputs == want.outputs).all(axis=1) & (got.learn_cycles == want.learn_cycles)
    ctx.metric("rtl_equal_lessons", int(same.sum()), "", method="answers and learning cycles")
    ctx.metric("rtl_lessons", len(labels), "")
