"""Random generators as arguments: every stream is derived from one seed and a path of names or numbers.

No global random state is read or set. `derive(7, "mask", 3)` is a different stream from
`derive(7, "mask", 4)`, and the same on every machine and in every run, so that a resumed run draws what an
uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive(seed: int, *path: str | int) -> int:
    """A 63-bit seed of the stream `path` under `seed`.

    >>> derive(1, "mask") == derive(1, "mask"), derive(1, "mask") == derive(2, "mask")
    (True, False)
    """
    text = "/".join(str(part) for part in (int(seed), *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def torch_generator(seed: int, *path: str | int) -> torch.Generator:
    """A CPU torch generator of the stream `path` under `seed`."""
    return torch.Generator().manual_seed(derive(seed, *path))


def numpy_generator(seed: int, *path: str | int) -> np.random.Generator:
    """A numpy generator of the stream `path` under `seed`."""
    return np.random.default_rng(derive(seed, *path))
