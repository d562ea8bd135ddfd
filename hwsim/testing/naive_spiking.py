"""`spiking_net` in plain Python: one sample, one event and one neuron at a time, from the rules as written."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from hwsim.ir.populations import Population
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Conv, Dense, Pool, Sparse, Synapse

Event = tuple[int, int, int]  # address, time, value


def synapses_of(synapse: Synapse, i: int) -> list[tuple[int, int]]:
    """(neuron, weight) of every synapse of input i."""
    if isinstance(synapse, Dense):
        return [(j, int(w)) for j, w in enumerate(synapse.weights[i])]
    if isinstance(synapse, Sparse):
        row = range(int(synapse.offsets[i]), int(synapse.offsets[i + 1]))
        return [(int(synapse.targets[k]), int(synapse.weights[k])) for k in row]
    if isinstance(synapse, Pool):
        to = int(synapse.targets()[i])
        return [(to, 1)] if to >= 0 else []
    return _conv_synapses(synapse, i)


def _conv_synapses(synapse: Conv, i: int) -> list[tuple[int, int]]:
    _, h, w = synapse.in_shape
    channel, row, col = i // (h * w), i // w % h, i % w
    channels, oh, ow = synapse.out_shape
    out = []
    for o in range(channels):
        for y in range(oh):
            for x in range(ow):
                a = row + synapse.padding - y * synapse.stride
                b = col + synapse.padding - x * synapse.stride
                if 0 <= a < synapse.kernel.shape[2] and 0 <= b < synapse.kernel.shape[3]:
                    out.append(((o * oh + y) * ow + x, int(synapse.kernel[o, channel, a, b])))
    return out


def decayed(p: Population, v: int, loss: int) -> int:
    """dec(v), see `hwsim.ir.populations`."""
    kept, sign = (1 << p.decay_bits) - loss, (v > 0) - (v < 0)
    if p.leak == "linear":
        return sign * max(abs(v) - loss, 0)
    if p.leak == "floor":
        return v * kept // (1 << p.decay_bits)
    return sign * (abs(v) * kept // (1 << p.decay_bits))


def clocked_layer(layer: Layer, events: list[Event], steps: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Spikes (neuron, time of firing) in order of time, then neuron; and the readout's sums."""
    p, arrivals = layer.population, defaultdict(list)
    for i, t, x in events:
        arrivals[t].append((i, x))
    u, v, held, z = [0] * p.n, [0] * p.n, [0] * p.n, [int(b) for b in p.bias] or [0] * p.n
    spikes = []
    for t in range(steps):
        current = [0] * p.n
        for i, x in arrivals[t]:
            for j, w in synapses_of(layer.synapse, i):
                current[j] += (x * w << layer.synapse.shift) if p.kind != "pool" else 1
        for j in range(p.n):
            if p.kind == "readout":
                z[j] += current[j]
                continue
            if p.kind == "pool":
                if current[j]:
                    spikes.append((j, t))
                continue
            a = current[j]
            if p.kind == "cuba":
                u[j] = a = min(max(decayed(p, u[j], p.i_loss) + a, p.low), p.high)
            b = int(p.bias[j]) if len(p.bias) else 0
            v[j] = min(max(decayed(p, v[j], p.v_loss) + b + a, p.low), p.high)
            if held[j]:
                held[j] -= 1
                v[j] = p.reset_value
            elif v[j] > p.threshold[j] or (p.compare == ">=" and v[j] == p.threshold[j]):
                spikes.append((j, t))
                v[j] = v[j] - int(p.threshold[j]) if p.reset == "subtract" else p.reset_value
                held[j] = p.refractory
    return spikes, z


def window_layer(layer: Layer, events: list[Event], steps: int) -> tuple[list[tuple[int, int]], list[int]]:
    """As `clocked_layer`, for one window of single spikes."""
    p, f = layer.population, layer.synapse.fraction
    total, moment, first = [0] * p.n, [0] * p.n, [steps] * p.n
    z = [int(b) for b in p.bias] or [0] * p.n
    for i, t, _ in events:
        for j, w in synapses_of(layer.synapse, i):
            total[j] += w
            moment[j] += w * t
            first[j] = min(first[j], t)
            z[j] += w * (2 * steps - t)
    spikes = []
    for tau in range(steps):
        for j in range(p.n):
            if p.kind == "pool" and first[j] == tau:
                spikes.append((j, tau))
            d = steps * total[j] - moment[j] - (steps << f) + tau * (total[j] + (1 << f))
            if p.kind == "window" and first[j] != -1 and d >= 0:
                spikes.append((j, tau))
                first[j] = -1
    return spikes, z


def spiking_net(net: SpikingNet, sample: np.ndarray) -> list[Any]:
    """`SpikingNet.reference` of one sample."""
    if net.window:
        events = [(i, int(t), 1) for i, t in enumerate(sample) if t >= 0]
    else:
        events = [(int(i), int(t), int(sample[t, i])) for t, i in np.argwhere(sample)]
    z: list[int] = []
    for layer in net.layers:
        run = window_layer if net.window else clocked_layer
        spikes, z = run(layer, events, net.steps)
        delay = layer.population.delay
        events = [(j, t + delay, 1) for j, t in spikes if t + delay < net.steps]
    if net.readout:
        return z
    out = [[0] * net.n_outputs for _ in range(net.steps)]
    for j, t, _ in events:
        out[t][j] = 1
    return out
