"""Don't-care addresses of L-LUTs: counted over a training set, masked, and compressed under supervision.

An L-LUT is trained on the data's own codes, so most of its 2^{β·F} addresses never occur; a table may hold
anything there, and a mapper can use that freedom (ReducedLUT, arXiv 2412.18579, for the idea and the rarity
threshold). Filled carelessly this costs accuracy, because test data visit a few addresses that training data
do not. What keeps the loss small here:

* layers are compressed from the input on, and every layer is observed *after* the ones before it changed;
* `fill` is told how much every address matters, so that free entries stay near the original function;
* addresses within `margin` one-code steps of a seen one can be protected;
* optionally, training samples that are held out decide how rare an address may be, layer by layer. Test
  data are never used.

The filler is injected (`rtl.synth.lutmap.complete_table`), since this package knows nothing of synthesis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numba as nb
import numpy as np

from hwsim.ir.errors import UsageError, check_shape
from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.ir.lut_layers import Layer, code_dtype

Fill = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Progress = Callable[[int, int, str], None]
_BATCH = 8192  # samples whose codes are held at a time


@nb.njit(cache=True)
def _lookup(codes, connections, table, bits, counts, out):
    """out[s, k] = table[k, a] and counts[k, a] += 1, a = Σ_j code_j · 2^(β(F−1−j))."""
    n_out, fan_in = connections.shape
    for s in range(codes.shape[0]):
        for k in range(n_out):
            a = 0
            for j in range(fan_in):
                a = (a << bits) | np.int64(codes[s, connections[k, j]])
            counts[k, a] += 1
            out[s, k] = table[k, a]


@nb.njit(cache=True)
def _widen(seen, bits, fan_in, out):
    """out[a] = some address one code step (±1 in one code) from a, or a itself, is seen."""
    top = (1 << bits) - 1
    for a in range(len(seen)):
        found = seen[a]
        for j in range(fan_in):
            code = (a >> (bits * j)) & top
            if code > 0 and seen[a - (1 << (bits * j))]:
                found = True
            if code < top and seen[a + (1 << (bits * j))]:
                found = True
        out[a] = found


def step_layer(layer: Layer, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Output codes [batch, n_out] of one layer and the address counts int64 [n_out, 2^A] (None for adders)."""
    if not isinstance(layer, LutLayer):
        return np.concatenate([layer.reference(codes[i : i + _BATCH]) for i in range(0, len(codes), _BATCH)]), None
    counts = np.zeros(layer.table.shape, np.int64)
    out = np.empty((len(codes), layer.n_out), code_dtype(layer.bits_out))
    _lookup(codes, layer.connections, layer.table, layer.bits_in, counts, out)
    return out, counts


def observe(network: LutNetwork, codes: np.ndarray) -> tuple[np.ndarray | None, ...]:
    """How often every L-LUT sees every address: for each layer int64 [n_out, 2^A], None for adder layers.

    Args:
        network: the network.
        codes: input codes [samples, n_inputs] (see `LutNetwork.quantise`).
    """
    signal = network.check_codes(codes)
    found = []
    for layer in network.layers:
        signal, counts = step_layer(layer, signal)
        found.append(counts)
    return tuple(found)


def near(seen: np.ndarray, bits: int, fan_in: int, steps: int) -> np.ndarray:
    """Addresses at most `steps` one-code steps from a seen one, bool as `seen` [n_out, 2^A]."""
    for _ in range(steps):
        wide = np.empty_like(seen)
        for k in range(len(seen)):
            _widen(seen[k], bits, fan_in, wide[k])
        seen = wide
    return seen


def care_masks(layer: LutLayer, counts: np.ndarray, rarity: int = 1, margin: int = 0) -> np.ndarray:
    """Addresses that have to stay: seen at least `rarity` times, or `margin` steps from such a one.

    Args:
        layer: the layer.
        counts: int64 [n_out, 2^A] from `observe`.
        rarity: ≥ 1; 1 frees only what never occurred.
        margin: one-code steps of protection around them.
    """
    check_shape("counts", counts.shape, "[n_out, 2^A]", layer.table.shape)
    if rarity < 1 or margin < 0:
        raise UsageError.of("rarity, margin", (rarity, margin), "rarity ≥ 1, margin ≥ 0", "Raise them.")
    return near(counts >= rarity, layer.bits_in, layer.fan_in, margin)


