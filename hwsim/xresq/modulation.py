"""Constellations: Gray bits ↔ levels (PAM points per real axis) ↔ spins.

Symbols (X-ResQ section on the Ising form; QuAMax, SIGCOMM 2019): K bits an axis, M = 2^K levels −(M−1), …, −1, 1,
…, M−1 an axis, E_s = E|x|² of a complex symbol, natural binary code c = (x + M − 1)/2 with bits b_1 (most
significant) … b_K, spins s_k = 2 b_k − 1, so that

    x = Σ_k 2^(K−k) s_k,        transmitted Gray bits g_1 = b_1, g_k = b_(k−1) xor b_k, i.e. g = c xor (c >> 1).

Real dimensions of Nt users: index u is user u's in-phase axis, Nt + u its quadrature axis (BPSK has none). Spin (k, i)
has index (k−1)·n + i. Bits of a user lie together: in-phase g_1…g_K, then quadrature g_1…g_K.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape


@dataclass(frozen=True)
class Modulation:
    """One square constellation, or BPSK.

    Attributes:
        name: ``"bpsk"``, ``"qpsk"``, ``"16qam"``, ``"64qam"`` or ``"256qam"``.
        bits_per_axis: K.
        axes: real axes of a symbol: 2, or 1 for BPSK.
    """

    name: str
    bits_per_axis: int
    axes: int

    @property
    def levels(self) -> int:
        """M = 2^K, levels an axis."""
        return 1 << self.bits_per_axis

    @property
    def top(self) -> int:
        """Largest level, M − 1."""
        return self.levels - 1

    @property
    def bits_per_symbol(self) -> int:
        return self.bits_per_axis * self.axes

    @property
    def axis_energy(self) -> float:
        """E[x_i²] of one axis: (M² − 1)/3."""
        return (self.levels**2 - 1) / 3

    @property
    def symbol_energy(self) -> float:
        """E_s = E|x|² with equiprobable symbols."""
        return self.axes * self.axis_energy

    @property
    def points(self) -> np.ndarray:
        """int64 [M]: the levels of an axis, rising."""
        return 2 * np.arange(self.levels, dtype=np.int64) - self.top

    @property
    def weights(self) -> np.ndarray:
        """int64 [K]: 2^(K−1), …, 2, 1, the weights of an axis' spins."""
        return 1 << np.arange(self.bits_per_axis - 1, -1, -1, dtype=np.int64)

    def dimensions(self, n_t: int) -> int:
        """n: real dimensions of `n_t` users."""
        return self.axes * n_t

    def spins(self, n_t: int) -> int:
        """N = n·K: Ising spins of `n_t` users."""
        return self.dimensions(n_t) * self.bits_per_axis


MODULATIONS = {
    m.name: m
    for m in (
        Modulation("bpsk", 1, 1),
        Modulation("qpsk", 1, 2),
        Modulation("16qam", 2, 2),
        Modulation("64qam", 3, 2),
        Modulation("256qam", 4, 2),
    )
}


def modulation(name: str | int | Modulation) -> Modulation:
    """A constellation by name (``"16qam"``, ``"16-QAM"``), by size (2, 4, 16, 64, 256), or itself.

    Raises:
        UsageError: not square, or unknown.

    Example:
        >>> modulation("16-QAM").points.tolist()
        [-3, -1, 1, 3]
    """
    if isinstance(name, Modulation):
        return name
    sizes = {2: "bpsk", 4: "qpsk", 16: "16qam", 64: "64qam", 256: "256qam"}
    known = sizes.get(name, "") if isinstance(name, int) else name.lower().replace("-", "").replace("_", "")
    if known not in MODULATIONS:
        raise UsageError.of(
            "modulation", repr(name), f"one of {', '.join(MODULATIONS)}", "Only BPSK and square constellations map."
        )
    return MODULATIONS[known]


def pam(bits_per_axis: int) -> Modulation:
    """The real axes of a square constellation by themselves, each a symbol of K = `bits_per_axis` bits.

    Example:
        >>> pam(2).points.tolist(), pam(2).axes
        ([-3, -1, 1, 3], 1)
    """
    return Modulation(f"{1 << bits_per_axis}pam", bits_per_axis, 1)


def levels_of_bits(mod: Modulation, bits: np.ndarray) -> np.ndarray:
    """Levels int8 [..., n] of Gray bits uint8 [..., Nt·bits_per_symbol].

    Raises:
        ShapeError: bits do not make whole symbols, or other values than 0 and 1.

    Example:
        >>> levels_of_bits(modulation("16qam"), np.array([1, 0, 0, 1])).tolist()
        [3, -1]
    """
    bits = np.asarray(bits)
    if bits.shape[-1] % mod.bits_per_symbol:
        expected = f"a multiple of {mod.bits_per_symbol} for {mod.name}"
        raise ShapeError.of("bits", f"{bits.shape[-1]} a vector", expected, "Pad them to whole symbols.")
    if bits.size and not np.isin(bits, (0, 1)).all():
        raise ShapeError.of("bits", "other values", "0 and 1", "Map ±1 spins with levels_of_spins.")
    gray = bits.reshape(*bits.shape[:-1], -1, mod.axes, mod.bits_per_axis).astype(np.uint8)
    natural = np.bitwise_xor.accumulate(gray, axis=-1)  # b_k = g_1 ⊕ … ⊕ g_k
    code = (natural * mod.weights).sum(axis=-1)
    return _axis_major(2 * code - mod.top).astype(np.int8)


