"""Vectors that were computed once: one file for an encoder and a list of texts, in the user cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ml.common.datasets.store import cache_folder, write_atomically
from ml.semsearch.encoders.encoder import Encoder, Progress


def encode_cached(encoder: Encoder, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
    """``encoder.encode(texts)`` float32 [n, dims], read from the cache when it holds them.

    A file that can't be read, or of another shape, is computed again.
    """
    key = hashlib.sha256("\0".join((encoder.name, *texts)).encode()).hexdigest()[:32]
    path = cache_folder("embeddings") / f"{key}.npy"
    try:
        held = np.load(path)
        if held.shape == (len(texts), encoder.dims) and held.dtype == np.float32:
            return held
    except (OSError, ValueError):
        pass
    vectors = encoder.encode(texts, progress)
    import io

    buffer = io.BytesIO()
    np.save(buffer, vectors)
    write_atomically(path, buffer.getvalue())
    return vectors
