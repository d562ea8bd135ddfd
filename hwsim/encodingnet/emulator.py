"""Sums of encoded products, bit-exact, near the speed of a plain matrix product.

    out[t, n] = Σ_k table[x[t, k], w[n, k]]      int64, units of 2^(−fraction), bias of every product included

| kernel | idea | cost a product |
|---|---|---|
| ``lowrank`` | the table is Σ_r u_r(x)·v_r(w) with integers, found exactly: R dot products of 16-bit factors | R |
| ``popcount`` | 64 products a word: AND, XOR, popcount for each wide bit; gives the hardware's counts | M/10 |
| ``table`` | gather from the product table, laid out once for eight weights rows | about 9 |

``auto`` takes the cheapest. All three are equal to `Encoding.table` for every pair; `verify` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hwsim.core.threads import in_parts
from hwsim.encodingnet import kernels_lowrank, kernels_popcount, kernels_table
from hwsim.encodingnet.bitforms import BitForms, bit_forms
from hwsim.encodingnet.factors import Factors, factorise, limbs
from hwsim.encodingnet.operands import code_values
from hwsim.encodingnet.truth import bit_tables, product_table
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import EquivalenceError, UsageError, check_shape

KERNELS = ("lowrank", "popcount", "table")
MAX_RANK = 32


@dataclass(frozen=True)
class Prepared:
    """Weights [N, K] in the form that one kernel reads; made by `Emulator.prepare_weights`.

    Attributes:
        kernel: name of the kernel.
        n, k: N columns, K products a sum.
        w_sum: int64 [N], Σ_k of what depends on the weights alone.
        data: the kernel's array.
    """

    kernel: str
    n: int
    k: int
    w_sum: np.ndarray
    data: np.ndarray


class Emulator:
    """One encoding and one kernel; tables and factors are computed once.

    Args:
        encoding: the product code.
        threads: rows of x are shared among so many threads; results do not depend on it.
    """

    kernel: ClassVar[str]

    def __init__(self, encoding: Encoding, threads: int = 1) -> None:
        self.encoding = encoding
        self.threads = threads

    @property
    def cost(self) -> float:
        """Time a product in units of one 16-bit dot product, or infinity where the kernel does not apply."""
        raise NotImplementedError

    def prepare_weights(self, w: np.ndarray) -> Prepared:
        """Weights codes [N, K] for any number of calls.

        Raises:
            ShapeError: not [N, K], not integer, or a code out of range.
        """
        w = np.asarray(w)
        check_shape("w", w.shape, "[N, K]", (None, None))
        pattern = self.encoding.check_codes(w, "w")
        w_sum = self._w_table[pattern].sum(axis=1, dtype=np.int64)
        return Prepared(self.kernel, w.shape[0], w.shape[1], w_sum, self._prepare(pattern))

    def __call__(self, x: np.ndarray, prepared: Prepared) -> np.ndarray:
        """int64 [T, N] for activation codes [T, K].

        Raises:
            ShapeError: not [T, K], not integer, or a code out of range.
            UsageError: weights prepared for another kernel.
        """
        codes = self._codes(x, prepared)
        out = np.zeros((len(codes), prepared.n), np.int64)
        in_parts(lambda i, j: self._run(codes[i:j], prepared, out[i:j]), len(codes), self.threads, 64)
        if self._x_table.any():
            x_sum = np.zeros(len(codes), np.int64)
            kernels_popcount.lookup_sums(codes, self._x_table, x_sum)
            out += x_sum[:, None]
        out += prepared.w_sum
        return out

    def _codes(self, x: np.ndarray, prepared: Prepared) -> np.ndarray:
        """Checked activation patterns uint16 [T, K]."""
        if prepared.kernel != self.kernel:
            raise UsageError.of("weights prepared for", prepared.kernel, self.kernel, "Prepare them with this plan.")
        x = np.asarray(x)
        check_shape("x", x.shape, "[T, K]", (None, prepared.k))
        return np.ascontiguousarray(self.encoding.check_codes(x, "x"))

    # -- what each kernel defines ------------------------------------------------------------------------------

    @cached_property
    def _x_table(self) -> np.ndarray:
        """int64 [2^a], the part of the product that only x decides."""
        raise NotImplementedError

    @cached_property
    def _w_table(self) -> np.ndarray:
        """int64 [2^b], the part of the product that only w decides."""
        raise NotImplementedError

    def _prepare(self, pattern: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _run(self, codes: np.ndarray, prepared: Prepared, out: np.ndarray) -> None:
        raise NotImplementedError


class LowRankEmulator(Emulator):
    """Integer factors of the table, as 16-bit dot products with 32-bit sums that can not overflow."""

    kernel = "lowrank"

    @cached_property
    def factors(self) -> Factors | None:
        """Exact factors, or None above rank 32."""
        return factorise(product_table(self.encoding), MAX_RANK)

    @cached_property
    def _terms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(x factors [distinct, 2^a], index [R'], w factors [R', 2^b], scales [R'], chunks [R']), limbs split."""
        factors = self._required()
        xs: list[np.ndarray] = []
        rows: list[tuple[int, np.ndarray, int, int]] = []
        for u, v in zip(factors.u, factors.v, strict=True):
            for x_scale, x_limb in limbs(u, 1 << 13):
                xs.append(x_limb)
                largest = int(np.abs(x_limb.astype(np.int64)).max())
                for w_scale, w_limb in limbs(v, min((1 << 15) - 1, (1 << 23) // max(1, largest))):
                    most = (2**31 - 1) // max(1, largest * int(np.abs(w_limb.astype(np.int64)).max()))
                    rows.append((len(xs) - 1, w_limb, x_scale * w_scale, min(1152, most // 32 * 32)))
        a, b = 1 << self.encoding.x_bits, 1 << self.encoding.w_bits
        return (
            np.array(xs, np.int16).reshape(-1, a),
            np.array([r[0] for r in rows], np.int64),
            np.array([r[1] for r in rows], np.int16).reshape(-1, b),
            np.array([r[2] for r in rows], np.int64),
            np.array([r[3] for r in rows], np.int64),
        )

    def _required(self) -> Factors:
        if self.factors is None:
            mend = "Use the popcount or table kernel."
            raise UsageError.of("rank of the product table", f"above {MAX_RANK}", f"at most {MAX_RANK}", mend)
        return self.factors

    @property
    def cost(self) -> float:
        """Dot products, limbs counted."""
        return np.inf if self.factors is None else len(self._terms[1]) + 0.3

    @cached_property
    def _x_table(self) -> np.ndarray:
        return self._required().x_part

    @cached_property
    def _w_table(self) -> np.ndarray:
        return self._required().w_part

    def _prepare(self, pattern: np.ndarray) -> np.ndarray:
        """int16 [R', N padded to 4, K padded to 32]."""
        n, k = pattern.shape
        w = self._terms[2]
        out = np.zeros((len(w), -(-n // 4) * 4, -(-k // 32) * 32), np.int16)
        for r, factor in enumerate(w):
            out[r, :n, :k] = factor[pattern]
        return out

    def _run(self, codes: np.ndarray, prepared: Prepared, out: np.ndarray) -> None:
        factors, index, _, scales, chunks = self._terms
        n, rows = prepared.data.shape[1] if prepared.data.ndim == 3 else 0, -(-len(codes) // 4) * 4
        whole = out if (rows, n) == out.shape else np.zeros((rows, n), np.int64)
        kernels_lowrank.add_terms(codes, factors, index, prepared.data, scales, chunks, whole)
        if whole is not out:
            out += whole[: len(codes), : prepared.n]


class PopcountEmulator(Emulator):
    """Bit-sliced counts of every wide bit, then the position weights, as the hardware does it."""

    kernel = "popcount"

    @cached_property
    def forms(self) -> BitForms:
        """The wide bits over shared features."""
        return bit_forms(bit_tables(self.encoding))

    @property
    def cost(self) -> float:
        """Word operations relative to a dot product: 0.08 a core and 0.06 a term, measured."""
        return 0.08 * len(self.forms.cores) + 0.06 * self.forms.n_terms + 0.02 * len(self.forms.x_features)

    @cached_property
    def _x_table(self) -> np.ndarray:
        return self.encoding.position_weights @ self.forms.x_part + self.encoding.bias

    @cached_property
    def _w_table(self) -> np.ndarray:
        return self.encoding.position_weights @ self.forms.w_part

    @cached_property
    def _layout(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(features, columns, cores [U, 2], factors [U]) for the kernel."""
        forms = self.forms
        ends = np.cumsum([0, *(len(core) for core in forms.cores)])
        terms = np.array([term for core in forms.cores for term in core], np.int64).reshape(-1, 2)
        factors = np.zeros(len(forms.cores), np.int64)
        used = forms.core_of >= 0
        np.add.at(factors, forms.core_of[used], (self.encoding.position_weights * forms.core_coefficient)[used])
        return terms[:, 0].copy(), terms[:, 1].copy(), np.stack([ends[:-1], ends[1:]], axis=1), factors

    def _prepare(self, pattern: np.ndarray) -> np.ndarray:
        """uint64 [G, blocks, words, columns], N padded to whole blocks."""
        words = _sliced(pattern, self.forms.w_features)
        g, n, count = words.shape
        width = min(kernels_popcount.COLUMNS, -(-n // 8) * 8 or 8)
        padded = np.zeros((g, -(-n // width) * width, count), np.uint64)
        padded[:, :n] = words
        return np.ascontiguousarray(padded.reshape(g, padded.shape[1] // width, width, count).transpose(0, 1, 3, 2))

    def _run(self, codes: np.ndarray, prepared: Prepared, out: np.ndarray) -> None:
        features, columns, cores, factors = self._layout
        x = _sliced(codes, self.forms.x_features)
        whole = out if out.shape[1] == _columns(prepared) else np.zeros((len(codes), _columns(prepared)), np.int64)
        kernels_popcount.add_counts(x, prepared.data, features, columns, cores, factors, whole)
        if whole is not out:
            out += whole[:, : prepared.n]

    def counts(self, x: np.ndarray, prepared: Prepared, w: np.ndarray) -> np.ndarray:
        """int64 [T, N, M]: P_k = Σ b_k over the K products, for x [T, K] and the prepared weights w [N, K]."""
        codes, forms = self._codes(x, prepared), self.forms
        features, columns, cores, _ = self._layout
        sliced = _sliced(codes, forms.x_features)
        core = np.zeros((len(forms.cores), len(codes), _columns(prepared)), np.int64)
        for u in range(len(cores)):
            one = np.ones(1, np.int64)
            kernels_popcount.add_counts(sliced, prepared.data, features, columns, cores[u : u + 1], one, core[u])
        pattern = self.encoding.check_codes(w, "w")
        out = np.empty((len(codes), prepared.n, self.encoding.n_bits), np.int64)
        for k in range(self.encoding.n_bits):
            sides = forms.x_part[k][codes].sum(axis=1)[:, None] + forms.w_part[k][pattern].sum(axis=1)[None, :]
            used = forms.core_of[k] >= 0
            out[:, :, k] = sides + (forms.core_coefficient[k] * core[forms.core_of[k]][:, : prepared.n] if used else 0)
        return out


class TableEmulator(Emulator):
    """Gather from the product table, in the narrowest numbers that hold it."""

    kernel = "table"

    @cached_property
    def _table(self) -> tuple[np.ndarray, int]:
        """(table less its middle value, that value)."""
        table = product_table(self.encoding)
        middle = (int(table.max()) + int(table.min())) // 2
        reach = int(max(table.max() - middle, middle - table.min()))
        return (table - middle).astype(np.int16 if reach < 2**15 else np.int32 if reach < 2**31 else np.int64), middle

    @property
    def cost(self) -> float:
        """By the width of the table's numbers."""
        return {2: 8.0, 4: 10.0, 8: 16.0}[self._table[0].itemsize]

    @cached_property
    def _x_table(self) -> np.ndarray:
        return np.zeros(1 << self.encoding.x_bits, np.int64)

    @cached_property
    def _w_table(self) -> np.ndarray:
        return np.full(1 << self.encoding.w_bits, self._table[1], np.int64)

    def _prepare(self, pattern: np.ndarray) -> np.ndarray:
        """uint16 [K padded to 8, N padded to 64]."""
        n, k = pattern.shape
        data = np.zeros((-(-k // kernels_table.DEPTH) * kernels_table.DEPTH, -(-n // 64) * 64), np.uint16)
        data[:k, :n] = pattern.T
        return data

    def _run(self, codes: np.ndarray, prepared: Prepared, out: np.ndarray) -> None:
        table, data = self._table[0], prepared.data
        if len(codes) < len(table):  # laying the table out would cost more than it saves
            kernels_table.gather(table, codes, data[: prepared.k, : prepared.n], out)
            return
        x = np.zeros((len(codes), len(data)), np.uint16)
        x[:, : prepared.k] = codes
        whole = np.full((len(codes), data.shape[1]), -(len(data) - prepared.k) * int(table[0, 0]), np.int64)
        lut = np.zeros((kernels_table.DEPTH, len(table), kernels_table.BLOCK), table.dtype)
        reach = int(np.abs(table.astype(np.int64)).max())
        flush = (2**31 - 1) // max(1, reach) // kernels_table.DEPTH * kernels_table.DEPTH
        if flush and table.itemsize < 8:
            acc = np.zeros((len(codes), kernels_table.BLOCK), np.int32)
            kernels_table.columns_narrow(table, x, data, flush, lut, acc, whole)
        else:
            wide = np.zeros((len(codes), kernels_table.BLOCK), np.int64)
            kernels_table.columns_wide(table, x, data, lut, wide, whole)
        out += whole[:, : prepared.n]


_CLASSES: dict[str, Any] = {c.kernel: c for c in (LowRankEmulator, PopcountEmulator, TableEmulator)}


def emulator(encoding: Encoding, kernel: str = "auto", threads: int = 1) -> Emulator:
    """The plan for one encoding; ``auto`` takes the cheapest kernel.

    Raises:
        UsageError: an unknown kernel, or the low-rank kernel for a table of high rank (when first used).

    Example:
        >>> from hwsim.encodingnet.encodings import booth, truncated
        >>> [emulator(e).kernel for e in (booth(8, 8), truncated(8, 8, n_bits=40, fit="weights"))]
        ['lowrank', 'popcount']
    """
    if kernel == "auto":
        return min((cls(encoding, threads) for cls in _CLASSES.values()), key=lambda plan: plan.cost)
    if kernel not in _CLASSES:
        raise UsageError.of("emulation kernel", repr(kernel), f"auto, {', '.join(KERNELS)}", "Choose one.")
    return _CLASSES[kernel](encoding, threads)


def gemm(x: np.ndarray, w: np.ndarray, encoding: Encoding, kernel: str = "auto", threads: int = 1) -> np.ndarray:
    """Sums of encoded products int64 [T, N] for activation codes x [T, K] and weight codes w [N, K].

    Units are 2^(−fraction); the bias of every product is included.

    Raises:
        ShapeError: shapes that do not fit, no integers, or a code out of range.

    Example:
        >>> from hwsim.encodingnet.encodings import exact
        >>> gemm(np.array([[1, -2, 3]]), np.array([[4, 5, 6], [0, 0, -8]]), exact(8, 8)).tolist()
        [[12, -24]]
    """
    plan = emulator(encoding, kernel, threads)
    return plan(x, plan.prepare_weights(w))


def popcounts(x: np.ndarray, w: np.ndarray, encoding: Encoding) -> np.ndarray:
    """int64 [T, N, M]: how often each wide bit is set in the K products of x [T, K] and w [N, K].

    Σ_k s_k·P_k + K·bias is what `gemm` gives.

    Raises:
        ShapeError: as `gemm`.
    """
    plan = PopcountEmulator(encoding)
    return plan.counts(x, plan.prepare_weights(w), np.asarray(w))


def verify(encoding: Encoding, kernel: str = "auto") -> None:
    """Check a kernel against the gate netlist for all 2^(a+b) operand pairs.

    Raises:
        EquivalenceError: some product differs; names the first pair.
    """
    x = code_values(encoding.x_bits, encoding.x_range[0] < 0)
    w = code_values(encoding.w_bits, encoding.w_range[0] < 0)
    got = gemm(x[:, None], w[:, None], encoding, kernel)
    differs = np.argwhere(got != product_table(encoding))
    if len(differs):
        i, j = differs[0]
        what = f"product of {x[i]} and {w[j]} by kernel {kernel}"
        want = int(product_table(encoding)[i, j])
        raise EquivalenceError.of(what, int(got[i, j]), want, "This is a defect of the kernel.")


def _columns(prepared: Prepared) -> int:
    """Columns of bit-sliced weights, padding included."""
    return prepared.data.shape[1] * prepared.data.shape[3]


def _sliced(codes: np.ndarray, features: np.ndarray) -> np.ndarray:
    """uint64 [F, T, words]: features uint8 [F, patterns] of codes [T, K], 64 a word, an even number of words."""
    groups = max(1, -(-len(features) // 64))
    masks = np.zeros((features.shape[1], groups), np.uint64)
    for f, feature in enumerate(features):
        masks[:, f // 64] |= feature.astype(np.uint64) << np.uint64(f % 64)
    out = np.zeros((len(features), len(codes), 2 * -(-codes.shape[1] // 128)), np.uint64)
    kernels_popcount.slice_bits(codes, masks, out)
    return out
