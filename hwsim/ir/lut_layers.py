"""The layers of a `lut_network`: lookup tables, saturating adders, and the input quantiser.

One L-LUT reads F codes of β_in bits, picked by fixed connections, and emits one β_out-bit code
(NeuraLUT, FPL 2024, section III). A *sum* layer adds signed codes and saturates; it makes networks of
one-input tables plus adders (KANELÉ, HGQ-LUT) the same kind. Signed codes travel as offset binary:
code = value + 2^(β−1).

Symbols: F fan-in, β bits of a code, ``address = Σ_j code_j · 2^(β·(F−1−j))`` (the first connection is the
most significant).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ArtifactError, ShapeError, check_shape

MAX_ADDRESS_BITS = 16
MAX_CODE_BITS = 16


def code_dtype(bits: int) -> type[np.uint8] | type[np.uint16]:
    """Smallest unsigned dtype that holds a `bits`-bit code (1..16)."""
    return np.uint8 if bits <= 8 else np.uint16


@dataclass(frozen=True, eq=False)
class LutLayer:
    """Lookup tables side by side: ``out[k] = table[k, address(in[connections[k]])]``.

    Attributes:
        connections: int32 [n_out, fan_in], index of each input among the previous layer's outputs.
        table: uint8 or uint16 [n_out, 2^(bits_in·fan_in)], output codes by address.
        bits_in: width of every input code, 1..16.
        bits_out: width of every output code, 1..16.
    """

    connections: np.ndarray
    table: np.ndarray
    bits_in: int
    bits_out: int

    @property
    def n_out(self) -> int:
        return int(self.connections.shape[0])

    @property
    def fan_in(self) -> int:
        return int(self.connections.shape[1])

    @property
    def address_bits(self) -> int:
        return self.fan_in * self.bits_in

    def address(self, codes: np.ndarray) -> np.ndarray:
        """Table addresses int64 [batch, n_out] for input codes [batch, n_in]."""
        picked = codes.astype(np.int64)[:, self.connections]
        shifts = self.bits_in * np.arange(self.fan_in - 1, -1, -1, dtype=np.int64)
        return (picked << shifts).sum(axis=2)

    def reference(self, codes: np.ndarray) -> np.ndarray:
        """Output codes [batch, n_out] for input codes [batch, n_in]."""
        return self.table[np.arange(self.n_out), self.address(codes)]

    def validate(self, where: str, n_in: int) -> None:
        """Raise `ArtifactError` unless the layer obeys its rules and fits `n_in` inputs."""
        _check_int_array(f"{where}.connections", self.connections, np.int32, 2)
        if not 1 <= self.bits_out <= MAX_CODE_BITS:
            raise ArtifactError.of(
                f"{where}.bits_out", self.bits_out, f"1..{MAX_CODE_BITS}", "Split the output over several L-LUTs."
            )
        if not 1 <= self.address_bits <= MAX_ADDRESS_BITS:
            raise ArtifactError.of(
                f"{where} address width",
                f"{self.fan_in} inputs × {self.bits_in} bits = {self.address_bits}",
                f"1..{MAX_ADDRESS_BITS} bits",
                "Lower the fan-in or the code width.",
            )
        _check_sources(where, "connections", self.connections, n_in)
        _check_int_array(f"{where}.table", self.table, code_dtype(self.bits_out), 2)
        expected = (self.n_out, 1 << self.address_bits)
        if self.table.shape != expected:
            raise ArtifactError.of(
                f"{where}.table has the wrong length",
                list(self.table.shape),
                f"[n_out, 2^(bits_in·fan_in)] = {list(expected)}",
                "Enumerate every address once.",
            )
        if self.table.size and int(self.table.max()) >> self.bits_out:
            raise ArtifactError.of(
                f"{where}.table holds a code that is too wide",
                int(self.table.max()),
                f"0..{(1 << self.bits_out) - 1} ({self.bits_out} bits)",
                "Clamp the codes or raise bits_out.",
            )


@dataclass(frozen=True, eq=False)
class SumLayer:
    """Saturating adders: ``out[k] = clip(bias[k] + Σ_j value(in[sources_kj]), lo, hi) − lo``.

    Inputs are offset-binary signed codes, ``value(c) = c − 2^(bits_in−1)``.

    Attributes:
        offsets: int32 [n_out + 1], adder k owns ``sources[offsets[k]:offsets[k+1]]`` (CSR); may be empty.
        sources: int32 [n_terms], index of each term among the previous layer's outputs.
        bias: int32 [n_out].
        lo, hi: saturation range of the sum, lo ≤ 0 ≤ hi.
        bits_in: width of every input code, 1..16.
    """

    offsets: np.ndarray
    sources: np.ndarray
    bias: np.ndarray
    lo: int
    hi: int
    bits_in: int

    @property
    def n_out(self) -> int:
        return int(self.bias.shape[0])

    @property
    def bits_out(self) -> int:
        return max(1, int(self.hi - self.lo).bit_length())

    def reference(self, codes: np.ndarray) -> np.ndarray:
        """Output codes [batch, n_out] for input codes [batch, n_in]."""
        values = codes.astype(np.int64) - (1 << (self.bits_in - 1))
        total = np.empty((len(codes), self.n_out), dtype=np.int64)
        for k in range(self.n_out):
            terms = self.sources[self.offsets[k] : self.offsets[k + 1]]
            total[:, k] = self.bias[k] + values[:, terms].sum(axis=1)
        return (np.clip(total, self.lo, self.hi) - self.lo).astype(code_dtype(self.bits_out))

    def validate(self, where: str, n_in: int) -> None:
        """Raise `ArtifactError` unless the layer obeys its rules and fits `n_in` inputs."""
        for name in ("offsets", "sources", "bias"):
            _check_int_array(f"{where}.{name}", getattr(self, name), np.int32, 1, may_be_empty=name == "sources")
        grows = len(self.offsets) == self.n_out + 1 and bool(np.all(np.diff(self.offsets) >= 0))
        if not grows or self.offsets[0] != 0 or self.offsets[-1] != len(self.sources):
            raise ArtifactError.of(
                f"{where}.offsets",
                self.offsets.tolist()[:8],
                f"{self.n_out + 1} values that grow from 0 to {len(self.sources)}",
                "Rebuild the CSR offsets.",
            )
        _check_sources(where, "sources", self.sources, n_in)
        if not (self.lo <= 0 <= self.hi and 1 <= self.bits_out <= MAX_CODE_BITS):
            raise ArtifactError.of(
                f"{where} saturation range",
                f"{self.lo}..{self.hi}",
                f"lo ≤ 0 ≤ hi and at most {MAX_CODE_BITS} bits",
                "Mend lo and hi.",
            )


Layer = LutLayer | SumLayer


@dataclass(frozen=True, eq=False)
class InputQuantiser:
    """Real features to codes: ``code = clip(rint(x·gain + offset), lo, hi) − lo`` in float64.

    lo..hi is −2^(bits−1)..2^(bits−1)−1 when signed, 0..2^bits−1 otherwise; rint rounds ties to even.

    Attributes:
        gain, offset: float64 [n_in], finite.
        bits: code width, 1..16.
        signed: see above.
    """

    gain: np.ndarray
    offset: np.ndarray
    bits: int
    signed: bool

    @property
    def lo(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        return self.lo + (1 << self.bits) - 1

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Codes [batch, n_in] for features [batch, n_in].

        Raises:
            ShapeError: wrong shape, or a feature that is not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        check_shape("x", x.shape, "[batch, n_in]", (None, len(self.gain)))
        if not np.isfinite(x).all():
            raise ShapeError.of("x holds NaN or infinity", "non-finite values", "finite features", "Clean the data.")
        code = np.clip(np.rint(x * self.gain + self.offset), self.lo, self.hi) - self.lo
        return code.astype(code_dtype(self.bits))

    def validate(self, n_in: int) -> None:
        """Raise `ArtifactError` unless gain and offset are finite float64 [n_in]."""
        for name, array in (("gain", self.gain), ("offset", self.offset)):
            if array.dtype != np.float64 or array.shape != (n_in,) or not np.isfinite(array).all():
                raise ArtifactError.of(
                    f"input_quantiser.{name}",
                    f"{array.dtype} {list(array.shape)}",
                    f"finite float64 [{n_in}]",
                    "Export the quantiser again.",
                )


def pack_codes(table: np.ndarray, bits: int) -> np.ndarray:
    """Bit-pack codes [n, m] to uint8 [n, ceil(m·bits/8)]; code a sits at bits a·bits.., LSB first."""
    planes = (table[..., None] >> np.arange(bits, dtype=table.dtype)) & 1
    return np.packbits(planes.reshape(len(table), -1).astype(np.uint8), axis=1, bitorder="little")


def unpack_codes(packed: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Inverse of `pack_codes`: codes [n, count]."""
    planes = np.unpackbits(packed, axis=1, count=count * bits, bitorder="little")
    weights = (1 << np.arange(bits)).astype(np.uint32)
    return (planes.reshape(len(packed), count, bits) @ weights).astype(code_dtype(bits))


def _check_int_array(
    name: str, array: np.ndarray, dtype: type[np.generic], ndim: int, may_be_empty: bool = False
) -> None:
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == ndim
    if not fits or (0 in array.shape[:1] and not may_be_empty):
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ArtifactError.of(name, got, f"a non-empty {np.dtype(dtype)} array with {ndim} axes", "Convert the array.")


def _check_sources(where: str, name: str, indices: np.ndarray, n_in: int) -> None:
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= n_in):
        raise ArtifactError.of(
            f"{where}.{name} is out of range",
            f"{indices.min()}..{indices.max()}",
            f"0..{n_in - 1} ({n_in} signals)",
            "Mend the connection list.",
        )
