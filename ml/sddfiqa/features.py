"""What a camera can measure of a chip without a network: levels and edges of blocks, by adders and comparators alone.

    of every block of a g × g grid:  mean, range, mean and largest |∂x|, |∂y|, and the share of flat pixels,
    each as log(1 + ·)

Blur and few pixels lower the edges, noise and JPEG change their mean against their maximum, occlusion makes blocks
flat, darkness lowers everything. In hardware the logarithm is the place of the leading one with the bits behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ml.sddfiqa.degrade import resized
from ml.sddfiqa.recognise import check_chips

SIDE, GRID = 64, 4
FLAT = 2  # a pixel is flat when it differs by less from its neighbours
PER_BLOCK = 7


def block_features(chips: Any, grid: int = GRID) -> np.ndarray:
    """float32 [n, 7·grid²] of chips uint8 [n, side, side], read at 64 × 64.

    Raises:
        ShapeError: other chips.

    Example (a flat picture has no range, no edges, and only flat pixels):
        >>> row = block_features(np.full((1, 64, 64), 100, np.uint8), grid=1)[0]
        >>> np.expm1(row).round(1).tolist()
        [100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 64.0]
    """
    chips = check_chips(chips)
    x = np.stack([resized(chip, SIDE) for chip in chips]).astype(np.int32)
    across, down = np.abs(np.diff(x, axis=2))[:, :-1], np.abs(np.diff(x, axis=1))[:, :, :-1]
    flat = 64 * ((across < FLAT) & (down < FLAT))

    def blocks(values: np.ndarray) -> np.ndarray:
        size = values.shape[1] // grid
        cut = values[:, : size * grid, : size * grid]
        return cut.reshape(len(x), grid, size, grid, size).swapaxes(2, 3).reshape(len(x), grid * grid, -1)

    of_x, of_across, of_down = blocks(x), blocks(across), blocks(down)
    parts = (
        of_x.mean(2), of_x.max(2) - of_x.min(2), of_across.mean(2), of_down.mean(2), of_across.max(2), of_down.max(2),
        blocks(flat).mean(2),
    )  # fmt: skip
    return np.log1p(np.concatenate(parts, axis=1)).astype(np.float32)
