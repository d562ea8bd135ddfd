"""Float and integer kernels beside frameworks: 784-800-10, 100 steps, 5 % of the inputs a step, one thread.

A synaptic operation is a synapse that an event passes; all programs are credited with those of our run, whatever they
compute. Integer weights are the float ones rounded to 8 bits.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benches.evsnn import rivals, simulators
from benches.runner import Context
from benches.stats import cpu_rounds
from hwsim.evsnn import Chip, FloatChip
from hwsim.ir.errors import EquivalenceError
from hwsim.ir.events import Events
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet, threshold

SIZES, STEPS, RATE = (784, 800, 10), 100, 0.05
BETA, THETA, SCALE = 0.9, 22.0, 30.0
NO_FRAMEWORK = "none of snnTorch, SpikingJelly, NEST and SANA-FE is installed"


def network(rng: np.random.Generator) -> tuple[list[np.ndarray], SpikingNet]:
    """Float weights [n_in, n_out] ~ N(0, 1), and the integer network: v ← v − ⌊0.1 v⌋ + Σ w."""
    weights = [rng.normal(0, 1, shape) for shape in itertools.pairwise(SIZES)]
    layers = []
    for w in weights:
        codes = np.clip(np.rint(SCALE * w), -127, 127).astype(np.int16)
        n, loss = w.shape[1], round((1 - BETA) * 2**12)
        neurons = Population("lif", n, threshold(int(THETA * SCALE), n), v_loss=loss, state_bits=16)
        layers.append(Layer(Dense(codes), neurons))
    return weights, SpikingNet(SIZES[0], STEPS, tuple(layers), n_classes=SIZES[-1])


def measure(ctx: Context[Any]) -> dict[str, float]:
    """Synaptic operations a CPU second of every program."""
    rng = ctx.rng("speed")
    x = rng.random((ctx.config.speed_batch, STEPS, SIZES[0])) < RATE
    weights, net = network(rng)
    events, chip = Events.from_raster(x), Chip(net)
    floats = FloatChip([w.astype(np.float32) for w in weights], BETA, THETA, STEPS)
    first, integer = floats.run(events), chip.run(events)
    others = rivals.works(x, weights, BETA, THETA)
    _check(first, integer, others["torch_loop"]())
    best = cpu_rounds(
        {"float": lambda: floats.run(events), "int": lambda: chip.run(events), **others}, ctx.config.rounds
    )
    operations = {**dict.fromkeys(best, first.syn_fwd), "int": integer.counters["syn_fwd"]}
    rates = {name: operations[name] / seconds for name, seconds in best.items()}
    each = first.spikes[0] / ctx.config.speed_batch
    method = f"batch {ctx.config.speed_batch}, {each:.0f} hidden spikes a sample, CPU time of one thread"
    for name, rate in rates.items():
        ctx.metric(f"sop_per_s_{name}", rate, "1/s", n=ctx.config.rounds, method=method)
    rates |= _simulators(ctx, x[0], weights, floats)
    _ratios(ctx, rates)
    return rates


def _simulators(ctx: Context[Any], x: np.ndarray, weights: list[np.ndarray], floats: FloatChip) -> dict[str, float]:
    """Rates of event-driven simulators on one sample, and their spikes beside ours."""
    own, rates = floats.run(Events.from_raster(x[None])), {}
    spikes = own.spikes[0] + int(own.counts.sum())
    for name in simulators.installed():
        seconds, theirs = simulators.measure(name, x, weights, BETA, THETA, ctx.config.rounds)
        rates[name] = own.syn_fwd / seconds
        method = f"one sample, {theirs} spikes of neurons, ours {spikes}; simulation alone, CPU time of one thread"
        ctx.metric(f"sop_per_s_{name}", rates[name], "1/s", method=method)
    return rates


def _check(first: Any, integer: Any, loop: Any) -> None:
    """The torch loop has the float kernel's spikes but for rounding; the integer net about as many."""
    spikes = int(loop.sum()), int(first.counts.sum())
    if abs(spikes[0] - spikes[1]) > 2 + 0.01 * spikes[1]:
        raise EquivalenceError.of("spikes of the float kernel", spikes[1], spikes[0], "It differs from torch's loop.")
    hidden = len(integer.spikes[0]), first.spikes[0]
    if abs(hidden[0] - hidden[1]) > 0.2 * hidden[1]:
        raise EquivalenceError.of("hidden spikes of the integer net", hidden[0], hidden[1], "Mend its scale.")


def _ratios(ctx: Context[Any], rates: dict[str, float]) -> None:
    """To the best installed framework; to torch's loop under another name."""
    frameworks = {name: rates[name] for name in (*rivals.installed(), *simulators.installed())}
    for kind in ("float", "int"):
        method = f"{rates[kind]:.3g} over {rates['torch_loop']:.3g} SOP/s of a plain loop in torch; no framework"
        ctx.metric(f"sop_per_s_{kind}_ratio_torch_loop", rates[kind] / rates["torch_loop"], "×", method=method)
        if frameworks:
            top = max(frameworks, key=lambda name: frameworks[name])
            method = f"{rates[kind]:.3g} over {frameworks[top]:.3g} SOP/s of {top}, the best of {', '.join(frameworks)}"
            ctx.metric(f"sop_per_s_{kind}_ratio", rates[kind] / frameworks[top], "×", method=method)
    if not frameworks:
        ctx.note(f"sop_per_s_float_ratio and sop_per_s_int_ratio were not run: {NO_FRAMEWORK}; a plain loop stands in")
