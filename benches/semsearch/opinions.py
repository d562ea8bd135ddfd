"""The article's use case: sentiment by search. `answer` is ``hwsim opinion``; `measure` judges it on reviews."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benches.runner import Context
from benches.semsearch.encoders import canonical, named
from benches.stats import Figure, binomial
from hwsim.ir.errors import DataError, UsageError
from ml.common import data
from ml.semsearch.encoders.cache import encode_cached
from ml.semsearch.encoders.encoder import Encoder, InjectedEncoder
from ml.semsearch.encoders.lsa import Lsa
from ml.semsearch.encoders.transformer import available
from ml.semsearch.engines import ExactEngine, HnswEngine
from ml.semsearch.sentiment import FIELD, SentimentSearch

REVIEWS = "cr"
HELD = 400
VOTES = 15
SHOWN = 3


def answer(
    text: str, passages: Path | None = None, encoder: str | None = None, k: int = VOTES, as_json: bool = False
) -> str:
    """The label of a text, its share of the votes, and the nearest labelled passages.

    Args:
        passages: lines of label, tab, text; None = the customer reviews of Hu and Liu.
        encoder: a name of `benches.semsearch.encoders`; None = minilm where it is installed, else lsa.
        k: passages that vote.

    Raises:
        UsageError: no known word in the text.   DataError: a line without a tab, or fewer than two labels.
        UnreachableError: no reviews here, and none to be had.
    """
    texts, labels, source = _labelled(passages)
    name = canonical(encoder or ("minilm" if available() else "lsa"))
    made: Encoder = Lsa.fit(texts) if name == "lsa" else named(name)
    held = dict(zip(texts, encode_cached(made, texts), strict=True))
    search = SentimentSearch(ExactEngine(), _with_vectors(made, held))
    search.learn(texts, labels)
    found = search.opinion(text, k)
    if as_json:
        rows = [{"label": h.fields[FIELD], "score": h.score, "text": h.text} for h in found.hits]
        facts = {"label": found.label, "share": found.share, "encoder": made.name, "source": source, "passages": rows}
        return json.dumps(facts, indent=1, ensure_ascii=False)
    head = f"{found.label} ({100 * found.share:.0f} % of the votes of {len(found.hits)}; {source}, {made.name})"
    lines = [
        f"  {hit.score:.3f} {hit.fields[FIELD]}: {textwrap.shorten(hit.text, 100, placeholder=' …')}"
        for hit in found.hits[:SHOWN]
    ]
    return "\n".join([head, *lines])


def _labelled(path: Path | None) -> tuple[list[str], list[str], str]:
    """(texts, labels, what they are)."""
    if path is None:
        reviews = data.load(REVIEWS)
        texts = [str(text) for text in reviews.x_train]
        return texts, [reviews.class_names[int(y)] for y in reviews.y_train], f"{len(texts)} customer reviews"
    if not path.is_file():
        raise UsageError.of("labelled passages", path, "a file", "Correct its name.")
    rows = [line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    want = "lines of label, tab, text, with two labels or more"
    for number, (label, tab, text) in enumerate(rows, 1):
        if not (label.strip() and tab and text.strip()):
            raise DataError.of(f"{path}, passage {number}", repr(label[:40]), want, "Mend the line.")
    if len({label for label, _, _ in rows}) < 2:
        raise DataError.of(str(path), f"{len(rows)} passages with one label or none", want, "Add passages.")
    return [text for _, _, text in rows], [label for label, _, _ in rows], f"{len(rows)} passages of {path.name}"


def _with_vectors(encoder: Encoder, held: dict[str, np.ndarray]) -> InjectedEncoder:
    """An encoder that looks known texts up and computes the others."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        return np.stack([held[text] if text in held else encoder.encode([text])[0] for text in texts])

    return InjectedEncoder(encoder.name, encoder.dims, encode)


def measure(ctx: Context[Any]) -> None:
    """Share of held-out reviews whose label the nearest labelled ones vote for."""
    try:
        reviews = data.load(REVIEWS, download=False)
    except data.UnreachableError as error:
        ctx.not_comparable("sentiment", str(error))
        return
    ctx.record_data(REVIEWS, reviews.source, reviews.variant)
    order = ctx.rng("reviews").permutation(len(reviews.y_train))
    label_of = {str(reviews.x_train[i]): reviews.class_names[int(reviews.y_train[i])] for i in order}  # repeated: once
    texts, labels = list(label_of), list(label_of.values())
    commoner = max(labels.count(label) for label in set(labels)) / len(labels)
    names = ["minilm", "lsa"] if ctx.config.transformer and available() else ["lsa"]
    for name in names:
        encoder: Encoder = Lsa.fit(texts[HELD:]) if name == "lsa" else named(name)
        figure = _judged(encoder, texts, labels)
        method = (
            f"{encoder.name}, {VOTES} votes, {len(texts) - HELD} labelled reviews ({REVIEWS}); "
            f"always the commoner label: {commoner:.3f}"
        )
        suffix = "" if name == names[0] else f"_{name}"
        ctx.metric(f"sentiment_accuracy{suffix}", figure, "", method=method)
        low, high = (None if end is None else 100 * (end - commoner) for end in (figure.low, figure.high))
        lead = 100 * (figure.value - commoner)
        ctx.metric(f"sentiment_lead_pp{suffix}", lead, "points", low, high, figure.n, method)


def _judged(encoder: Encoder, texts: list[str], labels: list[str]) -> Figure:
    """Accuracy on the first `HELD` texts, with the others as labelled passages."""
    vectors = dict(zip(texts, encode_cached(encoder, texts), strict=True))
    search = SentimentSearch(HnswEngine(), _with_vectors(encoder, vectors))
    search.learn(texts[HELD:], labels[HELD:])
    asked = [(text, label) for text, label in zip(texts[:HELD], labels[:HELD], strict=True) if vectors[text].any()]
    return binomial(sum(search.opinion(text, VOTES).label == label for text, label in asked), len(asked))
