"""cifar10_subset: a class-balanced part of CIFAR-10, when `$HWSIM_DATA/cifar` has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Dataset, Progress
from .jets import check_shapes, read_npz
from .store import RemoteFile, check_sha256, find

FILE = RemoteFile("cifar10_subset.npz", sha256="875b9b192f615943bb874471227f452022360bb6e670caf8001b712372fcf26b")


def load_cifar10_subset(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """10 000 training and 2000 test images; x uint8 ``[n, 32, 32, 3]`` (row, column, red-green-blue), 0 to 255.

    Raises:
        UnreachableError: no copy here; this subset can't be downloaded.
        DataError: the file is damaged.
    """
    found = find(
        "cifar10_subset",
        (FILE,),
        subfolder="cifar",
        root=root,
        progress=progress,
        how_to_get=f"It can't be downloaded: put {FILE.name} into $HWSIM_DATA/cifar.",
    )
    path = found.path(FILE)
    digest = check_sha256(path, str(FILE.sha256))
    arrays = read_npz(path)
    image = (None, 32, 32, 3)
    check_shapes(
        path, arrays, {"x_train": image, "y_train": (None,), "x_test": image, "y_test": (None,), "classes": (10,)}
    )
    return Dataset(
        name="cifar10_subset",
        variant="CIFAR-10, balanced subset of 10 000 + 2000",
        source=found.source,
        location=str(path),
        x_train=arrays["x_train"],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=arrays["x_test"],
        y_test=arrays["y_test"].astype(np.int64),
        feature_names=(),
        class_names=tuple(str(name) for name in arrays["classes"]),
        licence="research use",
        citation="A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        sha256s={FILE.name: digest},
    )
