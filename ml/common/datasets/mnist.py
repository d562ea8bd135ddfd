"""MNIST, the four IDX files of LeCun, Cortes and Burges."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError

from .dataset import Dataset, Progress
from .store import RemoteFile, check_sha256, find

LICENCE = "CC BY-SA 3.0"
CITATION = "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998"
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
CLASS_NAMES = tuple("0123456789")

# SHA-256 of the gzip files as the mirrors serve them.
SERVED_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
# SHA-256 of the content: some packages ship the same content compressed anew, which is as good.
CONTENT_SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = {name: RemoteFile(name, tuple(m + name for m in MIRRORS), sha) for name, sha in SERVED_SHA256.items()}

_IDX_UINT8 = 0x08  # element type code of the IDX format


def load_mnist(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """60 000 training and 10 000 test images; x uint8 ``[n, 784]`` row by row, 0 (paper) to 255 (ink).

    Raises:
        UnreachableError: not on this machine and no mirror answers.
        DataError: a file is damaged.
    """
    found = find(
        "mnist",
        tuple(FILES.values()),
        root=root,
        progress=progress,
        how_to_get=f"Put {', '.join(FILES)} into $HWSIM_DATA/mnist, or connect and load again.",
    )
    arrays = {name: read_idx(found.path(file), CONTENT_SHA256[name]) for name, file in FILES.items()}
    train, test = (
        (arrays[f"{part}-images-idx3-ubyte.gz"], arrays[f"{part}-labels-idx1-ubyte.gz"]) for part in ("train", "t10k")
    )
    return Dataset(
        name="mnist",
        variant="MNIST",
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


def read_idx(path: Path, content_sha256: str | None = None) -> NDArray[np.uint8]:
    """Read a gzip-compressed IDX file of bytes; the shape is the file's.

    Raises:
        DataError: no gzip, wrong checksum of the content, no IDX header of uint8, or a wrong length.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError.of(str(path), error, "a whole gzip file", "Delete it and load again.") from error
    if content_sha256 is not None:
        check_sha256(path, content_sha256, content=content)
    if len(content) < 4 or content[:3] != bytes([0, 0, _IDX_UINT8]) or len(content) < 4 + 4 * content[3]:
        raise DataError.of(f"header of {path}", content[:4].hex(), "00 00 08 and the rank", "Use an IDX file of bytes.")
    rank = content[3]
    shape = tuple(int(n) for n in np.frombuffer(content, dtype=">u4", count=rank, offset=4))
    body = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank)
    if body.size != math.prod(shape):
        raise DataError.of(
            f"length of {path}", f"{body.size} bytes", f"{shape} bytes", "The file is truncated: replace it."
        )
    return body.reshape(shape).copy()
