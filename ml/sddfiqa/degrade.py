"""Controlled degradations of face chips, each with a strength in 0 … 1: what a camera does to a good image.

| kind | strength 0 → 1, lengths as a share of the chip's side |
|---|---|
| blur | Gaussian, σ 0.4 % → 5.5 % |
| down | resampled to 100 % → 12 % of the side and back, bilinear |
| noise | Gaussian, σ 2 → 60 grey levels |
| occlusion | a grey rectangle over 4 % → 45 % of the area, anywhere |
| dark | grey levels scaled by 0.9 → 0.06, with 2 levels of sensor noise |
| jpeg | quality 60 → 2 |
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError


def blur(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Defocus."""
    from scipy.ndimage import gaussian_filter

    return _grey(gaussian_filter(chip.astype(np.float32), (0.004 + 0.051 * strength) * chip.shape[0]))


def down(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Few pixels."""
    side = chip.shape[0]
    return resized(resized(chip, max(4, round(side * (1 - 0.88 * strength**0.5)))), side)


def noise(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A noisy sensor."""
    return _grey(chip + rng.normal(0, 2 + 58 * strength, chip.shape))


def occlusion(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A mask, a hand, a scarf."""
    side = chip.shape[0]
    area, aspect = 0.04 + 0.41 * strength, np.exp(rng.uniform(-0.5, 0.5))
    height, width = (min(side, round(side * (area * a) ** 0.5)) for a in (aspect, 1 / aspect))
    y, x = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    out = chip.copy()
    out[y : y + height, x : x + width] = rng.integers(40, 200)
    return out


def dark(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Too little light."""
    return _grey(chip * (0.9 - 0.84 * strength) + rng.normal(0, 2, chip.shape))


def jpeg(chip: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Compression."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(chip).save(buffer, "JPEG", quality=round(60 - 58 * strength))
    return np.asarray(Image.open(buffer))


KINDS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "blur": blur, "down": down, "noise": noise, "occlusion": occlusion, "dark": dark, "jpeg": jpeg,
}  # fmt: skip


def degraded(chip: np.ndarray, kind: str, strength: float, rng: np.random.Generator) -> np.ndarray:
    """`chip` uint8 [side, side] after one degradation.

    Raises:
        UsageError: an unknown kind, or a strength outside 0 … 1.
        ShapeError: not a square of grey levels.

    Example:
        >>> degraded(np.full((8, 8), 200, np.uint8), "dark", 1.0, np.random.default_rng(0)).mean().round()
        np.float64(12.0)
    """
    if kind not in KINDS or not 0 <= strength <= 1:
        got, want = f"{kind!r} at {strength}", f"one of {', '.join(KINDS)} at 0 … 1"
        raise UsageError.of("degradation", got, want, "Choose another.")
    if chip.ndim != 2 or chip.shape[0] != chip.shape[1] or chip.dtype != np.uint8:
        raise ShapeError.of("chip", f"{chip.dtype} {list(chip.shape)}", "uint8 [side, side]", "Crop and convert it.")
    return KINDS[kind](chip, strength, rng)


def resized(chip: np.ndarray, side: int) -> np.ndarray:
    """uint8 chip resampled to [side, side]; bilinear, over the whole area when it shrinks."""
    from PIL import Image

    return np.asarray(Image.fromarray(chip).resize((side, side), Image.Resampling.BILINEAR))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
