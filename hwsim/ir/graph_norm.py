"""GraphNorm in integers: the per-graph statistics unit as numbers, read by the cycle model and the RTL alike.

GraphNorm (arXiv 2009.03294, equation 6) over a graph's n nodes and one channel, a the incoming codes:

    y = γ·(a − α·μ)/σ + β,     σ² = E[a²] − (2α − α²)·μ²

With S₁ = Σa, S₂ = Σa² and everything times n, the division by n disappears, and two accumulators suffice:

    W = n²·4^F·σ² = 4^F·n·S₂ − (2^(F+1)·α_q − α_q²)·S₁²                α_q = α·2^F, exact: W ≥ 0
    1/√W ≈ r·2^(−R−e),  W = v·4^e with v in [1, 4),  r = table[⌊v·2^(T−2)⌋ − 2^(T−2)]
    D = 2^F·n·a − α_q·S₁                                               = 2^F·n·(a − α·μ)
    y = clip( ⌊(⌊D·2^(P−e)⌋·r·gain + offset + 2^(shift−1)) / 2^shift⌋, lo, hi )

ε has no place: W = 0 means that every D is 0, and y is the offset alone. `lo` = 0 is a ReLU. The scale of a cancels, so
every channel may have one of its own.

| symbol | field |
|---|---|
| F | `alpha_fraction` |
| T, R | `table_bits`, `root_bits` |
| P | `keep` |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.ir.artifact import Header, Tensors
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape

LIMIT_BITS = 62
ARRAYS = ("alpha", "gain", "offset")


@dataclass(frozen=True, eq=False)
class GraphNormUnit:
    """Parameters of one statistics unit, which serves several layers in turn.

    Attributes:
        alpha: int64 [layers, channels], α·2^F.
        gain: int64 [layers, channels].   offset: int64 [layers, channels], in units of 2^(−shift).
        in_bits: signed width of a, 2…16.   max_nodes: nodes of a graph, at most.
        alpha_fraction: F, 0…12.   table_bits: T, 4…12.   root_bits: R, 4…16.   keep: P, 0…16.
        shift: 0…48.   lo, hi: saturation of y.

    Raises:
        ArtifactError: a rule is broken, or a number does not fit 62 bits.

    Example (two graphs of two and one nodes; one channel, α = 1: a graph of one node gives the offset):
        >>> one = np.ones((1, 1), np.int64)
        >>> unit = GraphNormUnit(one << 8, one * 16, one * 0, in_bits=8, max_nodes=4, shift=12)
        >>> unit.reference(np.array([[-3], [5], [7]]), np.array([2, 1]), 0).ravel().tolist()
        [-255, 255, 0]
    """

    alpha: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    in_bits: int = 12
    max_nodes: int = 128
    alpha_fraction: int = 8
    table_bits: int = 8
    root_bits: int = 8
    keep: int = 8
    shift: int = 20
    lo: int = -(1 << 15)
    hi: int = (1 << 15) - 1

    def __post_init__(self) -> None:
        self.validate()

    @classmethod
    def from_real(
        cls, alpha: Any, gain: Any, offset: Any, *, gain_bits: int = 12, alpha_fraction: int = 8, root_bits: int = 8,
        keep: int = 8, **formats: int,
    ) -> GraphNormUnit:  # fmt: skip
        """The nearest unit for real parameters [layers, channels]: α, γ/Δ and β/Δ, where y = 1 stands for Δ.

        Args:
            gain_bits: signed width of the gains; it fixes `shift`.   formats: the other fields.
        """
        alpha, gain, offset = (np.asarray(part, np.float64) for part in (alpha, gain, offset))
        room = max(gain_bits - 1 - int(np.ceil(np.log2(max(np.abs(gain).max(), 2.0**-40)))), 0)
        shift = keep + root_bits + room
        scaled = zip((alpha, gain, offset), (alpha_fraction, room, shift), strict=True)
        codes = [np.rint(np.ldexp(part, up)).astype(np.int64) for part, up in scaled]
        return cls(
            codes[0], codes[1], codes[2], alpha_fraction=alpha_fraction, root_bits=root_bits, keep=keep, shift=shift,
            **formats,
        )  # fmt: skip

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        for name in ARRAYS:
            array = getattr(self, name)
            fits = isinstance(array, np.ndarray) and array.dtype == np.int64 and array.ndim == 2 and array.size > 0
            if not fits or array.shape != self.alpha.shape:
                got = f"{getattr(array, 'dtype', type(array))} {list(getattr(array, 'shape', []))}"
                want = "int64 [layers, channels], the same for alpha, gain and offset"
                raise ArtifactError.of(f"statistics unit: {name}", got, want, "Mend the export.")
        bounds = {
            "in_bits": (2, 16), "max_nodes": (1, 65535), "alpha_fraction": (0, 12), "table_bits": (4, 12),
            "root_bits": (4, 16), "keep": (0, 16), "shift": (0, 48),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                got = getattr(self, name)
                raise ArtifactError.of(f"statistics unit: {name}", got, f"{low}…{high}", "Choose another width.")
        if not -(1 << 31) <= self.lo <= self.hi < 1 << 31:
            raise ArtifactError.of("statistics unit: lo, hi", f"{self.lo}, {self.hi}", "lo ≤ hi in 32 bits", "Mend it.")
        for name, bits in (("W", self.square_bits), ("y before its shift", self.sum_bits)):
            if bits > LIMIT_BITS:
                mend = "Use fewer in_bits, a smaller max_nodes, alpha or gain."
                raise ArtifactError.of(f"statistics unit: {name}", f"{bits} bits", f"at most {LIMIT_BITS}", mend)

    # ---- sizes, for the check above and for the RTL ---------------------------------------------------------

    @property
    def layers(self) -> int:
        """Layers whose parameters the unit holds."""
        return int(self.alpha.shape[0])

    @property
    def channels(self) -> int:
        return int(self.alpha.shape[1])

    @property
    def count_bits(self) -> int:
        """Unsigned width of n."""
        return int(self.max_nodes).bit_length()

    @property
    def sum_a_bits(self) -> int:
        """Signed width of S₁."""
        return self.in_bits + self.count_bits

    @property
    def sum_aa_bits(self) -> int:
        """Unsigned width of S₂."""
        return (self.max_nodes << (2 * self.in_bits - 2)).bit_length()

    @cached_property
    def kappa(self) -> np.ndarray:
        """int64 [layers, channels]: 2^(F+1)·α_q − α_q²."""
        return (self.alpha << (self.alpha_fraction + 1)) - self.alpha * self.alpha

    @cached_property
    def largest_d(self) -> int:
        """|D| at most: n·(2^F + |α_q|)·max|a|."""
        alpha = int(np.abs(self.alpha).max())
        return int(self.max_nodes) * ((1 << self.alpha_fraction) + alpha) << (self.in_bits - 1)

    @property
    def square_bits(self) -> int:
        """Unsigned width of W: W = n·Σ(2^F·a − α_q·μ)² ≤ max|D|²; and of its two terms."""
        n_sum = int(self.max_nodes) * int(self.max_nodes) << (2 * self.in_bits - 2)  # n·S₂ and S₁² at most
        terms = max(n_sum << (2 * self.alpha_fraction), n_sum * int(np.abs(self.kappa).max()))
        return max(self.largest_d * self.largest_d, terms).bit_length() + 1

    @property
    def exponent_bits(self) -> int:
        """Unsigned width of e."""
        return max(1, ((self.square_bits - 1) // 2).bit_length())

    @property
    def kept_bits(self) -> int:
        """Signed width of ⌊D·2^(P−e)⌋: |D|/√W ≤ √n, and √W < 2^(e+1)."""
        return self.keep + (self.count_bits + 1) // 2 + 3

    @property
    def gain_bits(self) -> int:
        """Signed width of gain."""
        return signed_bits(self.gain)

    @property
    def factor_bits(self) -> int:
        """Signed width of r·gain."""
        return self.root_bits + self.gain_bits

    @property
    def sum_bits(self) -> int:
        """Signed width of y before its shift."""
        product = 1 << (self.kept_bits + self.factor_bits - 2)
        return (product + int(np.abs(self.offset).max()) + (1 << self.shift)).bit_length() + 1

    @property
    def out_bits(self) -> int:
        """Signed width of y."""
        return signed_bits(np.array([self.lo, self.hi]))

    @cached_property
    def table(self) -> np.ndarray:
        """int64 [3·2^(T−2)]: 2^R/√v at the middle of each interval of v in [1, 4), below 2^R."""
        first = 1 << (self.table_bits - 2)
        v = (np.arange(first, 4 * first) + 0.5) / first
        return np.minimum(np.rint((1 << self.root_bits) / np.sqrt(v)).astype(np.int64), (1 << self.root_bits) - 1)

    # ---- values ---------------------------------------------------------------------------------------------

    def check_codes(self, a: Any, sizes: Any, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """a int64 [nodes, channels] and sizes int64 [graphs], checked.

        Raises:
            ShapeError: wrong shape, dtype or range; a graph without nodes or with too many; no such layer.
        """
        a, sizes = np.asarray(a), np.asarray(sizes)
        check_shape("a", a.shape, "[nodes, channels]", (None, self.channels))
        check_shape("sizes", sizes.shape, "[graphs]", (None,))
        if a.dtype.kind not in "iub" or sizes.dtype.kind not in "iub":
            raise ShapeError.of("dtypes", f"{a.dtype}, {sizes.dtype}", "integers", "Quantise first.")
        if int(sizes.sum()) != len(a) or (len(sizes) and not 1 <= sizes.min() <= sizes.max() <= self.max_nodes):
            got = (
                f"{min(sizes, default=0)}…{max(sizes, default=0)} nodes a graph, {sizes.sum()} in all for {len(a)} rows"
            )
            raise ShapeError.of("sizes", got, f"1…{self.max_nodes} nodes a graph, one row each", "Split the graphs.")
        top = 1 << (self.in_bits - 1)
        if a.size and not -top <= a.min() <= a.max() < top:
            raise ShapeError.of("a is out of range", f"{a.min()}…{a.max()}", f"{-top}…{top - 1}", "Requantise.")
        if not 0 <= layer < self.layers:
            raise ShapeError.of("layer", layer, f"0…{self.layers - 1}", "Choose a layer of the unit.")
        return a.astype(np.int64), sizes.astype(np.int64)

    def reference(self, a: Any, sizes: Any, layer: int = 0) -> np.ndarray:
        """y int64 [nodes, channels], graph by graph, as the module's formulas say.

        Args:
            a: codes [nodes, channels], graphs one after the other.   sizes: nodes of each graph.
            layer: whose parameters.

        Raises:
            ShapeError: see `check_codes`.
        """
        a, sizes = self.check_codes(a, sizes, layer)
        ends = np.cumsum(sizes)
        parts = [self._graph(a[end - n : end], int(n), layer) for n, end in zip(sizes, ends, strict=True)]
        return np.concatenate([a[:0], *parts])

    def _graph(self, a: np.ndarray, n: int, layer: int) -> np.ndarray:
        s1, s2 = a.sum(axis=0), (a * a).sum(axis=0)
        alpha = self.alpha[layer]
        w = (n * s2 << (2 * self.alpha_fraction)) - self.kappa[layer] * s1 * s1
        e = np.array([max(int(value).bit_length() - 1, 0) // 2 for value in w])
        first = 1 << (self.table_bits - 2)
        place = np.array([(int(v) << self.table_bits >> (2 * int(s) + 2)) for v, s in zip(w, e, strict=True)])
        r = np.where(w > 0, self.table[np.maximum(place - first, 0)], 0)
        d = (n * a << self.alpha_fraction) - alpha * s1
        kept = np.where(e <= self.keep, d << np.maximum(self.keep - e, 0), d >> np.maximum(e - self.keep, 0))
        total = kept * (r * self.gain[layer]) + self.offset[layer] + ((1 << self.shift) >> 1)
        return np.clip(total >> self.shift, self.lo, self.hi)

    # ---- file -----------------------------------------------------------------------------------------------

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays and scalar fields."""
        scalars = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ARRAYS}
        return {name: getattr(self, name) for name in ARRAYS}, scalars

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> GraphNormUnit:
        """Inverse of `to_tensors`."""
        return cls(tensors["alpha"], tensors["gain"], tensors["offset"], **header)


def signed_bits(values: np.ndarray) -> int:
    """Signed width that holds all values."""
    low, high = int(values.min()), int(values.max())
    return 1 + max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0)
