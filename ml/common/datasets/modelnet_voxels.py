"""modelnet10_chair and modelnet10_monitor: ModelNet10 shapes as 32³ voxels.

The files are gzip-compressed arrays float64 [n + 1, 1, 32, 32, 32]; the first entry is empty and left out. Both sets
are training parts of ModelNet10; the last 100 shapes are the test part here.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Dataset, Progress
from .store import RemoteFile, check_sha256, find

SIDE, N_TEST = 32, 100
SETS: dict[str, tuple[str, int, str]] = {
    "modelnet10_chair": ("chair", 889, "cb33b51e8a5d65db881783fa19016d88e356ca33a7ca419e139520d086e38b69"),
    "modelnet10_monitor": ("monitor", 465, "c7b5028678ce848ec98ca5d36a8a1f1786420de119b0532f53972ac093d08230"),
}
CITATION = "Z. Wu et al., 3D ShapeNets: a deep representation for volumetric shapes, CVPR 2015 (ModelNet10)"


def load_modelnet(name: str, root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """One of `SETS`: x uint8 ``[n, 32, 32, 32]`` (x, y, z), 1 where filled; one class.

    Raises:
        UnreachableError: no copy here; these voxels can't be downloaded.
        DataError: the file is damaged, or not such an array.
    """
    stem, count, sha256 = SETS[name]
    file = RemoteFile(f"{stem}.npy.gz", sha256=sha256)
    how = f"It can't be downloaded: put {file.name} into $HWSIM_DATA/meshes/modelnet10_vox."
    found = find(name, (file,), subfolder="meshes/modelnet10_vox", root=root, progress=progress, how_to_get=how)
    path = found.path(file)
    digest = check_sha256(path, sha256)
    voxels = read_voxels(path)
    if len(voxels) != count:
        raise DataError.of(str(path), f"{len(voxels)} shapes", count, "Put the original file there.")
    labels = np.zeros(count, np.int64)
    return Dataset(
        name=name,
        variant=f"ModelNet10 {stem}s, 32³ voxels",
        source=found.source,
        location=str(path),
        x_train=voxels[:-N_TEST],
        y_train=labels[:-N_TEST],
        x_test=voxels[-N_TEST:],
        y_test=labels[-N_TEST:],
        feature_names=(),
        class_names=(stem,),
        licence="academic use",
        citation=CITATION,
        sha256s={file.name: digest},
    )


def read_voxels(path: Path) -> np.ndarray:
    """The shapes of a file, uint8 [n, 32, 32, 32], without the empty first entry.

    Raises:
        DataError: not a gzip-compressed array of voxels.
    """
    try:
        array = np.load(io.BytesIO(gzip.decompress(path.read_bytes())), allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError.of(str(path), error, "a gzip-compressed .npy array", "Put the original there.") from error
    if array.shape[1:] != (1, SIDE, SIDE, SIDE) or len(array) < 2:
        got, want = f"shape {list(array.shape)}", f"[n + 1, 1, {SIDE}, {SIDE}, {SIDE}]"
        raise DataError.of(str(path), got, want, "Put the original file there.")
    return np.ascontiguousarray(array[1:, 0] > 0.5).view(np.uint8)