def reachable_masks(network: LutNetwork) -> tuple[np.ndarray | None, ...]:
    """Exact don't-cares: addresses that no input can cause, bool [n_out, 2^A] (True = may occur).

    Two reasons are seen: a code that the L-LUT before never emits, and one signal read twice with two codes.
    """
    emitted = np.ones((network.n_inputs, 1 << network.input_bits), dtype=bool)
    masks: list[np.ndarray | None] = []
    for layer in network.layers:
        if not isinstance(layer, LutLayer):
            emitted, mask = np.ones((layer.n_out, 1 << layer.bits_out), dtype=bool), None
        else:
            mask = _reachable(layer, emitted)
            emitted = np.zeros((layer.n_out, 1 << layer.bits_out), dtype=bool)
            for k in range(layer.n_out):
                emitted[k, np.unique(layer.table[k, mask[k]])] = True
        masks.append(mask)
    return tuple(masks)


def _reachable(layer: LutLayer, emitted: np.ndarray) -> np.ndarray:
    address = np.arange(layer.table.shape[1])
    shifts = layer.bits_in * np.arange(layer.fan_in - 1, -1, -1)
    codes = (address[None, :] >> shifts[:, None]) & ((1 << layer.bits_in) - 1)
    mask = np.ones(layer.table.shape, dtype=bool)
    for k, sources in enumerate(layer.connections):
        for j, source in enumerate(sources):
            mask[k] &= emitted[source, codes[j]]
            first = int(np.flatnonzero(sources == source)[0])
            mask[k] &= codes[j] == codes[first]
    return mask


def with_layer(network: LutNetwork, index: int, layer: Layer) -> LutNetwork:
    """`network` with one layer replaced."""
    layers = list(network.layers)
    layers[index] = layer
    return replace(network, layers=tuple(layers))


@dataclass(frozen=True, eq=False)
class Compressed:
    """A network whose don't-care entries were filled anew.

    Attributes:
        network: completed tables, otherwise as before.
        care: addresses that were kept, bool [n_out, 2^A] a layer (None for adder layers).
        rarity: threshold used for every layer.
        held_out_loss: accuracy lost on the held-out samples, in points; None without them.
    """

    network: LutNetwork
    care: tuple[np.ndarray | None, ...]
    rarity: tuple[int, ...]
    held_out_loss: float | None


def fill_layer(layer: LutLayer, counts: np.ndarray, care: np.ndarray, fill: Fill) -> LutLayer:
    """Layer whose tables `fill` completed; entries under `care` are kept whatever it returns.

    The weight of an address is 1, or 4 one code step from a seen one: those are what new data visit.
    """
    close = near(counts > 0, layer.bits_in, layer.fan_in, 1)
    weight = np.where(close, np.float32(4), np.float32(1))
    table = layer.table.copy()
    for k in range(layer.n_out):
        filled = fill(layer.table[k].astype(np.uint16), care[k], weight[k])
        table[k] = np.where(care[k], layer.table[k], filled)
    return replace(layer, table=table)


def compress(
    network: LutNetwork,
    codes: np.ndarray,
    fill: Fill,
    *,
    rarity: Sequence[int] | int = 1,
    margin: Sequence[int] | int = 0,
    live: Sequence[np.ndarray] | None = None,
    progress: Progress | None = None,
) -> Compressed:
    """Complete every layer's tables with don't-cares from `codes`, from the first layer on.

    Args:
        network: the network.
        codes: training input codes [samples, n_inputs].
        fill: ``fill(table, care, weight) → table``: any table equal where `care` holds.
        rarity, margin: see `care_masks`; one value or one a layer.
        live: L-LUTs worth the work, bool [n_out] a layer; the others keep their tables.
        progress: called after every layer with (done, total, note).
    """
    thresholds = [rarity] * len(network.layers) if isinstance(rarity, int) else list(rarity)
    margins = [margin] * len(network.layers) if isinstance(margin, int) else list(margin)
    signal = network.check_codes(codes)
    masks: list[np.ndarray | None] = []
    for i, layer in enumerate(network.layers):
        after, counts = step_layer(layer, signal)
        mask = None
        if isinstance(layer, LutLayer) and counts is not None:
            mask = _kept(layer, counts, thresholds[i], margins[i], live, i)
            layer = fill_layer(layer, counts, mask, fill)
            network = with_layer(network, i, layer)
            after = step_layer(layer, signal)[0] if thresholds[i] > 1 else after
        masks.append(mask)
        signal = after
        if progress is not None:
            kept = "adders" if mask is None else f"{100 * mask.mean():.0f} % of addresses kept"
            progress(i + 1, len(network.layers), kept)
    return Compressed(network, tuple(masks), tuple(thresholds), None)


