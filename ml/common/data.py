"""Data sets by name: `load("digits")`.

Each is looked for in this order, and `Dataset.source` says where it was found: the folder `$HWSIM_DATA`, the user
cache, the canonical download (checked by SHA-256), the embedded default (something a dependency ships, or a
documented generator). What a data set is never changes silently: a stand-in is used only on request
(`fallback=True`) and says so in `Dataset.variant` and in one line of the log. `docs/data.md` lists them all.

Example:
    >>> from ml.common.data import load
    >>> digits = load("digits")
    >>> digits.x_train.shape, digits.source
    ((1438, 64), 'embedded')
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from hwsim.ir.errors import UsageError

from .datasets.cifar import load_cifar10_subset
from .datasets.dataset import Dataset, Progress, Source, Split, stratified_indices
from .datasets.digits import load_digits
from .datasets.distilled import load_distilled
from .datasets.email_eu import load_email_eu, load_planted_mail
from .datasets.fashion import load_fashion_mnist
from .datasets.jets import load_tables, load_test1000
from .datasets.jets_toy import load_jets_toy
from .datasets.mnist import load_mnist
from .datasets.modelnet_voxels import SETS as MODELNET
from .datasets.modelnet_voxels import load_modelnet
from .datasets.moving_bars import load_moving_bars
from .datasets.nmnist import load_nmnist
from .datasets.openml import load_openml_jets
from .datasets.orl import load_orl
from .datasets.sentences import SENTENCES, load_sentences
from .datasets.solids import load_solids
from .datasets.store import UnreachableError, local_only, log
from .datasets.toy_faces import load_toy_faces
from .datasets.toy_graphs import load_csl, load_motif_graphs
from .datasets.treebank import load_sst5
from .datasets.tu import SETS as TU_SETS
from .datasets.tu import load_tu
from .datasets.word_order import load_word_order

__all__ = [
    "Dataset",
    "Progress",
    "Source",
    "Split",
    "UnreachableError",
    "load",
    "load_or_embedded",
    "names",
    "stratified_indices",
]

Loader = Callable[[str | Path | None, Progress | None], Dataset]

_LOADERS: dict[str, Loader] = {
    "mnist": load_mnist,
    "digits": lambda root, progress: load_digits(),
    "cifar10_subset": load_cifar10_subset,
    "jsc_openml": load_openml_jets,
    "jsc_openml_test1000": load_test1000,
    "kanele_openml_tables": load_tables,
    "jsc_distilled": load_distilled,
    "jets_toy": lambda root, progress: load_jets_toy(),
    "fashion_mnist": load_fashion_mnist,
    "nmnist": load_nmnist,
    "moving_bars": lambda root, progress: load_moving_bars(),
    "email_eu": load_email_eu,
    "planted_mail": lambda root, progress: load_planted_mail(),
    **{name: partial(load_tu, name) for name in TU_SETS},
    "motif_graphs": lambda root, progress: load_motif_graphs(),
    "csl": lambda root, progress: load_csl(),
    **{name: partial(load_sentences, name) for name in SENTENCES},
    "sst5": load_sst5,
    "word_order": lambda root, progress: load_word_order(),
    **{name: partial(load_modelnet, name) for name in MODELNET},
    "solids": lambda root, progress: load_solids(),
    "orl": load_orl,
    "toy_faces": lambda root, progress: load_toy_faces(),
}

# What stands in for a data set that can't be had, when the caller allows it.
_STAND_INS = {
    "mnist": "digits",
    "fashion_mnist": "digits",
    "nmnist": "moving_bars",
    "jsc_openml": "jets_toy",
    "jsc_distilled": "jets_toy",
    "email_eu": "planted_mail",
    **dict.fromkeys(TU_SETS, "motif_graphs"),
    **dict.fromkeys((*SENTENCES, "sst5"), "word_order"),
    **dict.fromkeys(MODELNET, "solids"),
    "orl": "toy_faces",
}


def names() -> tuple[str, ...]:
    """All names that `load` knows."""
    return tuple(_LOADERS)


def load(
    name: str,
    *,
    root: str | Path | None = None,
    progress: Progress | None = None,
    fallback: bool = False,
    download: bool = True,
) -> Dataset:
    """Load a data set.

    Args:
        name: one of `names()`.
        root: folder of data sets to look at first, instead of `$HWSIM_DATA`.
        progress: told the bytes of a download as ``progress(done, total, note)``.
        fallback: when the data can't be had, return its embedded default, with the variant
            ``"<default> (embedded default for <name>)"``, instead of raising.
        download: False takes only what is on this machine.

    Raises:
        UsageError: unknown name.
        UnreachableError: the data is not on this machine and can't be downloaded (a DataError).
        DataError: a file is damaged, has the wrong checksum or only part of a data set is there; never
            covered up by `fallback`.
    """
    if name not in _LOADERS:
        raise UsageError.of("data set", repr(name), f"one of {', '.join(names())}", "Correct the name.")
    try:
        with nullcontext() if download else local_only():
            return _LOADERS[name](root, progress)
    except UnreachableError as error:
        if not fallback or name not in _STAND_INS:
            raise
        stand_in = load(_STAND_INS[name], root=root, progress=progress)
        log.warning("%s can't be had: using %s, its embedded default. (%s)", name, stand_in.name, error)
        return dataclasses.replace(stand_in, variant=f"{stand_in.name} (embedded default for {name})")


def load_or_embedded(name: str, *, root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """`load` with ``fallback=True``."""
    return load(name, root=root, progress=progress, fallback=True)
