"""topics: a generated corpus in which the same thing has several names, so that keyword search must miss most of it.

Every topic has concepts, and every concept one *common* and one *rare* name. A document speaks of some concepts of one
topic, nearly always by their common names; a query uses rare ones alone. Rare names are shared by concepts of two
topics. So a query's words occur in few of the documents that it is about, and in some that it is not about, while
documents that mix both names tell an encoder which belong together.
"""

from __future__ import annotations

import numpy as np

from .retrieval import Corpus

SEED = 20240301
TOPICS, CONCEPTS, DOCUMENTS, QUERIES = 40, 8, 25, 3  # documents and queries are of one topic
WORDS, FILLER_WORDS, FILLERS = 5, 400, 14  # concepts named, background vocabulary, background words a document
RARE = 0.12  # chance that a document names a concept by its rare name
_ONSETS, _VOWELS, _CODAS = [*"bdfgklmnprstvz", "br", "st", "tr"], [*"aeiou"], ["", "n", "r", "l", "s"]


def load_topics() -> Corpus:
    """1000 documents of about 30 words and 120 queries of 3 words; the same on every machine.

    Gain 2 for documents that name two or more of a query's concepts, by whatever name, 1 for others of its topic.

    Example:
        >>> corpus = load_topics()
        >>> len(corpus.texts), len(corpus.queries), corpus.source
        (1000, 120, 'embedded')
    """
    rng = np.random.default_rng(SEED)
    words = _vocabulary(rng, TOPICS * CONCEPTS * 3 // 2 + FILLER_WORDS)
    n = TOPICS * CONCEPTS
    common, fillers = words[:n].reshape(TOPICS, CONCEPTS), words[n + n // 2 :]
    rare = words[n : n + n // 2][rng.permutation(np.repeat(np.arange(n // 2), 2))].reshape(TOPICS, CONCEPTS)
    texts, spoken = [], []
    for topic in np.repeat(np.arange(TOPICS), DOCUMENTS).tolist():
        concepts = rng.choice(CONCEPTS, WORDS, replace=False)
        named = [
            (rare if rng.random() < RARE else common)[topic, c] for c in concepts for _ in range(rng.integers(1, 4))
        ]
        text = rng.permutation([*named, *rng.choice(fillers, FILLERS)])
        texts.append(" ".join(text))
        spoken.append((topic, frozenset(concepts.tolist())))
    queries, gains = {}, {}
    for topic, q in np.ndindex(TOPICS, QUERIES):
        asked = rng.choice(CONCEPTS, 3, replace=False)
        name = f"q{topic}-{q}"
        queries[name] = " ".join(rare[topic, asked])
        gains[name] = {
                f"d{i}": 2.0 if len(said & set(asked.tolist())) >= 2 else 1.0
                for i, (about, said) in enumerate(spoken) if about == topic
            }  # fmt: skip
    return Corpus(
        "topics", f"{len(texts)} generated documents, two names a concept", "embedded", "ml/common/datasets/topics.py",
        tuple(f"d{i}" for i in range(len(texts))), tuple(texts), tuple(queries), tuple(queries.values()), gains,
        "this project's", "generated",
    )  # fmt: skip


def _vocabulary(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` different pronounceable words of two or three syllables."""
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = (rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.integers(2, 4)))
        found["".join(syllables)] = None
    return rng.permutation(np.array(list(found)))
