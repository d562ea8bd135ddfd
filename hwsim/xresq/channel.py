"""The radio side: channels, noise, and a batch of received vectors with its Gram matrix.

    y = H x + w,   H complex [Nr, Nt], x complex [Nt], w ~ CN(0, N0 I)

**SNR convention, everywhere: SNR = Nt·E_s/N0, received power over noise power at one receive antenna**, because
entries of H have unit power. (dimod's generator takes Eb/N0 instead.) N0 is the power of a complex noise sample; a
real dimension gets N0/2.

Channels: i.i.d. Rayleigh, H_ij ~ CN(0, 1); Kronecker-correlated, H = R_r^½ W R_t^½ with the exponential model
(R)_ij = ρ^|i−j|.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from hwsim.ir.errors import ShapeError, UsageError, check_shape
from hwsim.xresq.modulation import Modulation, bits_of_levels, levels_of_bits, modulation, to_complex, to_real

BATCH_GRAM_BELOW = 48  # users: below, batched matmul beats one BLAS call an instance


@dataclass(frozen=True, eq=False)
class Received:
    """What a detector sees: channels, received vectors, noise power. Shared products are computed once.

    Attributes:
        H: complex128 [batch, Nr, Nt]; [Nr, Nt] is taken as a batch of one.
        y: complex128 [batch, Nr].
        n0: float64 [batch], complex noise power N0 > 0; a number serves all.
        mod: constellation (a name is looked up).
    """

    H: np.ndarray
    y: np.ndarray
    n0: np.ndarray
    mod: Modulation

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "mod", modulation(self.mod))
        H, y = np.asarray(self.H, np.complex128), np.asarray(self.y, np.complex128)
        H, y = (H[None] if H.ndim == 2 else H), (y[None] if y.ndim == 1 else y)
        check_shape("H", H.shape, "[batch, Nr, Nt]", (None, None, None))
        check_shape("y", y.shape, "[batch, Nr]", H.shape[:2])
        put(self, "H", H)
        put(self, "y", y)
        put(self, "n0", np.broadcast_to(np.asarray(self.n0, np.float64), (len(H),)))
        _check_values(H, y, self.n0)

    @property
    def batch(self) -> int:
        return self.H.shape[0]

    @property
    def n_r(self) -> int:
        return self.H.shape[1]

    @property
    def n_t(self) -> int:
        return self.H.shape[2]

    @property
    def n(self) -> int:
        """Real dimensions."""
        return self.mod.dimensions(self.n_t)

    @cached_property
    def gram(self) -> np.ndarray:
        """complex128 [batch, Nt, Nt]: HᴴH, Hermitian to the last bit."""
        return complex_gram(self.H)

    @cached_property
    def matched(self) -> np.ndarray:
        """complex128 [batch, Nt]: Hᴴy."""
        return np.matmul(self.H.conj().transpose(0, 2, 1), self.y[:, :, None])[:, :, 0]

    @cached_property
    def gram_real(self) -> np.ndarray:
        """float64 [batch, n, n]: G = HrᵀHr of the real form."""
        return expand_gram(self.mod, self.gram)

    @cached_property
    def matched_real(self) -> np.ndarray:
        """float64 [batch, n]: z = Hrᵀyr."""
        return to_real(self.mod, self.matched)

    @cached_property
    def power(self) -> np.ndarray:
        """float64 [batch]: ‖y‖²."""
        return np.sum(self.y.real**2 + self.y.imag**2, axis=1)

    def energies(self, x: np.ndarray) -> np.ndarray:
        """‖y − Hx‖² float64 [batch, candidates] of levels [batch, candidates, n].

        Raises:
            ShapeError: another shape.
        """
        check_shape("levels", np.shape(x), "[batch, candidates, n]", (self.batch, None, self.n))
        symbols = to_complex(self.mod, x).transpose(0, 2, 1)
        residual = self.y[:, :, None] - np.matmul(self.H, symbols)
        return np.sum(residual.real**2 + residual.imag**2, axis=1)

    def part(self, rows: slice | np.ndarray) -> Received:
        """Some instances of the batch, with the products that are already there."""
        out = Received(self.H[rows], self.y[rows], self.n0[rows], self.mod)
        for name in ("gram", "matched", "gram_real", "matched_real", "power"):
            if name in self.__dict__:
                out.__dict__[name] = self.__dict__[name][rows]
        return out


@dataclass(frozen=True, eq=False)
class Problems:
    """A seeded batch with its truth.

    Attributes:
        received: what the detector may see.
        bits: uint8 [batch, Nt·bits_per_symbol], transmitted Gray bits.
        snr_db: Nt·E_s/N0 in decibels.
    """

    received: Received
    bits: np.ndarray
    snr_db: float
    levels: np.ndarray = field(repr=False)

    @property
    def batch(self) -> int:
        return self.received.batch


def complex_gram(H: np.ndarray) -> np.ndarray:
    """complex128 [batch, Nt, Nt]: HᴴH, by rank-k updates of one triangle when large."""
    if H.shape[2] < BATCH_GRAM_BELOW or not len(H):
        gram = np.matmul(H.conj().transpose(0, 2, 1), H)
        return (gram + gram.conj().transpose(0, 2, 1)) / 2
    # H in C order is Hᵀ in Fortran order: herk without a transposition gives HᵀH* = conj(HᴴH)
    return np.stack([_mirror(blas.zherk(1.0, h.T).T) for h in H])


def _mirror(lower: np.ndarray) -> np.ndarray:
    """Hermitian matrix from its lower triangle (the upper one is zero); in place."""
    lower += np.tril(lower, -1).conj().T
    return lower


def expand_gram(mod: Modulation, gram: np.ndarray) -> np.ndarray:
    """float64 [batch, n, n] of the real form: [[Re, −Im], [Im, Re]], or Re for BPSK."""
    if mod.axes == 1:
        return gram.real.copy()
    n_t = gram.shape[-1]
    out = np.empty((len(gram), 2 * n_t, 2 * n_t))
    out[:, :n_t, :n_t] = out[:, n_t:, n_t:] = gram.real
    out[:, n_t:, :n_t] = gram.imag
    np.negative(gram.imag, out=out[:, :n_t, n_t:])
    return out


def n0_of_snr(mod: str | Modulation, n_t: int, snr_db: float) -> float:
    """N0 = Nt·E_s / 10^(snr_db/10).

    Example:
        >>> n0_of_snr("16qam", 4, 20.0)
        0.4
    """
    return n_t * modulation(mod).symbol_energy / 10 ** (snr_db / 10)


def rayleigh(n_r: int, n_t: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    """complex128 [batch, Nr, Nt], entries CN(0, 1)."""
    parts = rng.standard_normal((batch, n_r, n_t, 2))
    return parts.view(np.complex128)[..., 0] * np.sqrt(0.5)


def correlated(
    n_r: int, n_t: int, batch: int, rng: np.random.Generator, rho_t: float = 0.0, rho_r: float = 0.0
) -> np.ndarray:
    """complex128 [batch, Nr, Nt]: R_r^½ W R_t^½, exponential correlation, unit power an entry.

    Raises:
        UsageError: a correlation outside [0, 1).
    """
    H = rayleigh(n_r, n_t, batch, rng)
    for name, rho in (("rho_t", rho_t), ("rho_r", rho_r)):
        if not 0 <= rho < 1:
            raise UsageError.of(name, rho, "0 ≤ ρ < 1", "1 would make all antennas one.")
    if rho_r:
        H = _root(n_r, rho_r) @ H
    if rho_t:
        H = H @ _root(n_t, rho_t)
    return H


def _root(n: int, rho: float) -> np.ndarray:
    """Symmetric square root of the exponential correlation matrix."""
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    values, vectors = np.linalg.eigh(rho**lag)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def generate(
    mod: str | Modulation,
    n_t: int,
    n_r: int,
    snr_db: float,
    batch: int,
    rng: np.random.Generator,
    *,
    rho_t: float = 0.0,
    rho_r: float = 0.0,
) -> Problems:
    """A batch of random problems, one channel a vector.

    Args:
        mod: constellation.
        n_t, n_r: users and receive antennas, Nr ≥ Nt.
        snr_db: Nt·E_s/N0 (see the module).
        batch: vectors.
        rng: source of bits, channels and noise, in this order.
        rho_t, rho_r: Kronecker correlation at the users and at the receiver.

    Example:
        >>> generate("qpsk", 2, 3, 10.0, 5, np.random.default_rng(0)).received.H.shape
        (5, 3, 2)
    """
    mod = modulation(mod)
    if not 1 <= n_t <= n_r:
        raise UsageError.of("antennas", f"{n_t} users, {n_r} antennas", "1 ≤ Nt ≤ Nr", "Add receive antennas.")
    bits = rng.integers(0, 2, (batch, n_t * mod.bits_per_symbol), dtype=np.uint8)
    x = levels_of_bits(mod, bits)
    H = correlated(n_r, n_t, batch, rng, rho_t, rho_r)
    n0 = n0_of_snr(mod, n_t, snr_db)
    noise = rng.standard_normal((batch, n_r, 2)).view(np.complex128)[..., 0] * np.sqrt(n0 / 2)
    y = np.matmul(H, to_complex(mod, x)[:, :, None])[:, :, 0] + noise
    return Problems(Received(H, y, np.asarray(n0), mod), bits, snr_db, x)


def count_errors(problems: Problems, x: np.ndarray) -> np.ndarray:
    """int64 [batch]: bit errors of decided levels [batch, n]."""
    return (bits_of_levels(problems.received.mod, x) != problems.bits).sum(axis=1)


def _check_values(H: np.ndarray, y: np.ndarray, n0: np.ndarray) -> None:
    """Finite numbers, positive noise, at least as many antennas as users, and every user is heard."""
    if H.shape[1] < H.shape[2] or H.shape[2] < 1:
        raise ShapeError.of(
            "H", f"{H.shape[1]} antennas for {H.shape[2]} users", "Nr ≥ Nt ≥ 1", "H is [batch, receive, transmit]."
        )
    for name, array in (("H", H), ("y", y), ("n0", n0)):
        if not np.isfinite(array).all():
            raise ShapeError.of(name, "NaN or infinity", "finite numbers", "Drop the damaged vectors first.")
    if (n0 <= 0).any():
        raise UsageError.of("n0", float(n0.min()), "N0 > 0", "Give the noise power; a tiny one stands for none.")
    silent = ~(np.abs(H).max(axis=1, initial=0.0) > 0)
    if silent.any():
        where = np.argwhere(silent)[0].tolist()
        raise ShapeError.of("singular channel", f"column [batch, user] = {where} is 0", "rank Nt", "Drop that user.")
