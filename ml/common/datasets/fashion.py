"""Fashion-MNIST, the four IDX files of Zalando Research; also where Debian's `dataset-fashion-mnist` puts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import download
from .dataset import Dataset, Progress
from .mnist import read_idx
from .store import Found, RemoteFile, UnreachableError, cache_folder, find, is_offline, local_only, no_download

LICENCE = "MIT"
CITATION = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking, arXiv 1708.07747"
MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
# SHA-256 of the content; the compressed files differ between distributors.
CONTENT_SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# MD5 of the compressed files as the mirror serves them: the publisher's own list.
SERVED_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
FILES = {name: RemoteFile(name, (MIRROR + name,)) for name in SERVED_MD5}
_HOW = f"Install Debian's dataset-fashion-mnist, put {', '.join(FILES)} into $HWSIM_DATA/fashion_mnist, or connect."


def load_fashion_mnist(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """60 000 training and 10 000 test images of clothes; x uint8 ``[n, 784]`` row by row, 0 to 255.

    Raises:
        UnreachableError: not on this machine and the mirror does not answer.
        DataError: a file is damaged.
    """
    found = _find(root, progress)
    arrays = {name: read_idx(found.path(file), CONTENT_SHA256[name]) for name, file in FILES.items()}
    train, test = (
        (arrays[f"{part}-images-idx3-ubyte.gz"], arrays[f"{part}-labels-idx1-ubyte.gz"]) for part in ("train", "t10k")
    )
    return Dataset(
        name="fashion_mnist",
        variant="Fashion-MNIST",
        source=found.source,
        location=str(found.folder),
        x_train=train[0].reshape(len(train[0]), -1),
        y_train=train[1].astype(np.int64),
        x_test=test[0].reshape(len(test[0]), -1),
        y_test=test[1].astype(np.int64),
        feature_names=tuple(f"pixel_{r}_{c}" for r in range(train[0].shape[1]) for c in range(train[0].shape[2])),
        class_names=CLASS_NAMES,
        licence=LICENCE,
        citation=CITATION,
        sha256s=dict(CONTENT_SHA256),
    )


def _find(root: str | Path | None, progress: Progress | None) -> Found:
    """`$HWSIM_DATA`, the cache, the system's folder, the mirror."""
    try:
        with local_only():
            return find("fashion_mnist", tuple(FILES.values()), root=root)
    except UnreachableError:
        if all((SYSTEM_FOLDER / name).is_file() for name in FILES):
            return Found(SYSTEM_FOLDER, "system")
    what, got = "data set fashion_mnist", "no copy on this machine"
    if is_offline():
        raise UnreachableError.of(what, f"{got}, and {no_download()} forbids a download", "its files", _HOW)
    folder = cache_folder("fashion_mnist")
    try:
        for name, file in FILES.items():
            if not (folder / name).is_file():
                download.fetch(file, folder, progress, known_hash=f"md5:{SERVED_MD5[name]}")
    except download.NoAnswerError as error:
        raise UnreachableError.of(what, f"{got}, and {error}", "its files", _HOW) from error
    return Found(folder, "download")
