"""TF-IDF and a truncated SVD (latent semantic analysis): the encoder that needs no model file.

It learns from the documents themselves which words go together, so it has to be fitted on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from hwsim.ir.errors import DataError, UsageError
from ml.semsearch.analysis import terms
from ml.semsearch.encoders.encoder import Progress, normalised


class Lsa:
    """u = Vᵀ · tfidf(text), rows of length 1; tf = 1 + ln f, idf = ln((1 + N) / (1 + n)) + 1.

    Attributes:
        vocabulary: terms in the order of `idf` and of the columns of `basis`.
        idf: float64 [terms].   basis: float32 [dims, terms].

    Example:
        >>> encoder = Lsa.fit(["wing flow", "wing lift", "heat flux", "heat flow"], dims=2)
        >>> encoder.encode(["wings", "unknown"]).round(2).any(axis=1).tolist()
        [True, False]
    """

    def __init__(self, vocabulary: Sequence[str], idf: np.ndarray, basis: np.ndarray) -> None:
        self.vocabulary, self.idf, self.basis = tuple(vocabulary), np.asarray(idf), np.asarray(basis, np.float32)
        self._number = {term: i for i, term in enumerate(self.vocabulary)}

    @classmethod
    def fit(cls, texts: Sequence[str], dims: int = 128, seed: int = 0) -> Self:
        """Learn from documents; `dims` shrinks to what they allow.

        Raises:
            UsageError: fewer than two documents with a word.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        tfidf = TfidfVectorizer(analyzer=terms, sublinear_tf=True)
        try:
            matrix = tfidf.fit_transform(texts)
        except ValueError as error:
            raise UsageError.of("documents to learn from", "no word", "texts with words", "Add documents.") from error
        dims = min(dims, min(matrix.shape) - 1)
        if dims < 1:
            mend = "Add documents, or use another encoder."
            raise UsageError.of("documents to learn from", f"{matrix.shape[0]} documents", "two or more", mend)
        svd = TruncatedSVD(dims, random_state=seed).fit(matrix)
        return cls(tfidf.get_feature_names_out().tolist(), tfidf.idf_, svd.components_)

    @property
    def name(self) -> str:
        """``lsa-<dims>-`` and the first digits of the SHA-256 of its numbers."""
        return f"lsa-{self.dims}-{hashlib.sha256(self.basis.tobytes()).hexdigest()[:12]}"

    @property
    def dims(self) -> int:
        """Width of a vector."""
        return len(self.basis)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """As `Encoder.encode`; a text without a known word becomes zeros."""
        from scipy.sparse import csr_matrix

        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        for text in texts:
            counts: dict[int, int] = {}
            for term in terms(text):
                if (number := self._number.get(term)) is not None:
                    counts[number] = counts.get(number, 0) + 1
            columns += counts
            values += [(1 + np.log(f)) * self.idf[number] for number, f in counts.items()]
            ends.append(len(columns))
        matrix = csr_matrix((values, columns, ends), (len(texts), len(self.vocabulary)))
        if progress:
            progress(len(texts), len(texts), self.name)
        return normalised(np.asarray(matrix @ self.basis.T.astype(np.float64), np.float32))

    def save(self, path: Path) -> None:
        """Write to one file (npz)."""
        words = np.array(self.vocabulary, dtype=np.str_)
        with path.open("wb") as file:
            np.savez_compressed(file, vocabulary=words, idf=self.idf, basis=self.basis)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: no such file, or not one of ours.
        """
        try:
            with np.load(path) as held:
                fields: dict[str, Any] = {name: held[name] for name in ("vocabulary", "idf", "basis")}
        except (OSError, KeyError, ValueError) as error:
            raise DataError.of(f"encoder {path}", error, "a file of Lsa.save", "Index the documents again.") from error
        return cls(fields["vocabulary"].tolist(), fields["idf"], fields["basis"])
