"""Graph sets of the TU Dortmund collection in the compact text form of the GIN code.

Line 1: number of graphs. Then for each graph a line ``n label`` and n lines ``tag m nb_1 … nb_m``, neighbours 0-based.
Labels and tags are renumbered from 0 in ascending order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Dataset, Progress
from .graphs import Ints, check
from .store import RemoteFile, check_sha256, find

MIRROR = "https://raw.githubusercontent.com/muhanzhang/pytorch_DGCNN/master/data"
CITATION = "C. Morris et al., TUDataset: a collection of benchmark datasets for learning with graphs, arXiv 2007.08663"
# name → (file, SHA-256, classes in ascending order of the file's labels)
SETS: dict[str, tuple[str, str, tuple[str, str]]] = {
    "mutag": (
        "MUTAG", "5897dae243f6c773aab54ec99e86551c3b1e8601acef254714073042c632d30e", ("not mutagenic", "mutagenic"),
    ),
    "ptc": (
        "PTC", "711729eaf2a5308752aa7c11062dd99f645f978afc400909a5927051b314ec55", ("class 0", "class 1"),
    ),
    "proteins": (
        "PROTEINS", "ed0730f9bf9da68aa6a8c80f2f2b6ecea5d05791ca254c709f3efab3b45d937b", ("class 0", "class 1"),
    ),
    "nci1": (
        "NCI1", "415d2e0861484c2baef1e40ee3ca62dd13c06d6b99549fb25774f43533e9321d", ("class 0", "class 1"),
    ),
    "imdb_binary": (
        "IMDBBINARY", "1068c698677c07c04f3ad56fc4a175cb2161523c840abfdaf50e101ecc30504f", ("class 0", "class 1"),
    ),
}  # fmt: skip


def load_tu(name: str, root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """One of `SETS`; all graphs are in the training part, because these sets are judged by cross-validation.

    Layout: `ml.common.datasets.graphs`.

    Raises:
        UnreachableError: not on this machine and the mirror does not answer.
        DataError: the file is damaged.
    """
    stem, sha256, classes = SETS[name]
    file = RemoteFile(f"{stem}.txt", (f"{MIRROR}/{stem}/{stem}.txt",), sha256)
    how = f"Put {file.name} into $HWSIM_DATA/tu, or connect."
    found = find(name, (file,), subfolder="tu", root=root, progress=progress, how_to_get=how)
    path = found.path(file)
    digest = check_sha256(path, sha256)
    x, labels, extras = read_compact(path)
    kinds, tags = np.unique(extras["tag"]), np.unique(labels)
    extras["tag"] = np.searchsorted(kinds, extras["tag"])
    return Dataset(
        name=name,
        variant=f"{stem} (TU Dortmund)",
        source=found.source,
        location=str(path),
        x_train=x,
        y_train=np.searchsorted(tags, labels).astype(np.int64),
        x_test=x[:0],
        y_test=labels[:0],
        feature_names=tuple(f"tag_{kind}" for kind in kinds),
        class_names=classes,
        licence="as its sources; file: MIT",
        citation=CITATION,
        sha256s={file.name: digest},
        extras=extras,
    )


def read_compact(path: Path) -> tuple[Ints, Ints, dict[str, Ints]]:
    """(x, labels, extras) of a file in compact form, tags and labels as the file has them.

    Raises:
        DataError: it is damaged; says where.
    """
    try:
        lines = [[int(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError.of(f"{path.name} is damaged", error, "whole numbers", "Get the file again.") from error
    if not lines or len(lines[0]) != 1:
        raise DataError.of(f"{path.name}: first line", lines[:1], "the number of graphs", "Get the file again.")
    labels, sizes, nodes, at = [], [], [], 1
    for graph in range(lines[0][0]):
        head = lines[at] if at < len(lines) else []
        rows = lines[at + 1 : at + 1 + head[0]] if len(head) == 2 else []
        if not rows or len(rows) != head[0] or any(len(row) < 2 or len(row) != 2 + row[1] for row in rows):
            got = "a truncated file" if at >= len(lines) else f"{head} and {len(rows)} rows of nodes"
            want = "a line 'n label', then n ≥ 1 lines 'tag m' with m neighbours"
            raise DataError.of(f"{path.name}: graph {graph}", got, want, "Get the file again.")
        labels.append(head[1])
        sizes.append(head[0])
        nodes += rows
        at += 1 + head[0]
    last = np.cumsum(sizes, dtype=np.int64)
    shift = np.repeat(last - sizes, sizes)
    extras = {
        "tag": np.array([row[0] for row in nodes], np.int64),
        "start": np.concatenate(([0], np.cumsum([row[1] for row in nodes]))).astype(np.int64),
        "neighbour": np.array([n + s for row, s in zip(nodes, shift.tolist(), strict=True) for n in row[2:]], np.int64),
    }
    x = np.stack((last - sizes, last), axis=1).astype(np.int64)
    check(path.name, x, dict(extras))
    return x, np.array(labels, np.int64), extras
