"""Clocked layers of a spiking net on the CPU: kernels chosen by proof of their ranges, spikes merged into order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from hwsim.evsnn import kernels_clocked as kernels
from hwsim.ir.populations import Population
from hwsim.ir.spiking import Layer
from hwsim.ir.synapses import Conv, Dense, Pool, Sparse

BLOCK_BYTES = 1 << 20  # weights of a block: what a core's second-level cache holds
_NONE = np.zeros(0, np.int16)
_NO_PROBE = np.zeros((0, 0, 0), np.int32)


@dataclass(frozen=True, eq=False)
class Spikes:
    """Events of all samples, sorted by slot = sample·steps + step, then by address.

    Attributes:
        address: int32 [n].
        cuts: int64 [batch·steps + 1]; slot s holds address[cuts[s] : cuts[s + 1]].
        values: int16 [n], or [0]: each 1.
        rising: addresses rise inside every slot, so none comes twice; False: not known.
    """

    address: np.ndarray
    cuts: np.ndarray
    values: np.ndarray
    rising: bool = False


@dataclass(frozen=True, eq=False)
class ClockedLayer:
    """A layer ready to run: weights in blocks of neurons, each contiguous by input.

    Attributes:
        layer: the artifact's.
        blocks: dense: int8 or int16 [n_in, block] each; sparse: the weights [n].
        rows: offsets and targets of sparse layers.
        narrow: neither products nor sums leave 32 bits for binary events at different addresses.
        bound: Σ |w| of the worst neuron: the largest current of binary events at different addresses.
    """

    layer: Layer
    blocks: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, np.ndarray] | None
    narrow: bool
    bound: int


def prepare(layer: Layer) -> ClockedLayer:
    """`layer` as blocks of weights for the kernels."""
    p, synapse = layer.population, layer.synapse
    if isinstance(synapse, Dense):
        weights = synapse.weights.astype(np.int8 if synapse.bits <= 8 else np.int16)
        width = max(64, BLOCK_BYTES // (weights.itemsize * synapse.n_in) // 64 * 64)
        cuts = range(0, synapse.n_out, width)
        blocks = tuple(np.ascontiguousarray(weights[:, c : c + width]) for c in cuts)
        bound = int(np.abs(synapse.weights.astype(np.int64)).sum(axis=0).max())
        rows = None
    else:
        sparse = _as_sparse(synapse)
        blocks, rows = (sparse.weights,), (sparse.offsets, sparse.targets)
        bound = int(np.bincount(sparse.targets, np.abs(sparse.weights), sparse.n_out).max(initial=0))
    room = p.high + int(np.abs(p.bias.astype(np.int64)).max(initial=0)) + (bound << synapse.shift)
    listed = parameters(p, synapse.shift)
    product = max(int(listed[kernels.BITS_V]), int(listed[kernels.BITS_I])) + p.state_bits
    simple = p.leak != "linear" and not p.refractory
    return ClockedLayer(layer, blocks, rows, simple and product <= 31 and room < 2**30, bound)


def _as_sparse(synapse: Sparse | Conv | Pool | Dense) -> Sparse:
    if isinstance(synapse, Sparse):
        return synapse
    if isinstance(synapse, Conv):
        return synapse.sparse()
    to = synapse.matrix()
    source, target = np.nonzero(to)
    offsets = np.searchsorted(source, np.arange(len(to) + 1)).astype(np.int32)
    return Sparse(offsets, target.astype(np.int32), np.ones(len(target), np.int16), synapse.n_out, 2)


def parameters(p: Population, shift: int) -> np.ndarray:
    """int64 list of a population for the kernels."""
    out = np.zeros(kernels.N_PARAMETERS, np.int64)
    for loss, at in ((p.v_loss, kernels.KEPT_V), (p.i_loss, kernels.KEPT_I)):
        kept, bits = 1 << p.decay_bits, p.decay_bits
        kept -= loss if p.leak != "linear" else 0
        while bits and kept % 2 == 0:  # the same fraction with fewer bits
            kept, bits = kept // 2, bits - 1
        out[at : at + 3] = kept, bits, (1 << bits) - 1 if p.leak == "toward_zero" else 0
    out[kernels.SHIFT] = shift
    out[kernels.LOW], out[kernels.HIGH] = p.low, p.high
    out[kernels.RESET], out[kernels.SUBTRACT] = p.reset_value, p.reset == "subtract"
    out[kernels.CUBA], out[kernels.LINEAR] = p.kind == "cuba", p.leak == "linear"
    out[kernels.REFRACTORY] = p.refractory
    out[kernels.LOSS_V], out[kernels.LOSS_I] = p.v_loss, p.i_loss
    return out


def sums_type(ready: ClockedLayer, spikes: Spikes, distinct: bool) -> type:
    """Narrowest type that holds every current of these events, without its shift."""
    if distinct and not len(spikes.values):
        return np.int16 if ready.bound < 2**15 else np.int32
    most = int(np.diff(spikes.cuts).max(initial=0)) * int(np.abs(spikes.values.astype(np.int64)).max(initial=1))
    return np.int32 if most << (ready.layer.synapse.bits - 1) < 2**31 else np.int64


def run_layer(
    ready: ClockedLayer, spikes: Spikes, steps: int, distinct: bool, probe: bool = False
) -> tuple[Spikes, int, np.ndarray | None]:
    """A spiking layer over a batch.

    Args:
        ready: from `prepare`.
        spikes: what arrives.
        steps: T.
        distinct: no address fires twice in a slot.
        probe: also give v after every step.

    Returns:
        `Spikes` in the steps in which neurons fire, the number of (neuron, step) with work, and v int32 [batch,
        steps, n] or None.
    """
    p, slots = ready.layer.population, len(spikes.cuts) - 1
    if p.kind == "pool":  # any event of a window: an if neuron with threshold 1 and weights 1
        p, spikes = Population("if", p.n, np.ones(p.n, np.int32)), Spikes(spikes.address, spikes.cuts, _NONE)
    sums, mode = sums_type(ready, spikes, distinct), kernels.GENERAL
    if ready.narrow and distinct and not len(spikes.values):
        mode = kernels.NARROW_CUBA if p.kind == "cuba" else kernels.NARROW
    theta = p.threshold.astype(np.int64) + (p.compare == ">")
    theta = theta if mode == kernels.GENERAL else theta.astype(np.int32)
    bias = p.bias if len(p.bias) else np.zeros(p.n, np.int32)
    seen = np.zeros((slots // steps, steps, p.n), np.int32) if probe else None
    parts, counts, busy, first = [], [], 0, 0
    for block in ready.blocks:
        width = p.n if ready.rows is not None else block.shape[1]
        here = slice(first, first + width)
        look = _NO_PROBE if seen is None else np.zeros((slots // steps, steps, width), np.int32)
        fixed: tuple = (
            steps,
            parameters(p, ready.layer.synapse.shift),
            mode,
            np.zeros(width, sums),
            theta[here],
            bias[here],
        )
        address, count, work = _block(ready, block, spikes, (*fixed, first), look)
        if seen is not None:
            seen[:, :, here] = look
        parts.append(address)
        counts.append(count)
        busy, first = busy + work, first + width
    return merged(parts, counts), busy, seen


def _block(
    ready: ClockedLayer, block: np.ndarray, spikes: Spikes, fixed: tuple, look: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """(addresses, spikes of each slot, work) of one block; room for spikes grows until it is enough."""
    slots, room, events = len(spikes.cuts) - 1, max(1024, len(spikes.address)), (spikes.address, spikes.values)
    while True:
        address, count, work = np.empty(room, np.int32), np.zeros(slots, np.int32), np.zeros(1, np.int64)
        tail = (*events, spikes.cuts, *fixed, address, count, work, look)
        if ready.rows is None:
            used = kernels.dense_layer(block, *tail)
        else:
            used = kernels.sparse_layer(*ready.rows, block, *tail)
        if used >= 0:
            return address[:used], count, int(work[0])
        fixed[3][:] = 0
        room *= 4


def run_readout(ready: ClockedLayer, spikes: Spikes, steps: int) -> np.ndarray:
    """z int64 [batch, n] of a readout layer."""
    p, batch = ready.layer.population, (len(spikes.cuts) - 1) // steps
    z, first = np.zeros((batch, p.n), np.int64), 0
    tail = (spikes.address, spikes.values, spikes.cuts, steps)
    if ready.rows is not None:
        kernels.sparse_readout(z, *ready.rows, ready.blocks[0], *tail)
    else:
        for block in ready.blocks:
            part = np.zeros((batch, block.shape[1]), np.int64)
            kernels.readout(part, block, *tail)
            z[:, first : first + block.shape[1]] = part
            first += block.shape[1]
    z <<= ready.layer.synapse.shift
    return z + p.bias if len(p.bias) else z


def delayed(spikes: Spikes, steps: int, delay: int) -> Spikes:
    """The same spikes `delay` steps later; those past the last step are lost."""
    if not delay:
        return spikes
    counts = np.diff(spikes.cuts).reshape(-1, steps)
    kept = counts.copy()
    kept[:, max(0, steps - delay) :] = 0
    inside = np.repeat(np.arange(counts.size) % steps < steps - delay, counts.ravel())
    late = np.zeros_like(counts)
    late[:, delay:] = kept[:, : max(0, steps - delay)]
    return Spikes(spikes.address[inside], np.concatenate([[0], np.cumsum(late.ravel())]), _NONE)


def merged(parts: list[np.ndarray], counts: list[np.ndarray]) -> Spikes:
    """Spikes of blocks, each sorted by slot, as one list sorted by slot, then neuron."""
    total = np.sum(counts, axis=0, dtype=np.int64)
    cuts = np.concatenate([[0], np.cumsum(total)])
    if len(parts) == 1:
        return Spikes(parts[0], cuts, _NONE)
    address, free = np.empty(int(cuts[-1]), np.int32), cuts[:-1].copy()
    for part, count in zip(parts, counts, strict=True):
        _place(part, count, free, address)
    return Spikes(address, cuts, _NONE)


@njit(cache=True, nogil=True)
def _place(part, count, free, address):
    at = 0
    for slot in range(len(count)):
        for _ in range(count[slot]):
            address[free[slot]] = part[at]
            free[slot] += 1
            at += 1
