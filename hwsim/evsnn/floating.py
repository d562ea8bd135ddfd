"""LIF nets in float32, event by event: what a trained net does before its weights become integers.

    v ← β·v + Σ w (+ b),  spike when v ≥ θ (or >),  then v ← 0 or v − θ

The sum over events is taken in groups of four, so it equals a matrix product up to rounding; where a membrane comes
within that of its threshold, a spike may differ from another program's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from hwsim.core.revision import revision
from hwsim.evsnn import kernels_clocked as module
from hwsim.evsnn.chip import slots_of
from hwsim.evsnn.clocked import Spikes, merged
from hwsim.evsnn.kernels_clocked import add_rows, emit, flags_of
from hwsim.ir.errors import ShapeError, UsageError, check_shape
from hwsim.ir.events import Events

_COMPILED_WITH = revision(module)
BLOCK_BYTES = 1 << 22  # weights of a block of neurons: half a megabyte gains nothing, blocks cost a pass each


@dataclass(frozen=True, eq=False)
class FloatResult:
    """What a float run gave.

    Attributes:
        counts: int64 [batch, n_out], spikes of the last layer, or float32 sums of a readout.
        syn_fwd: synapses that an event was added through, all layers.
        spikes: of each layer.
    """

    counts: np.ndarray
    syn_fwd: int
    spikes: tuple[int, ...]


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _update(v, acc, beta, theta, strict, subtract, fired):
    count = np.int32(0)
    for j in range(v.shape[0]):
        new = beta * v[j] + acc[j]
        up = (new > theta) if strict else (new >= theta)
        after = new - theta if subtract else np.float32(0)
        v[j] = after if up else new
        fired[j] = up
        count += np.int32(up)
        acc[j] = 0
    return count


@njit(cache=True, nogil=True)
def _layer_kernel(w, addr, cuts, steps, beta, theta, strict, subtract, first, address, counts):
    """One block of neurons over a batch; as `kernels_clocked.dense_layer`."""
    n, at = w.shape[1], 0
    v, acc = np.zeros(n, np.float32), np.zeros(n, np.float32)
    fired, words = flags_of(n)
    for slot in range(cuts.shape[0] - 1):
        if slot % steps == 0:
            v[:] = 0
        add_rows(acc, w, addr, cuts[slot], cuts[slot + 1])
        count = _update(v, acc, beta, theta, strict, subtract, fired)
        if count:
            if at + count >= address.shape[0]:
                return -1
            at = emit(fired, words, count, first, address, at)
            counts[slot] = count
    return at


class FloatChip:
    """Dense LIF layers ready to run.

    Args:
        weights: float32 [n_in, n_out] a layer.
        beta: decay a step, 0…1, a layer or one for all.
        threshold: θ > 0, a layer or one for all.
        steps: of a sample.
        compare, reset: ``">="`` or ``">"``; ``"zero"`` or ``"subtract"``.
        readout: the last layer sums its currents and does not spike.

    Raises:
        ShapeError: layers that do not fit each other.
        UsageError: a decay, threshold or rule outside these.
    """

    def __init__(
        self, weights: Sequence[np.ndarray], beta: float, threshold: float, steps: int,
        compare: Literal[">=", ">"] = ">=", reset: Literal["zero", "subtract"] = "zero", readout: bool = False,
    ) -> None:  # fmt: skip
        if not 0 <= beta <= 1 or not threshold > 0 or compare not in (">=", ">") or reset not in ("zero", "subtract"):
            got = f"beta {beta}, threshold {threshold}, {compare!r}, {reset!r}"
            raise UsageError.of("float neurons", got, "0 ≤ beta ≤ 1, threshold > 0, known rules", "Mend them.")
        n = None
        for k, w in enumerate(weights):
            if np.ndim(w) != 2:
                raise ShapeError.of(f"weights of layer {k}", list(np.shape(w)), "[n_in, n_out]", "Reshape them.")
            check_shape(f"weights of layer {k}", w.shape, "[n_in, n_out]", (n, None))
            n = w.shape[1]
        self.sizes = [(w.shape[0], w.shape[1]) for w in weights]
        self.steps, self.readout = steps, readout
        self._rule = (np.float32(beta), np.float32(threshold), compare == ">", reset == "subtract")
        self._blocks = [_blocks(w) for w in weights]

    def run(self, events: Events) -> FloatResult:
        """One batch; raises `DataError` for events out of range."""
        events.check(self.sizes[0][0], self.steps)
        spikes, syn = slots_of(events, self.steps), 0
        fired: list[int] = []
        for k, blocks in enumerate(self._blocks):
            syn += len(spikes.address) * self.sizes[k][1]
            if self.readout and k == len(self._blocks) - 1:
                return FloatResult(_sums(blocks, spikes, self.steps, events.batch), syn, tuple(fired))
            spikes = self._layer(blocks, spikes)
            fired.append(len(spikes.address))
        slot = np.repeat(np.arange(len(spikes.cuts) - 1), np.diff(spikes.cuts)) // self.steps
        counts = np.zeros((events.batch, self.sizes[-1][1]), np.int64)
        np.add.at(counts, (slot, spikes.address), 1)
        return FloatResult(counts, syn, tuple(fired))

    def _layer(self, blocks: list[np.ndarray], spikes: Spikes) -> Spikes:
        parts, counts, first, slots = [], [], 0, len(spikes.cuts) - 1
        for w in blocks:
            room = max(1024, len(spikes.address))
            while True:
                address, count = np.empty(room, np.int32), np.zeros(slots, np.int32)
                used = _layer_kernel(w, spikes.address, spikes.cuts, self.steps, *self._rule, first, address, count)
                if used >= 0:
                    break
                room *= 4
            parts.append(address[:used])
            counts.append(count)
            first += w.shape[1]
        return merged(parts, counts)


def _blocks(w: np.ndarray) -> list[np.ndarray]:
    width = max(16, BLOCK_BYTES // (4 * len(w)) // 16 * 16)
    return [np.ascontiguousarray(w[:, c : c + width], np.float32) for c in range(0, w.shape[1], width)]


def _sums(blocks: list[np.ndarray], spikes: Spikes, steps: int, batch: int) -> np.ndarray:
    out = []
    for w in blocks:
        z = np.zeros((batch, w.shape[1]), np.float32)
        for b in range(batch):
            add_rows(z[b], w, spikes.address, spikes.cuts[b * steps], spikes.cuts[(b + 1) * steps])
        out.append(z)
    return np.concatenate(out, axis=1)
