"""`encoding`: one multiplication as a short code of *wide bits* and their position weights.

EncodingNet (arXiv 2402.18595), section III: a product v = x·w of two operand codes becomes

    v̂(x, w) = 2^(−fraction) · ( bias + Σ_k s_k · b_k(x, w) ),    b_k ∈ {0, 1}

with small gates b_k and integer position weights s_k, so that a column of R products is summed bit position by bit
position: Σ_r v̂ = 2^(−fraction) · ( R·bias + Σ_k s_k · P_k ), P_k = Σ_r b_k(x_r, w_r).
Exact, Booth and truncated multipliers, and any 2^a × 2^b product table, are encodings too.
Specification and a worked example: ``docs/ir/encoding.md``.

| symbol | here |
|---|---|
| x, w | operand codes: activation (moving) and weight (stationary) |
| M | `n_bits`, number of wide bits |
| s | `position_weights` |
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.gates import GateNetlist

MAX_OPERAND_BITS = 10
MAX_FRACTION = 32
MAX_WEIGHT = 1 << 40


@register
@dataclass(frozen=True, eq=False)
class Encoding(Artifact):
    """A product code.

    Attributes:
        gates: inputs x_0 … x_(a−1), w_0 … w_(b−1), least significant first; outputs are the M wide bits.
        x_bits, w_bits: operand widths a and b, 1…10.
        position_weights: int64 [M], |s| ≤ 2^40.
        bias: constant in the same units.
        fraction: products are multiples of 2^(−fraction), 0…32.
        x_signed, w_signed: two's complement operands, or unsigned ones.
        x_levels, w_levels: float64 [2^a], [2^b]: the value of each bit pattern for non-uniform quantisation (its codes
            are the unsigned patterns), or None where code = value.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "encoding"
    spec_version: ClassVar[int] = 1

    gates: GateNetlist
    x_bits: int
    w_bits: int
    position_weights: np.ndarray
    bias: int = 0
    fraction: int = 0
    x_signed: bool = True
    w_signed: bool = True
    x_levels: np.ndarray | None = None
    w_levels: np.ndarray | None = None
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def n_bits(self) -> int:
        """M, the number of wide bits."""
        return len(self.position_weights)

    @property
    def x_range(self) -> tuple[int, int]:
        """Smallest and largest activation code."""
        return _range(self.x_bits, self.x_signed and self.x_levels is None)

    @property
    def w_range(self) -> tuple[int, int]:
        """Smallest and largest weight code."""
        return _range(self.w_bits, self.w_signed and self.w_levels is None)

    @property
    def step(self) -> float:
        """Value of one unit of the sums, 2^(−fraction)."""
        return 2.0**-self.fraction

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if not 1 <= self.x_bits <= MAX_OPERAND_BITS or not 1 <= self.w_bits <= MAX_OPERAND_BITS:
            got = f"{self.x_bits} and {self.w_bits} bits"
            raise ArtifactError.of("encoding operands", got, "1…10 bits each", "Use narrower operands.")
        if self.gates.n_inputs != self.x_bits + self.w_bits:
            raise ArtifactError.of(
                "encoding.gates reads missing bits",
                f"{self.gates.n_inputs} inputs",
                f"{self.x_bits} + {self.w_bits} operand bits",
                "Build the gates over x_0…, then w_0….",
            )
        s = self.position_weights
        if not isinstance(s, np.ndarray) or s.dtype != np.int64 or s.shape != (self.gates.n_outputs,):
            got = f"{getattr(s, 'dtype', type(s))} {getattr(s, 'shape', '')}"
            raise ArtifactError.of(
                "encoding.position_weights", got, f"int64 [{self.gates.n_outputs}], one a wide bit", "Convert."
            )
        largest = max(int(np.abs(s).max(initial=0)), abs(self.bias))
        if largest > MAX_WEIGHT or not 0 <= self.fraction <= MAX_FRACTION:
            raise ArtifactError.of(
                "encoding weights outside their width",
                f"|weight| {largest}, fraction {self.fraction}",
                f"at most 2^40, fraction 0…{MAX_FRACTION}",
                "Use fewer fraction bits.",
            )
        for name, levels, bits in (("x_levels", self.x_levels, self.x_bits), ("w_levels", self.w_levels, self.w_bits)):
            _check_levels(name, levels, bits)

    def check_codes(self, codes: np.ndarray, side: str) -> np.ndarray:
        """Operand codes of ``"x"`` or ``"w"`` as unsigned bit patterns uint16, same shape.

        Raises:
            ShapeError: not integers, or a code outside `x_range` / `w_range`.
        """
        codes = np.asarray(codes)
        bits, (lo, hi) = (self.x_bits, self.x_range) if side == "x" else (self.w_bits, self.w_range)
        if codes.dtype.kind not in "iub":
            raise ShapeError.of(f"{side} codes dtype", codes.dtype, "an integer dtype", "Quantise the values first.")
        if codes.size and (int(codes.min()) < lo or int(codes.max()) > hi):
            got = f"{codes.min()}…{codes.max()}"
            raise ShapeError.of(f"{side} code out of range", got, f"{lo}…{hi}", "Quantise or clip the values.")
        return (codes.astype(np.int64) & ((1 << bits) - 1)).astype(np.uint16)

    def wide_bits(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Wide bits uint8 [n, M] for operand codes [n] and [n], by the gates."""
        pattern = np.stack([self.check_codes(x, "x"), self.check_codes(w, "w")])
        return self.gates.reference(_unpack(pattern[0], pattern[1], self.x_bits, self.w_bits))

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Products int64 [n] in units of 2^(−fraction) for operand code pairs [batch, 2] (activation, weight)."""
        x = np.asarray(x)
        check_shape("x", x.shape, "[batch, 2]", (None, 2))
        return self.wide_bits(x[:, 0], x[:, 1]).astype(np.int64) @ self.position_weights + self.bias

    @cached_property
    def stationary(self) -> np.ndarray:
        """bool [M]: wide bits whose gates read w alone; their weighted sum is constant while the weights stay."""
        gates = self.gates
        moves = np.arange(gates.n_inputs + gates.n_nodes) < self.x_bits
        for i in range(gates.n_nodes):
            moves[gates.n_inputs + i] = moves[gates.fan_in[gates.offsets[i] : gates.offsets[i + 1]]].any()
        return ~(moves[gates.outputs] & (gates.outputs >= 0))

    def stationary_sums(self, w: np.ndarray) -> np.ndarray:
        """int64, shape of w: bias + Σ s_k·b_k over the stationary bits, for weight codes w of any shape."""
        column = self.bit_tables[self.stationary, 0, :].astype(np.int64)
        table = self.position_weights[self.stationary] @ column + self.bias
        return np.asarray(table)[self.check_codes(w, "w")]

    @cached_property
    def bit_tables(self) -> np.ndarray:
        """uint8 [M, 2^a, 2^b]: every wide bit for every pair of bit patterns."""
        a, b = 1 << self.x_bits, 1 << self.w_bits
        x, w = np.repeat(np.arange(a), b), np.tile(np.arange(b), a)
        bits = self.gates.reference(_unpack(x, w, self.x_bits, self.w_bits))
        return np.ascontiguousarray(bits.T).reshape(self.n_bits, a, b)

    @cached_property
    def table(self) -> np.ndarray:
        """int64 [2^a, 2^b]: the product in units of 2^(−fraction) for every pair of bit patterns."""
        return np.einsum("k,kxw->xw", self.position_weights, self.bit_tables.astype(np.int64)) + self.bias

    @cached_property
    def target(self) -> np.ndarray:
        """float64 [2^a, 2^b]: the exact product of the operand values for every pair of bit patterns."""
        x = _values(self.x_bits, self.x_signed, self.x_levels)
        return np.outer(x, _values(self.w_bits, self.w_signed, self.w_levels))

    def with_weights(self, position_weights: np.ndarray, bias: int, fraction: int, **meta: str) -> Encoding:
        """The same gates with other position weights."""
        weights = np.asarray(position_weights, dtype=np.int64)
        return dataclasses.replace(
            self, position_weights=weights, bias=int(bias), fraction=fraction, meta={**self.meta, **meta}
        )

    def cost(self) -> Cost:
        """Wide bits, gates, signed digits of the position weights, weighted heap bits a row."""
        digits = int(sum(signed_digits(int(s)) for s in self.position_weights))
        return Cost(
            {"wide_bits": self.n_bits, "gates": self.gates.n_nodes, "signed_digits": digits},
            {
                "wide_bits": "M; a popcount column has M counters of ⌈log2(R + 1)⌉ bits (EncodingNet, section IV)",
                "gates": "nodes of the encoder, one instance a row",
                "signed_digits": "Σ non-zero digits of the canonical signed-digit form of s_k; heap bits a row",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays ``gates.<field>``, weights and levels, and a JSON-able header."""
        inner, gates = self.gates.to_tensors()
        tensors: Tensors = {f"gates.{name}": array for name, array in inner.items()}
        tensors["position_weights"] = self.position_weights
        for name in ("x_levels", "w_levels"):
            if (levels := getattr(self, name)) is not None:
                tensors[name] = levels
        names = ("x_bits", "w_bits", "bias", "fraction", "x_signed", "w_signed")
        return tensors, {"gates": gates, **{name: getattr(self, name) for name in names}, "meta": dict(self.meta)}

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        inner = {name.removeprefix("gates."): array for name, array in tensors.items() if name.startswith("gates.")}
        return cls(
            GateNetlist.from_tensors(inner, header["gates"]), header["x_bits"], header["w_bits"],
            tensors["position_weights"], header["bias"], header["fraction"], header["x_signed"], header["w_signed"],
            tensors.get("x_levels"), tensors.get("w_levels"), dict(header["meta"]),
        )  # fmt: skip


def signed_digits(value: int) -> int:
    """Non-zero digits of the canonical signed-digit form: 3 = 4 − 1 has two.

    Example:
        >>> [signed_digits(v) for v in (0, 1, 3, -6, 11)]
        [0, 1, 2, 2, 3]
    """
    value = abs(int(value))
    return (value ^ (3 * value)).bit_count()


def _range(bits: int, signed: bool) -> tuple[int, int]:
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def _values(bits: int, signed: bool, levels: np.ndarray | None) -> np.ndarray:
    """float64 [2^bits]: value of every bit pattern."""
    if levels is not None:
        return levels
    pattern = np.arange(1 << bits)
    return (pattern - ((pattern >> (bits - 1)) << bits) * signed).astype(np.float64)


def _unpack(x: np.ndarray, w: np.ndarray, x_bits: int, w_bits: int) -> np.ndarray:
    """uint8 [n, a + b]: operand patterns [n] as bits, least significant first."""
    bits = [(x[:, None] >> np.arange(x_bits)) & 1, (w[:, None] >> np.arange(w_bits)) & 1]
    return np.concatenate(bits, axis=1).astype(np.uint8)


def _check_levels(name: str, levels: np.ndarray | None, bits: int) -> None:
    if levels is None:
        return
    if not isinstance(levels, np.ndarray) or levels.dtype != np.float64 or levels.shape != (1 << bits,):
        got = f"{getattr(levels, 'dtype', type(levels))} {getattr(levels, 'shape', '')}"
        raise ArtifactError.of(f"encoding.{name}", got, f"float64 [{1 << bits}]", "Give one level a bit pattern.")
    if not np.isfinite(levels).all():
        raise ArtifactError.of(f"encoding.{name}", "NaN or infinity", "finite levels", "Mend the quantiser.")
