"""Retrieval corpora by name: `load("cranfield")`, as `ml.common.data.load` does for samples with labels.

Looked for in the folder `$HWSIM_DATA/retrieval`, then in the user cache; ``"topics"`` is generated and stands in for
the others where the caller allows it.

Example:
    >>> from ml.common.corpora import load
    >>> load("topics").queries[0].count(" ")
    2
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hwsim.ir.errors import UsageError

from .datasets.dataset import Progress
from .datasets.retrieval import Corpus, Gains, load_cisi, load_cranfield, load_nfcorpus
from .datasets.store import UnreachableError, log
from .datasets.topics import load_topics

__all__ = ["Corpus", "Gains", "UnreachableError", "load", "names"]

_LOADERS = {
    "topics": lambda root, progress: load_topics(),
    "cranfield": load_cranfield,
    "cisi": load_cisi,
    "nfcorpus": load_nfcorpus,
}


def names() -> tuple[str, ...]:
    """All names that `load` knows."""
    return tuple(_LOADERS)


def load(
    name: str, *, root: str | Path | None = None, progress: Progress | None = None, fallback: bool = False
) -> Corpus:
    """Load a corpus.

    Args:
        name: one of `names()`.
        root: folder of data sets to look at first, instead of `$HWSIM_DATA`.
        progress: told the bytes of a download.
        fallback: return ``topics``, with a line in the log and in `Corpus.variant`, when the corpus can't be had.

    Raises:
        UsageError: unknown name.   UnreachableError: not on this machine.   DataError: a file is damaged.
    """
    if name not in _LOADERS:
        raise UsageError.of("corpus", repr(name), f"one of {', '.join(names())}", "Correct the name.")
    try:
        return _LOADERS[name](root, progress)
    except UnreachableError as error:
        if not fallback:
            raise
        log.warning("%s can't be had: using topics, its embedded default. (%s)", name, error)
        made = load_topics()
        return dataclasses.replace(made, variant=f"{made.variant} (embedded default for {name})")
