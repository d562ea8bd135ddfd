"""The 8 × 8 handwritten digits that scikit-learn ships."""

from __future__ import annotations

import hashlib

import numpy as np

from .dataset import Dataset, stratified_indices

TEST_FRACTION = 0.2
SPLIT_SEED = 0


def load_digits() -> Dataset:
    """1438 training and 359 test images; x uint8 ``[n, 64]`` row by row, 0 (paper) to 16 (ink).

    The split is stratified and fixed (seed 0). The checksum is that of the pixels and labels as bytes.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    x, y = bunch.data.astype(np.uint8), bunch.target.astype(np.int64)
    kept, held = stratified_indices(y, TEST_FRACTION, SPLIT_SEED)
    return Dataset(
        name="digits",
        variant="digits 8x8 (scikit-learn)",
        source="embedded",
        location="sklearn.datasets.load_digits",
        x_train=x[kept],
        y_train=y[kept],
        x_test=x[held],
        y_test=y[held],
        feature_names=tuple(f"pixel_{r}_{c}" for r in range(8) for c in range(8)),
        class_names=tuple("0123456789"),
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI ML Repository, 1998",
        sha256s={"digits": hashlib.sha256(x.tobytes() + y.astype(np.uint8).tobytes()).hexdigest()},
    )
