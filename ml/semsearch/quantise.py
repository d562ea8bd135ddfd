"""Vectors in 8 bits and in one bit: what the hardware scores, and what that costs in quality.

int8: code = round(v · 127 / max |v|), with a scale for every document; the scale multiplies the sum of products once.
Bits: signs of (v − mean) · R, R a random rotation, repeated until there are as many bits as wanted: every bit splits
the documents in about halves and they depend little on each other, whatever the encoder (RaBitQ, arXiv 2405.12497; the
idea behind Elasticsearch's ``bbq`` options). A search by bits keeps the `window` nearest by Hamming distance and orders
them anew by int8 products (*rescoring*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape

TOP = 127
WORD = 64
BITS = 384


@dataclass(frozen=True, eq=False)
class Int8:
    """Codes of document vectors.

    Attributes:
        codes: int8 [documents, dims].   scales: float64 [documents]; a component is code · scale.
    """

    codes: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Int8:
        """Quantise; the largest magnitude of every row becomes 127.

        Raises:
            ShapeError: no rows, or not finite.   UsageError: a row of zeros.

        Example:
            >>> Int8.of(np.array([[0.5, -0.25]])).codes.tolist()
            [[127, -64]]
        """
        check_shape("vectors", vectors.shape, "[documents, dims]", (None, None))
        if not np.isfinite(vectors).all():
            raise ShapeError.of("vectors", "NaN or infinity", "finite vectors", "Mend the encoder.")
        top = np.abs(np.asarray(vectors, np.float64)).max(axis=1, initial=0.0)
        if not top.all():
            got = f"zeros in row {int(top.argmin())}"
            raise UsageError.of("vectors", got, "directions", "Leave the document out, or use another encoder.")
        return cls(np.rint(vectors / top[:, None] * TOP).astype(np.int8), top / TOP)

    @staticmethod
    def query(vectors: np.ndarray) -> np.ndarray:
        """int64 codes of queries [queries, dims], each on a scale of its own, which does not change its ranking."""
        top = np.abs(vectors).max(axis=-1, keepdims=True)
        return np.rint(np.divide(vectors * TOP, top, out=np.zeros_like(vectors), where=top > 0)).astype(np.int64)

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """float64 [queries, documents]: products of int8 codes times the documents' scales."""
        return (self.query(queries) @ self.codes.T.astype(np.int64)) * self.scales


@dataclass(frozen=True, eq=False)
class BitCode:
    """Rotation and mean that turn vectors into bits.

    Attributes:
        mean: float64 [dims].   rotation: float64 [dims, bits].
    """

    mean: np.ndarray
    rotation: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, bits: int = BITS, seed: int = 0) -> BitCode:
        """For documents [documents, dims]; rotations are QR factors of normal matrices."""
        check_shape("vectors", vectors.shape, "[documents, dims]", (None, None))
        dims, rng = vectors.shape[1], np.random.default_rng(seed)
        turns = [np.linalg.qr(rng.standard_normal((dims, dims)))[0] for _ in range(-(-bits // dims))]
        return cls(vectors.mean(axis=0, dtype=np.float64), np.concatenate(turns, axis=1)[:, :bits])

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """uint8 [.., bits] of 0 and 1."""
        return (((vectors - self.mean) @ self.rotation) > 0).astype(np.uint8)


def packed(values: np.ndarray) -> np.ndarray:
    """uint64 [.., ⌈dims / 64⌉] of 0/1 values [.., dims]; bit k of word j is value 64·j + k, the rest 0.

    Example:
        >>> packed(np.array([[1, 0, 1]])).tolist()
        [[5]]
    """
    pad = -values.shape[-1] % WORD
    wide = np.concatenate([values, np.zeros((*values.shape[:-1], pad), np.uint8)], axis=-1)
    return np.packbits(wide.astype(np.uint8), axis=-1, bitorder="little").view(np.uint64)


def hamming(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """int64 [queries, documents]: differing bits of packed rows.

    Example:
        >>> hamming(np.array([[5]], np.uint64), np.array([[5], [2]], np.uint64)).tolist()
        [[0, 3]]
    """
    return np.stack([np.bitwise_count(documents ^ row).sum(axis=1, dtype=np.int64) for row in queries])


def rescored(coarse: np.ndarray, fine: np.ndarray, window: int) -> np.ndarray:
    """float64 [queries, documents]: `fine` for the `window` documents with the best `coarse` score, else −∞."""
    kept = np.argsort(-coarse, axis=1, kind="stable")[:, :window]
    out = np.full(fine.shape, -np.inf)
    np.put_along_axis(out, kept, np.take_along_axis(fine, kept, 1).astype(np.float64), 1)
    return out