def compress_exact(network: LutNetwork, fill: Fill) -> LutNetwork:
    """Complete tables with exact don't-cares only: the network's outputs stay what they are for every input."""
    for i, mask in enumerate(reachable_masks(network)):
        layer = network.layers[i]
        if isinstance(layer, LutLayer) and mask is not None:
            network = with_layer(network, i, fill_layer(layer, mask.astype(np.int64), mask, fill))
    return network


def accuracy(network: LutNetwork, codes: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy in percent on labelled input codes."""
    signal = network.check_codes(codes)
    for layer in network.layers:
        signal, _ = step_layer(layer, signal)
    return 100.0 * float((network.classify(signal) == labels).mean())


def tune_rarity(
    network: LutNetwork,
    codes: np.ndarray,
    labels: np.ndarray,
    fill: Fill,
    *,
    candidates: Sequence[int] = (3, 2, 1),
    max_loss: float = 0.05,
    held_out: int = 10_000,
    live: Sequence[np.ndarray] | None = None,
    progress: Progress | None = None,
) -> Compressed:
    """Compress with the rarest thresholds that samples held out from `codes` allow.

    Layer by layer, on tables fitted without the last `held_out` samples: the first candidate whose loss on
    those, all layers so far compressed, stays within `max_loss` points; where none does, one-step margins
    around seen addresses, and a threshold of 1. Then all of `codes` fill the tables with these thresholds.
    Samples that the network was trained on flatter it: keep the candidates small.
    """
    if not 0 < held_out < len(codes):
        raise UsageError.of("held_out", held_out, f"1..{len(codes) - 1}", "Hold some samples out, and fit on some.")
    fit, hold, truth = codes[:-held_out], codes[-held_out:], labels[-held_out:]
    base = accuracy(network, hold, truth)
    trial, signal, lost = network, network.check_codes(fit), 0.0
    thresholds: list[int] = []
    margins: list[int] = []
    for i in range(len(network.layers)):
        for rarity, margin in [*((candidate, 0) for candidate in candidates), (1, 1)]:
            layer = _filled(network, i, signal, fill, rarity, margin, live)
            lost = base - accuracy(with_layer(trial, i, layer), hold, truth)
            if progress is not None:
                progress(i + 1, len(network.layers), f"rarity {rarity}, margin {margin}: {lost:+.2f} points held out")
            if lost <= max_loss or not isinstance(layer, LutLayer):
                break
        trial = with_layer(trial, i, layer)
        signal = step_layer(layer, signal)[0]
        thresholds.append(rarity)
        margins.append(margin)
    done = compress(network, codes, fill, rarity=thresholds, margin=margins, live=live)
    return replace(done, held_out_loss=lost)


def _filled(
    network: LutNetwork, i: int, signal: np.ndarray, fill: Fill, rarity: int, margin: int,
    live: Sequence[np.ndarray] | None,
) -> Layer:  # fmt: skip
    """Layer i with tables filled for the codes that reach it; adders as they are."""
    layer = network.layers[i]
    if not isinstance(layer, LutLayer):
        return layer
    counts = step_layer(layer, signal)[1]
    assert counts is not None
    return fill_layer(layer, counts, _kept(layer, counts, rarity, margin, live, i), fill)


def _kept(
    layer: LutLayer, counts: np.ndarray, rarity: int, margin: int, live: Sequence[np.ndarray] | None, i: int
) -> np.ndarray:
    mask = care_masks(layer, counts, rarity, margin)
    if live is not None:
        mask[~live[i]] = True
    return mask
