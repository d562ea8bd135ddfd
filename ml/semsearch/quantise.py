"""Vectors in 8 bits and in one bit: what the hardware scores, and what that costs in quality.

int8: code = round(v · 127 / max |v|) over all documents (symmetric, one scale). Bits: sign of each component after an
optional centring, packed into 64-bit words. A search by bits keeps the `window` nearest by Hamming distance and orders
them anew by int8 products (*rescoring*), as Elasticsearch's quantised indexes do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape

TOP = 127
WORD = 64


@dataclass(frozen=True, eq=False)
class Int8:
    """Codes of document vectors.

    Attributes:
        codes: int8 [documents, dims].   scale: a component is code · scale.
    """

    codes: np.ndarray
    scale: float

    @classmethod
    def of(cls, vectors: np.ndarray) -> Int8:
        """Quantise; the largest magnitude becomes 127.

        Raises:
            ShapeError: no rows, or not finite.   UsageError: all zero.
        """
        check_shape("vectors", vectors.shape, "[documents, dims]", (None, None))
        if not np.isfinite(vectors).all():
            raise ShapeError.of("vectors", "NaN or infinity", "finite vectors", "Mend the encoder.")
        top = float(np.abs(vectors).max(initial=0.0))
        if top == 0:
            raise UsageError.of("vectors", "all zero", "directions", "Encode texts with known words.")
        return cls(np.rint(vectors / top * TOP).astype(np.int8), top / TOP)

    def query(self, vector: np.ndarray) -> np.ndarray:
        """int8 codes of queries [.., dims], each on a scale of its own, which does not change its ranking."""
        top = np.abs(vector).max(axis=-1, keepdims=True)
        return np.rint(np.divide(vector * TOP, top, out=np.zeros_like(vector), where=top > 0)).astype(np.int8)

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """int64 [queries, documents]: products of int8 codes."""
        return self.query(queries).astype(np.int64) @ self.codes.T.astype(np.int64)


def centre_of(vectors: np.ndarray) -> np.ndarray:
    """float64 [dims]: the median of each component, so that every bit splits the documents in halves."""
    return np.median(vectors, axis=0)


def bits(vectors: np.ndarray, centre: np.ndarray | float = 0.0) -> np.ndarray:
    """uint8 [.., dims] of 0 and 1: component > centre."""
    return (np.asarray(vectors) > centre).astype(np.uint8)


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
