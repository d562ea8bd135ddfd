"""Arrays on 64-byte boundaries: a 512-bit load or store of them never touches two cache lines."""

from __future__ import annotations

import numpy as np
from numba import njit

BOUNDARY = 64


def zeros(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeroed array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    store = np.zeros(size + BOUNDARY, np.uint8)
    first = -store.ctypes.data % BOUNDARY
    return store[first : first + size].view(dtype).reshape(shape)


def copy(array: np.ndarray, dtype: type) -> np.ndarray:
    """`array` in another type."""
    out = zeros(array.shape, dtype)
    out[...] = array
    return out


@njit(cache=True, nogil=True)
def like(kind, rows, columns):
    """Uninitialised [rows, columns] of the type of the array `kind`, for use inside kernels."""
    size = rows * columns * kind.itemsize
    store = np.empty(size + BOUNDARY, np.uint8)
    first = -store.ctypes.data % BOUNDARY
    return store[first : first + size].view(kind.dtype).reshape((rows, columns))
