"""What turns texts into vectors.

Anything with a name, a width and `encode` is an `Encoder`. `InjectedEncoder` makes one of a function, so that a bench
can put the sentence encoder of another paper (DiSAN) under the search without either importing the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from hwsim.ir.errors import ShapeError, check_shape

Progress = Callable[[float, float, str], None]


@runtime_checkable
class Encoder(Protocol):
    """Texts in, vectors out.

    Attributes:
        name: model and version: equal names give equal vectors, so it keys caches.
        dims: width of a vector.
    """

    @property
    def name(self) -> str: ...

    @property
    def dims(self) -> int: ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """float32 [len(texts), dims]; rows of length 1, or all zero for a text the encoder knows nothing of."""
        ...


class InjectedEncoder:
    """A function as an encoder.

    Args:
        name, dims: as of `Encoder`.
        function: texts → array [n, dims], of any length.
        batch: texts a call.

    Example:
        >>> count = InjectedEncoder("vowels", 2, lambda texts: [[t.count("a"), t.count("e")] for t in texts])
        >>> count.encode(["banana", "eel"]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, name: str, dims: int, function: Callable[[Sequence[str]], object], batch: int = 64) -> None:
        self.name, self.dims, self._function, self._batch = name, dims, function, batch

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """As `Encoder.encode`.

        Raises:
            ShapeError: the function returned another shape, or values that are not finite.
        """
        out = np.zeros((len(texts), self.dims), np.float32)
        for start in range(0, len(texts), self._batch):
            part = texts[start : start + self._batch]
            vectors = np.asarray(self._function(part), np.float32)
            check_shape(f"vectors of {self.name}", vectors.shape, "[texts, dims]", (len(part), self.dims))
            if not np.isfinite(vectors).all():
                raise ShapeError.of(f"vectors of {self.name}", "NaN or infinity", "finite values", "Mend the encoder.")
            out[start : start + len(part)] = normalised(vectors)
            if progress:
                progress(start + len(part), len(texts), self.name)
        return out


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
