"""What every detector returns: hard decisions, energies, ranked candidates, soft output.

Max-log soft output from a candidate list C (X-ResQ: all reads of all copies and the seeds):

    LLR_b = (min_{x∈C, b=1} ‖y−Hx‖² − min_{x∈C, b=0} ‖y−Hx‖²)/N0,   positive for bit 0, clipped to ±clip.

The list is completed by the one-axis neighbours of its best entry, whose energies E + dx(dx G_ii − 2g_i) cost one
matrix-vector product: then every bit has both hypotheses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from hwsim.ir.errors import UsageError
from hwsim.xresq.channel import Received
from hwsim.xresq.modulation import bits_of_levels, spins_of_levels

CLIP = 20.0  # a bit error of probability 2e-9


@dataclass(frozen=True, eq=False)
class Detection:
    """Decisions for a batch.

    Attributes:
        received: what was detected.
        levels: int8 [batch, n], decided levels.
        energy: float64 [batch], ‖y − Hx‖².
        candidates: int8 [batch, C, n] by rising energy (C = 1 for a detector with one answer).
        energies: float64 [batch, C].
        counters: what was done, a number an instance: int64 or float64 [batch] by name.
        times_s: wall seconds by stage, for the whole batch.
    """

    received: Received
    levels: np.ndarray
    energy: np.ndarray
    candidates: np.ndarray
    energies: np.ndarray
    counters: dict[str, np.ndarray] = field(default_factory=dict)
    times_s: dict[str, float] = field(default_factory=dict)

    @property
    def bits(self) -> np.ndarray:
        """uint8 [batch, Nt·bits_per_symbol], decided Gray bits."""
        return bits_of_levels(self.received.mod, self.levels)

    @property
    def spins(self) -> np.ndarray:
        """int8 [batch, K·n]."""
        return spins_of_levels(self.received.mod, self.levels)

    def llr(self, clip: float = CLIP, neighbours: bool = True) -> np.ndarray:
        """float64 [batch, bits]: max-log LLR, positive for bit 0, within ±clip.

        Args:
            clip: largest magnitude; also given when the list lacks one hypothesis.
            neighbours: complete the list by all one-axis changes of the best candidate.

        Raises:
            UsageError: clip not positive.
        """
        if not clip > 0:
            raise UsageError.of("clip", clip, "clip > 0", "20 is a bit error of 2e-9.")
        r = self.received
        mod = r.mod
        energies = self.energies / r.n0[:, None]
        lists, values = self.candidates, energies
        if neighbours:
            lists, values = _with_neighbours(self, energies)
        gray = np.array([[(c ^ (c >> 1)) >> s & 1 for s in range(mod.bits_per_axis - 1, -1, -1)]
                         for c in range(mod.levels)], np.uint8)  # fmt: skip
        minima = np.full((r.batch, r.n, mod.bits_per_axis, 2), np.inf)
        _minima(lists, values, gray, mod.top, minima)
        with np.errstate(invalid="ignore"):
            out = np.clip(minima[..., 1] - minima[..., 0], -clip, clip)
        # [axis, user, bit] → [user, axis, bit]
        return out.reshape(r.batch, mod.axes, r.n_t, mod.bits_per_axis).swapaxes(1, 2).reshape(r.batch, -1)


def ranked(
    received: Received,
    candidates: np.ndarray,
    energies: np.ndarray | None = None,
    counters: dict[str, np.ndarray] | None = None,
    times_s: dict[str, float] | None = None,
) -> Detection:
    """A `Detection` from candidates int8 [batch, C, n] in any order: lowest energy wins, the first one on ties."""
    if energies is None:
        energies = received.energies(candidates)
    order = np.argsort(energies, axis=1, kind="stable")
    energies = np.take_along_axis(energies, order, 1)
    candidates = np.take_along_axis(candidates, order[:, :, None], 1)
    return Detection(received, candidates[:, 0], energies[:, 0], candidates, energies, counters or {}, times_s or {})


def single(received: Received, levels: np.ndarray, times_s: dict[str, float] | None = None) -> Detection:
    """A `Detection` with one answer int8 [batch, n]."""
    return ranked(received, levels[:, None, :], times_s=times_s)


def _with_neighbours(d: Detection, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Candidates and energies/N0 with n·(M−1) neighbours of the best one appended."""
    r = d.received
    points = r.mod.points
    diagonal = np.einsum("bii->bi", r.gram.real)
    diagonal = np.tile(diagonal, (1, r.mod.axes))
    x = d.levels.astype(np.float64)
    g = r.matched_real - _times_gram(r, x)
    dx = points - x[:, :, None]  # [batch, n, M]
    delta = dx * (dx * diagonal[:, :, None] - 2 * g[:, :, None]) / r.n0[:, None, None]
    lists = np.broadcast_to(d.levels[:, None, None, :], (r.batch, r.n, len(points), r.n)).copy()
    axis = np.arange(r.n)
    lists[:, axis, :, axis] = points.astype(np.int8)
    lists = lists.reshape(r.batch, -1, r.n)
    values = energies[:, :1, None] + delta
    return np.concatenate([d.candidates, lists], axis=1), np.concatenate(
        [energies, values.reshape(r.batch, -1)], axis=1
    )


def _times_gram(r: Received, x: np.ndarray) -> np.ndarray:
    """G x of the real form float64 [batch, n], through the complex Gram matrix."""
    from hwsim.xresq.modulation import to_complex, to_real

    return to_real(r.mod, np.matmul(r.gram, to_complex(r.mod, x)[:, :, None])[:, :, 0])


@njit(cache=True, nogil=True)
def _minima(candidates, energies, gray, top, minima):
    """minima [batch, n, K, 2] ← lowest energy of the candidates with each value of each bit."""
    for b in range(candidates.shape[0]):
        for c in range(candidates.shape[1]):
            value = energies[b, c]
            for i in range(candidates.shape[2]):
                bits = gray[(candidates[b, c, i] + top) >> 1]
                for k in range(len(bits)):
                    if value < minima[b, i, k, bits[k]]:
                        minima[b, i, k, bits[k]] = value
