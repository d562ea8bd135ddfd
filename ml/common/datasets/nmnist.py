"""nmnist: N-MNIST events (a camera looks at MNIST digits in three saccades), when `$HWSIM_DATA/nmnist` has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Array, Dataset, Progress
from .events import check_events
from .jets import read_npz
from .store import RemoteFile, check_sha256, find

SIZE = (34, 34)
FILES = {
    "train": RemoteFile(
        "nmnist_train1000.npz", sha256="e1aa2e91e86371d08fe09824c509d8f758831134d4e95e55c993c0e1068687b7"
    ),
    "test": RemoteFile("nmnist_test100.npz", sha256="1af72f0976eb6a5e153af40804e023b7de2cec8d6ff70787101b7fe0cd171b29"),
}


def load_nmnist(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """1000 training and 100 test samples of N-MNIST, about 4000 events each in 0.34 s; layout as in `events`.

    Raises:
        UnreachableError: no copy here; this part can't be downloaded.
        DataError: a file is damaged.
    """
    names = " and ".join(file.name for file in FILES.values())
    found = find(
        "nmnist",
        tuple(FILES.values()),
        root=root,
        progress=progress,
        how_to_get=f"It can't be downloaded: put {names} into $HWSIM_DATA/nmnist.",
    )
    digests = {file.name: check_sha256(found.path(file), str(file.sha256)) for file in FILES.values()}
    parts = [read_npz(found.path(file)) for file in FILES.values()]
    extras: dict[str, Array] = {
        new: np.concatenate([part[old] for part in parts]) for new, old in zip(("t_us", *"xyp"), "txyp", strict=True)
    }
    extras["size"] = np.array(SIZE)
    rows, start = [], 0
    for part in parts:
        offset = part["offset"].astype(np.int64) + start
        rows.append(np.stack((offset[:-1], offset[1:]), axis=1))
        start = int(offset[-1])
    if start != len(extras["t_us"]):
        raise DataError.of(f"events in {found.folder}", len(extras["t_us"]), start, "Replace the files.")
    check_events("nmnist", extras, np.concatenate(rows))
    return Dataset(
        name="nmnist",
        variant="N-MNIST, first 1000 training and first 100 test samples",
        source=found.source,
        location=str(found.folder),
        x_train=rows[0],
        y_train=parts[0]["label"].astype(np.int64),
        x_test=rows[1],
        y_test=parts[1]["label"].astype(np.int64),
        feature_names=(),
        class_names=tuple("0123456789"),
        licence="CC BY-SA 4.0",
        citation="G. Orchard et al., Converting static image datasets to spiking neuromorphic datasets, 2015",
        sha256s=digests,
        extras=extras,
    )
