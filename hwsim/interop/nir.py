"""NIR graphs (neuroir.org) to `SpikingNet` and back; every way in which the two differ is named in a report.

NIR describes neurons in continuous time; both directions take one explicit Euler step of `dt` a step of the net:

    τ v' = v_leak − v + R·I       v ← (1 − dt/τ)·v + (dt/τ)·v_leak + (dt/τ)·R·W·s
    τ_syn I' = −I + w_in·S        I ← (1 − dt/τ_syn)·I + (dt/τ_syn)·w_in·W·s,  then v with the new I
    IF: v' = R·I                  v ← v + dt·R·W·s

NIR fires at v > v_threshold and then sets v ← v_reset. In integers v > x is v ≥ ⌊x⌋ + 1: import makes ``>=``
thresholds of it, and export writes θ − ½ for ``>=``, so both rules travel exactly. What NIR can not say (reset by
subtraction, refractory time, window neurons, pooling by the first spike) and what the chip can not do (recurrent or
branching graphs, time constants that differ inside a layer, other nodes) is refused with the node's name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.populations import Population
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Conv, Dense, Pool, Synapse

if TYPE_CHECKING:
    import nir

NEURONS = ("IF", "LIF", "CubaLIF")
WEIGHTS = ("Linear", "Affine", "Conv2d")


@dataclass(frozen=True)
class NirReport:
    """How faithful a conversion is.

    Attributes:
        exact: the two descriptions give the same spikes, in explicit Euler steps of dt.
        reasons: every difference, with its layer or node.
    """

    exact: bool
    reasons: tuple[str, ...]


def to_nir(net: SpikingNet) -> tuple[nir.NIRGraph, NirReport]:
    """Graph of a clocked net, in units of its integer codes (a weight is w·2^shift); dt = `step_us`.

    Raises:
        ArtifactError: a population or rule that NIR has no node for.

    Example:
        >>> from hwsim.ir.populations import threshold
        >>> layer = Layer(Dense(np.array([[3], [4]], np.int16)), Population("if", 1, threshold(5, 1)))
        >>> net = SpikingNet(2, 4, (layer,))
        >>> graph, report = to_nir(net)
        >>> graph.nodes["neurons0"].v_threshold.tolist(), report.exact
        ([4.5], True)
    """
    import nir

    if net.window:
        raise ArtifactError.of(
            "NIR export", "a window net (STD-ED)", "if, lif or cuba neurons", "NIR has no such node."
        )
    dt = net.step_us * 1e-6
    reasons: list[str] = []
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([net.n_inputs])})}
    shape: tuple[int, ...] = (net.n_inputs,)
    for i, layer in enumerate(net.layers):
        if isinstance(layer.synapse, Conv) and i == 0:
            shape = layer.synapse.in_shape
            nodes["input"] = nir.Input({"input": np.array(shape)})
        if not isinstance(layer.synapse, Conv) and len(shape) > 1:
            kind = {"input": np.array(shape)}
            nodes[f"flatten{i}"] = nir.Flatten(kind, start_dim=0, end_dim=-1)
        nodes[f"weights{i}"] = _weights_out(i, layer, shape)
        shape = layer.synapse.out_shape if isinstance(layer.synapse, Conv) else (layer.synapse.n_out,)
        if layer.population.kind != "readout":
            nodes[f"neurons{i}"] = _neurons_out(i, layer.population, shape, dt, reasons)
        elif len(layer.population.bias):
            raise ArtifactError.of(f"layer {i}: NIR export", "a readout with a bias", "none", "Drop the bias.")
        if layer.population.delay:
            nodes[f"delay{i}"] = nir.Delay(np.full(shape, layer.population.delay * dt))
    nodes["output"] = nir.Output({"output": np.array(shape)})
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)), type_check=False)  # nir 1.0 infers wrong shapes of flat kernels
    return graph, NirReport(not reasons, tuple(reasons))


def _weights_out(i: int, layer: Layer, shape: tuple[int, ...]) -> Any:
    import nir

    synapse, p = layer.synapse, layer.population
    if isinstance(synapse, Pool):
        raise ArtifactError.of(
            f"layer {i}: NIR export", "pooling by the first spike", "weights", "NIR has no such node."
        )
    leaks = p.kind == "lif" and p.v_loss
    scale = float(1 << synapse.shift) * ((1 << p.decay_bits) / p.v_loss if leaks else 1.0)  # τ/dt: R of a lif stays 1
    if isinstance(synapse, Conv):
        if shape != synapse.in_shape:
            got = f"a kernel on {synapse.in_shape} after {shape}"
            raise ArtifactError.of(f"layer {i}: NIR export", got, "an image of that shape", "NIR can not unflatten.")
        return nir.Conv2d(
            shape[1:], synapse.kernel * scale, synapse.stride, synapse.padding, 1, 1, np.zeros(len(synapse.kernel))
        )
    return nir.Linear(synapse.matrix().T * scale)


def _neurons_out(i: int, p: Population, shape: tuple[int, ...], dt: float, reasons: list[str]) -> Any:
    import nir

    for name, wrong in (("reset by subtraction", p.reset == "subtract"), ("a refractory time", p.refractory > 0),
                        ("a linear leak", p.leak == "linear" and p.kind != "if")):  # fmt: skip
        if wrong:
            raise ArtifactError.of(f"layer {i}: NIR export", name, "reset to a value, at once", "NIR can not say it.")
    one = float(1 << p.decay_bits)
    v_threshold = (p.threshold - (0.5 if p.compare == ">=" else 0.0)).reshape(shape)
    v_reset, ones = np.full(shape, float(p.reset_value)), np.ones(shape)
    if p.kind == "if" or (p.kind == "lif" and not p.v_loss):
        if p.bias.any():
            raise ArtifactError.of(f"layer {i}: NIR export", "an if population with a bias", "none", "Drop the bias.")
        return nir.IF(ones / dt, v_threshold, v_reset)
    if not p.v_loss or (p.kind == "cuba" and not p.i_loss):
        raise ArtifactError.of(f"layer {i}: NIR export", "a cuba population without a loss", "both", "Use if or lif.")
    reasons.append(f"layer {i}: decays round {p.leak.replace('_', ' ')} on the chip")
    if p.state_bits < 32:
        reasons.append(f"layer {i}: states saturate at {p.state_bits} bits on the chip")
    tau = dt * one / p.v_loss
    leak = (p.bias if len(p.bias) else np.zeros(p.n)).reshape(shape) * tau / dt
    if p.kind == "lif":
        return nir.LIF(ones * tau, ones, leak, v_threshold, v_reset)  # Norse reads R = 1 only
    syn = dt * one / p.i_loss
    reasons.append(f"layer {i}: NIR leaves open whether v sees the current of its own step; on the chip it does")
    return nir.CubaLIF(ones * syn, ones * tau, ones * tau / dt, leak, v_threshold, v_reset, ones * syn / dt)


def from_nir(
    graph: nir.NIRGraph,
    steps: int,
    dt: float = 1e-3,
    bits: int = 8,
    state_bits: int = 24,
    decay_bits: int = 12,
    fraction: int | None = None,
) -> tuple[SpikingNet, NirReport]:
    """Integer net of a chain of weights and neurons.

    Args:
        graph: Input → (Linear, Affine, Conv2d) → (IF, LIF, CubaLIF) → (Delay) → … → Output; Flatten anywhere.
        steps: of the net.
        dt: s, one step.
        bits: of the weights.
        state_bits, decay_bits: of the neurons.
        fraction: a code is weight·2^fraction; None: for each layer the largest power of two at which they fit.

    Raises:
        DataError: a node, edge or parameter that the chip can not do; the message names the node.
        ArtifactError: a threshold ≤ 0, or one that the state can not reach.
    """
    chain = _chain(graph)
    reasons: list[str] = []
    layers: list[Layer] = []
    at, shape = 0, tuple(int(n) for n in np.ravel(graph.nodes[chain[0]].input_type["input"]))
    n_inputs = int(np.prod(shape))
    names = [n for n in chain[1:-1] if type(graph.nodes[n]).__name__ != "Flatten"]
    while at < len(names):
        name, node = names[at], graph.nodes[names[at]]
        if type(node).__name__ not in WEIGHTS:
            expected = f"weights ({', '.join(WEIGHTS)})"
            raise DataError.of(
                f"NIR node {name}", type(node).__name__, expected, "The chip's layers begin with weights."
            )
        after = graph.nodes[names[at + 1]] if at + 1 < len(names) else None
        delay = graph.nodes[names[at + 2]] if at + 2 < len(names) else None
        delay = delay if type(delay).__name__ == "Delay" else None
        where = f"{name} → {names[at + 1]}" if after is not None else name
        layer = _layer_in(where, node, after, shape, (dt, bits, state_bits, decay_bits, fraction), reasons)
        if delay is not None:
            layer = Layer(layer.synapse, _delayed(names[at + 2], layer.population, delay, dt, reasons))
        shape = layer.synapse.out_shape if isinstance(layer.synapse, Conv) else (layer.synapse.n_out,)
        layers.append(layer)
        at += 3 if delay is not None else 2
    net = SpikingNet(n_inputs, steps, tuple(layers), step_us=dt * 1e6, meta={"source": "NIR"})
    return net, NirReport(not reasons, tuple(reasons))


def _chain(graph: nir.NIRGraph) -> list[str]:
    """Node names from Input to Output."""
    after: dict[str, str] = {}
    targets: set[str] = set()
    for a, b in graph.edges:
        if a in after or b in targets:
            raise DataError.of(f"NIR edge {a} → {b}", "a branching or recurrent graph", "a chain", "Take a chain out.")
        after[a] = b
        targets.add(b)
    starts = [n for n in graph.nodes if n not in targets]
    if len(starts) != 1 or type(graph.nodes[starts[0]]).__name__ != "Input":
        raise DataError.of("NIR graph", f"begins at {starts}", "one Input", "Connect every node once.")
    chain = [starts[0]]
    while chain[-1] in after:
        chain.append(after[chain[-1]])
    if len(chain) != len(graph.nodes) or type(graph.nodes[chain[-1]]).__name__ != "Output":
        raise DataError.of(
            "NIR graph", f"a chain of {chain}", "every node, Input to Output", "Connect every node once."
        )
    return chain


def _layer_in(where: str, node: Any, after: Any, shape: tuple, formats: tuple, reasons: list[str]) -> Layer:
    dt, bits, state_bits, decay_bits, fraction = formats
    kind = type(after).__name__ if after is not None else "readout"
    if kind not in (*NEURONS, "readout"):
        raise DataError.of(f"NIR node {where}", kind, f"one of {', '.join(NEURONS)}", "The chip has no such neuron.")
    gain, bias = 1.0, np.zeros(1)
    fields: dict[str, Any] = {}
    if kind != "readout":
        gain, fields, bias = _neuron_rule(where, kind, after, dt, decay_bits, reasons)
    weight = np.asarray(node.weight, np.float64) * gain
    scale, synapse = _synapse_in(where, node, weight, shape, (bits, fraction), reasons)
    extra = np.asarray(getattr(node, "bias", 0.0), np.float64).ravel() * gain
    if isinstance(synapse, Conv):
        extra = np.repeat(np.broadcast_to(extra, len(synapse.kernel)), synapse.n_out // len(synapse.kernel))
    per_step = np.broadcast_to(extra + np.ravel(bias), synapse.n_out) * scale
    n = synapse.n_out
    if kind == "readout":
        if per_step.any():
            raise DataError.of(f"NIR node {where}", "a bias at the readout", "none", "Move it behind the chip.")
        return Layer(synapse, Population("readout", n))
    rounded = np.rint(per_step)
    _note(reasons, where, "bias", np.abs(rounded - per_step).max())
    level = np.asarray(after.v_threshold, np.float64).ravel() * scale
    theta = np.floor(np.broadcast_to(level, n)) + 1
    if np.asarray(after.v_threshold).min() <= 0 or theta.max() >= 2**31:
        got = np.asarray(after.v_threshold).min()
        raise DataError.of(f"NIR node {where}: threshold", got, "above 0, and below 2^31 steps", "Scale the graph.")
    reset = _single(where, "v_reset", after.v_reset) * scale
    _note(reasons, where, "v_reset", abs(round(reset) - reset))
    return Layer(synapse, Population(
        threshold=theta.astype(np.int32), reset_value=round(reset), state_bits=state_bits,
        bias=rounded.astype(np.int32) if rounded.any() else np.zeros(0, np.int32), n=n, **fields,
    ))  # fmt: skip


def _neuron_rule(where: str, kind: str, node: Any, dt: float, k: int, reasons: list[str]) -> tuple[float, dict, Any]:
    """(gain of the weights, fields of the population, bias a step in units of v) of a NIR neuron."""
    r = _single(where, "r", node.r)
    if kind == "IF":
        return dt * r, {"kind": "if"}, np.zeros(1)
    loss = {}
    for name, source in (("v_loss", "tau" if kind == "LIF" else "tau_mem"), ("i_loss", "tau_syn")):
        if kind == "LIF" and name == "i_loss":
            continue
        tau = _single(where, source, getattr(node, source))
        if not tau >= dt:
            raise DataError.of(f"NIR node {where}: {source}", tau, f"dt = {dt} s or more", "Use a smaller dt.")
        exact = dt / tau * 2**k
        loss[name] = round(exact)
        _note(reasons, where, f"{source} in 1/{2**k}", abs(loss[name] - exact))
    reasons.append(f"{where}: decays round towards zero on the chip")
    share = loss["v_loss"] / 2**k
    bias = np.asarray(node.v_leak, np.float64) * share
    if kind == "LIF":
        return share * r, {"kind": "lif", "decay_bits": k, **loss}, bias
    reasons.append(f"{where}: NIR leaves open whether v sees the current of its own step; on the chip it does")
    gain = share * r * loss["i_loss"] / 2**k * _single(where, "w_in", node.w_in)
    return gain, {"kind": "cuba", "decay_bits": k, **loss}, bias


def _synapse_in(
    where: str, node: Any, weight: np.ndarray, shape: tuple, q: tuple[int, int | None], reasons: list[str]
) -> tuple[float, Synapse]:
    """(codes per unit of v, synapse)."""
    bits, fraction = q
    top = (1 << (bits - 1)) - 1
    sides = (float(weight.max(initial=0.0)) / top, -float(weight.min(initial=0.0)) / (top + 1))
    if not np.isfinite(weight).all():
        raise DataError.of(f"NIR node {where}: weights", "NaN or infinity", "finite weights", "Mend the graph.")
    widest = math.floor(-math.log2(max(sides)) + 1e-12) if max(sides) > 0 else 0
    f = min(widest, 24) if fraction is None else fraction
    if not -15 <= f <= min(widest, 24):
        got = f"{weight.min():g}…{weight.max():g} at fraction {f}"
        raise DataError.of(f"NIR node {where}: weights", got, f"{bits}-bit codes", "Use more bits or another fraction.")
    f, codes = min(f, 24), np.rint(weight * 2.0**f)
    _note(reasons, where, f"weights in {bits} bits", np.abs(codes - weight * 2.0**f).max(initial=0.0))
    fraction, shift = max(f, 0), max(-f, 0)
    scale = 2.0**f * 2**shift
    if type(node).__name__ != "Conv2d":
        return scale, Dense(np.ascontiguousarray(codes.T, np.int16), bits, fraction, shift)
    stride, padding = np.unique(np.ravel(node.stride)), np.unique(np.ravel(node.padding))
    plain = len(stride) == 1 and len(padding) == 1 and np.all(np.ravel(node.dilation) == 1) and node.groups == 1
    if not plain or padding.dtype.kind not in "iu" or len(shape) != 3:
        got = f"stride {node.stride}, padding {node.padding}, dilation {node.dilation}, groups {node.groups}"
        raise DataError.of(f"NIR node {where}", got, "equal strides and paddings, dilation 1, one group", "Expand it.")
    kernel = codes.astype(np.int16)
    return scale, Conv(kernel, shape, int(stride[0]), int(padding[0]), bits, fraction, shift)


def _single(where: str, name: str, values: Any) -> float:
    """The one value of an array."""
    unique = np.unique(np.asarray(values, np.float64))
    if len(unique) != 1:
        got = f"{len(unique)} values, {unique[0]} … {unique[-1]}"
        raise DataError.of(f"NIR node {where}: {name}", got, "one for all neurons", "Split the layer.")
    return float(unique[0])


def _delayed(name: str, p: Population, node: Any, dt: float, reasons: list[str]) -> Population:
    steps = _single(name, "delay", node.delay) / dt
    _note(reasons, name, "delay in steps", abs(round(steps) - steps))
    return replace(p, delay=round(steps))


def _note(reasons: list[str], where: str, what: str, lost: float) -> None:
    if lost > 1e-9:
        reasons.append(f"{where}: {what} rounded by up to {float(lost):.3g} steps")


def save(net: SpikingNet, path: str | Path) -> NirReport:
    """Write the graph of `to_nir` as an HDF5 file."""
    import nir

    graph, report = to_nir(net)
    nir.write(str(path), graph)
    return report


def load(path: str | Path, steps: int, dt: float = 1e-3, bits: int = 8) -> tuple[SpikingNet, NirReport]:
    """Read a NIR file; see `from_nir`.

    Raises:
        DataError: no such file, or one that nir does not read.
    """
    import nir

    try:
        graph = nir.read(str(path), type_check=False)
    except (OSError, KeyError, ValueError, AssertionError) as reason:
        raise DataError.of("NIR file", f"{path}: {reason}", "a file of nir.write", "Check the path.") from reason
    return from_nir(graph, steps, dt, bits)
