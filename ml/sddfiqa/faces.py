"""Sets of face chips: where they come from, and their degraded copies.

A chip is a square of grey levels with one face; 112 × 112 where it was aligned by landmarks, as the paper has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.ir.errors import DataError, UsageError
from ml.sddfiqa.degrade import KINDS, degraded, resized
from ml.sddfiqa.labels import check_identities
from ml.sddfiqa.recognise import check_chips

SIDE = 112
CLEAN = "clean"
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".webp")
Align = Callable[[np.ndarray, int], np.ndarray | None]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Chips of known people.

    Attributes:
        chips: uint8 [n, side, side].
        identity: int64 [n].
        kind: str [n], "clean" or a degradation.
        strength: float64 [n], 0 for clean ones.
        origin: int64 [n], number of the clean chip it was made from.
    """

    chips: np.ndarray
    identity: np.ndarray
    kind: np.ndarray
    strength: np.ndarray
    origin: np.ndarray

    def __len__(self) -> int:
        return len(self.chips)

    def of(self, which: np.ndarray) -> FaceSet:
        """The chips that a mask or index selects."""
        parts = (self.chips, self.identity, self.kind, self.strength, self.origin)
        return FaceSet(*(part[which] for part in parts))


def with_copies(
    chips: Any, identity: Any, *, copies: int, seed: int, strongest: float = 1.0, keep_clean: bool = True
) -> FaceSet:
    """Clean chips [n, side, side] with `copies` degraded ones of each, of different kinds, strengths uniform.

    Args:
        copies: 0 … 6 degradations a chip, drawn without replacement.
        strongest: upper end of the strengths, in (0, 1].

    Raises:
        ShapeError, UsageError: chips, identities or numbers that do not fit.

    Example:
        >>> made = with_copies(np.full((4, 16, 16), 99, np.uint8), [0, 0, 1, 1], copies=2, seed=0)
        >>> len(made), sorted(set(made.kind[:3]) & {"clean"}), made.origin[:4].tolist()
        (12, ['clean'], [0, 0, 0, 1])
    """
    chips = check_chips(chips)
    identity = check_identities(identity, len(chips)) if len(chips) else np.zeros(0, np.int64)
    if not 0 <= copies <= len(KINDS) or not 0 < strongest <= 1:
        got = f"{copies} copies up to strength {strongest}"
        raise UsageError.of("degraded copies", got, f"0 … {len(KINDS)} copies, strength in (0, 1]", "Change them.")
    rng = np.random.default_rng(seed)
    made: list[tuple[np.ndarray, str, float, int]] = []
    for i, chip in enumerate(chips):
        if keep_clean:
            made.append((chip, CLEAN, 0.0, i))
        for kind in rng.permutation(list(KINDS))[:copies]:
            strength = float(rng.uniform(0, strongest))
            made.append((degraded(chip, str(kind), strength, rng), str(kind), strength, i))
    origin = np.array([row[3] for row in made])
    return FaceSet(
        np.stack([row[0] for row in made]), identity[origin], np.array([row[1] for row in made]),
        np.array([row[2] for row in made]), origin,
    )  # fmt: skip


def cropped(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The middle square of a grey image uint8 [h, w] as a chip, for pictures in which no face is found."""
    h, w = image.shape
    s = min(h, w)
    top, left = (h - s) * 2 // 3, (w - s) // 2  # portraits have more room above than below
    return resized(np.ascontiguousarray(image[top : top + s, left : left + s]), side)


def aligned(images: Any, align: Align | None = None, side: int = SIDE) -> tuple[np.ndarray, int]:
    """Chips uint8 [n, side, side] of grey images, and in how many of them no face was found.

    `align` is for example `DlibRecogniser.align`; None crops the middle.
    """
    chips, missed = [], 0
    for image in images:
        chip = align(image, side) if align else None
        missed += chip is None and align is not None
        chips.append(cropped(image, side) if chip is None else chip)
    return np.stack(chips), missed


def folder_faces(path: str | Path, align: Align | None = None, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Chips and identities of a folder with one folder a person: ``path/<person>/<picture>``.

    Raises:
        DataError: no such folder, or a picture that can't be read.
        UsageError: fewer than two people, or a person with fewer than two pictures.
    """
    from PIL import Image, UnidentifiedImageError

    if not Path(path).is_dir():
        raise DataError.of("folder of faces", f"{path}, which is no folder", "a folder a person in it", "Correct it.")
    files = sorted(f for f in Path(path).glob("*/*") if f.suffix.lower() in SUFFIXES)
    people = sorted(f.name for f in Path(path).iterdir() if f.is_dir())
    identity = check_identities(np.array([f.parent.name for f in files], dtype=str), len(files), people or None)
    images = []
    for file in files:
        try:
            images.append(np.asarray(Image.open(file).convert("L")))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError.of(str(file), str(error), "a picture", "Remove or replace it.") from error
    return aligned(images, align, side)[0], identity