def bits_of_levels(mod: Modulation, x: np.ndarray) -> np.ndarray:
    """Gray bits uint8 [..., Nt·bits_per_symbol] of levels [..., n]; the inverse of `levels_of_bits`.

    Raises:
        ShapeError: values that are no levels.

    Example:
        >>> bits_of_levels(modulation("16qam"), np.array([3, -1])).tolist()
        [1, 0, 0, 1]
    """
    code = _codes(mod, x)
    gray = code ^ (code >> 1)
    shifts = np.arange(mod.bits_per_axis - 1, -1, -1)
    per_user = np.swapaxes(gray.reshape(*gray.shape[:-1], mod.axes, -1), -1, -2)
    return ((per_user[..., None] >> shifts) & 1).astype(np.uint8).reshape(*gray.shape[:-1], -1)


def spins_of_levels(mod: Modulation, x: np.ndarray) -> np.ndarray:
    """Spins int8 [..., K·n] of levels [..., n].

    Raises:
        ShapeError: values that are no levels.

    Example:
        >>> spins_of_levels(modulation("16qam"), np.array([3, -1])).tolist()
        [1, -1, 1, 1]
    """
    code = _codes(mod, x)
    shifts = np.arange(mod.bits_per_axis - 1, -1, -1)
    natural = (code[..., None, :] >> shifts[:, None]) & 1
    return (2 * natural - 1).astype(np.int8).reshape(*code.shape[:-1], -1)


def levels_of_spins(mod: Modulation, s: np.ndarray) -> np.ndarray:
    """Levels int8 [..., n] of spins ±1 [..., K·n]: x_i = Σ_k 2^(K−k) s_(k,i).

    Raises:
        ShapeError: a length that K does not divide, or values that are no spins.
    """
    s = np.asarray(s)
    if s.shape[-1] % mod.bits_per_axis:
        expected = f"a multiple of {mod.bits_per_axis} for {mod.name}"
        raise ShapeError.of("spins", f"{s.shape[-1]} a state", expected, "Give K spins an axis.")
    if s.size and (np.abs(s) != 1).any():
        raise ShapeError.of("spins", "other values", "−1 and +1", "Map 0/1 to ±1.")
    parts = s.reshape(*s.shape[:-1], mod.bits_per_axis, -1).astype(np.int64)
    return (parts * mod.weights[:, None]).sum(axis=-2).astype(np.int8)


def slice_levels(mod: Modulation, estimate: np.ndarray) -> np.ndarray:
    """Nearest levels int8 [..., n] of real estimates [..., n]: the axis-wise slicer."""
    code = np.clip(np.floor((np.asarray(estimate) + mod.levels) / 2), 0, mod.top)
    return (2 * code - mod.top).astype(np.int8)


def to_complex(mod: Modulation, x: np.ndarray) -> np.ndarray:
    """Symbols complex128 [..., Nt] of levels or real estimates [..., n]."""
    x = np.asarray(x, dtype=np.float64)
    if mod.axes == 1:
        return x.astype(np.complex128)
    half = x.shape[-1] // 2
    return x[..., :half] + 1j * x[..., half:]


def to_real(mod: Modulation, x: np.ndarray) -> np.ndarray:
    """Real form float64 [..., n] of complex [..., Nt]; the imaginary part is dropped for BPSK."""
    x = np.asarray(x)
    return x.real.astype(np.float64) if mod.axes == 1 else np.concatenate([x.real, x.imag], axis=-1)


def bit_errors(sent: np.ndarray, got: np.ndarray) -> np.ndarray:
    """int64 [batch]: wrong bits of each vector, from bits [batch, bits].

    Raises:
        ShapeError: shapes that differ.
    """
    check_shape("decided bits", np.shape(got), "[batch, bits]", np.shape(sent))
    return (np.asarray(sent) != np.asarray(got)).sum(axis=-1)


def _codes(mod: Modulation, x: np.ndarray) -> np.ndarray:
    """Natural binary codes int64 of levels, checked."""
    x = np.asarray(x).astype(np.int64)
    code = (x + mod.top) >> 1
    if x.size and ((2 * code - mod.top != x) | (code < 0) | (code > mod.top)).any():
        raise ShapeError.of("levels", "other values", f"odd integers in ±{mod.top}", "Slice estimates first.")
    return code


def _axis_major(x: np.ndarray) -> np.ndarray:
    """[..., Nt, axes] → [..., axes·Nt]: all in-phase axes before all quadrature axes."""
    return np.swapaxes(x, -1, -2).reshape(*x.shape[:-2], -1)
