"""The files about real jets in `$HWSIM_DATA/jsc`: 1000 labelled test jets, and the published KANELÉ tables.

A jet is 16 numbers that summarise a spray of particles, and the class is what made it: gluon, light quark, top
quark, W or Z boson. Data set: OpenML 42468 `hls4ml_lhc_jets_hlf`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError

from .dataset import Array, Dataset, Progress, Source
from .store import RemoteFile, check_sha256, find

FEATURES = (
    *("zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt", "d2_b1_mmdt", "d2_b2_mmdt"),
    *("d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt", "n2_b1_mmdt", "n2_b2_mmdt"),
    *("mass_mmdt", "multiplicity"),
)
CLASSES = ("g", "q", "t", "w", "z")
CITATION = (
    "J. Duarte et al., Fast inference of deep neural networks in FPGAs for particle physics, JINST 13 P07027, 2018"
)
LICENCE = "OpenML 42468 (public)"

TEST1000 = RemoteFile(
    "jsc_openml_test1000.npz", sha256="46e110f737f2b02d635f6c6c318414234786b1d59a70d08069fc1464e5ae9658"
)
TABLES = RemoteFile(
    "kanele_openml_tables.npz", sha256="dbc67eff98d231b2815b43dd47bef38f029e01cd1ac959adbd54cd0f924d53ad"
)
TABLES_CITATION = "KANELÉ: Kolmogorov-Arnold networks for efficient LUT-based evaluation, published truth tables"

_TABLE_SHAPES: dict[str, tuple[int | None, ...]] = {
    "edge": (None, 3),
    "width": (None,),
    "values": (None,),
    "bn_weight": (16,),
    "bn_bias": (16,),
    "bn_mean": (16,),
    "bn_var": (16,),
    "input_bias": (1,),
    "input_threshold": (),
}


def load_test1000(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """1000 real test jets; x float32 ``[1000, 16]`` standardised, y by `CLASSES`. There is no training part.

    Extras: ``mean`` and ``scale`` float32 ``[16]``; raw features are ``x * scale + mean``.

    Raises:
        UnreachableError: no copy here; the file can't be downloaded.
        DataError: the file is damaged.
    """
    arrays, source, path = _arrays(TEST1000, root, progress)
    check_shapes(path, arrays, {"x": (1000, 16), "y": (1000,), "mean": (16,), "scale": (16,)})
    return Dataset(
        name="jsc_openml_test1000",
        variant="1000 test jets of OpenML 42468",
        source=source,
        location=str(path),
        x_train=np.zeros((0, 16), np.float32),
        y_train=np.zeros(0, np.int64),
        x_test=arrays["x"].astype(np.float32),
        y_test=arrays["y"].astype(np.int64),
        feature_names=FEATURES,
        class_names=CLASSES,
        licence=LICENCE,
        citation=CITATION,
        sha256s={TEST1000.name: str(TEST1000.sha256)},
        extras={"mean": arrays["mean"], "scale": arrays["scale"]},
    )


def load_tables(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """The KANELÉ 16-8-5 truth tables; both parts are empty, the arrays are the extras.

    Extras: ``edge`` int16 ``[n, 3]`` (layer, input, output), ``width`` int16 ``[n]`` entries of each table,
    ``values`` int16, the tables one after another in the order of ``edge``; the input quantiser
    ``bn_weight, bn_bias, bn_mean, bn_var`` float32 ``[16]``, ``input_bias`` ``[1]``, ``input_threshold`` ``[]``.

    Raises:
        UnreachableError: no copy here; the file can't be downloaded.
        DataError: the file is damaged.
    """
    arrays, source, path = _arrays(TABLES, root, progress)
    check_shapes(path, arrays, _TABLE_SHAPES)
    return Dataset(
        name="kanele_openml_tables",
        variant="KANELÉ OpenML 16-8-5",
        source=source,
        location=str(path),
        x_train=np.zeros((0, 16), np.float32),
        y_train=np.zeros(0, np.int64),
        x_test=np.zeros((0, 16), np.float32),
        y_test=np.zeros(0, np.int64),
        feature_names=FEATURES,
        class_names=CLASSES,
        licence="MIT",
        citation=TABLES_CITATION,
        sha256s={TABLES.name: str(TABLES.sha256)},
        extras=arrays,
    )


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an npz file; nothing in it is unpickled.

    Raises:
        DataError: not a whole npz file of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError.of(str(path), error, "a whole npz file of plain arrays", "Replace it.") from error


def _arrays(
    file: RemoteFile, root: str | Path | None, progress: Progress | None
) -> tuple[dict[str, Array], Source, Path]:
    found = find(
        file.name.removesuffix(".npz"),
        (file,),
        subfolder="jsc",
        root=root,
        progress=progress,
        how_to_get=f"It can't be downloaded: put {file.name} into $HWSIM_DATA/jsc.",
    )
    path = found.path(file)
    check_sha256(path, str(file.sha256))
    return read_npz(path), found.source, path


def check_shapes(path: Path, arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int | None, ...]]) -> None:
    """Raise `DataError` unless every array of `path` is there in its shape (None matches any length)."""
    for name, shape in shapes.items():
        got = arrays[name].shape if name in arrays else None
        fits = (
            got is not None and len(got) == len(shape) and all(s in (None, g) for g, s in zip(got, shape, strict=True))
        )
        if not fits:
            raise DataError.of(f"array {name} of {path}", got, f"shape {shape}", "Replace the file with the original.")
