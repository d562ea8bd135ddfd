"""The article's use case: sentiment by search, on reviews."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import binomial
from ml.common import data
from ml.semsearch.encoders.cache import encode_cached
from ml.semsearch.encoders.encoder import InjectedEncoder
from ml.semsearch.encoders.lsa import Lsa
from ml.semsearch.encoders.transformer import SentenceTransformerEncoder, available
from ml.semsearch.engines import HnswEngine
from ml.semsearch.sentiment import SentimentSearch

REVIEWS = "cr"
HELD = 400


def measure(ctx: Context[Any]) -> None:
    """Share of held-out reviews whose label the nearest labelled ones vote for."""
    try:
        reviews = data.load(REVIEWS, download=False)
    except data.UnreachableError as error:
        ctx.not_comparable("sentiment", str(error))
        return
    ctx.record_data(REVIEWS, reviews.source, reviews.variant)
    order = ctx.rng("reviews").permutation(len(reviews.y_train))
    texts = [str(reviews.x_train[i]) for i in order]
    labels = [reviews.class_names[int(reviews.y_train[i])] for i in order]
    transformer = ctx.config.transformer and available()
    encoder: Any = SentenceTransformerEncoder() if transformer else Lsa.fit(texts[HELD:])
    vectors = dict(zip(texts, encode_cached(encoder, texts), strict=True))
    held = InjectedEncoder(encoder.name, encoder.dims, lambda some: np.stack([vectors[text] for text in some]))
    search = SentimentSearch(HnswEngine(), held)
    search.learn(texts[HELD:], labels[HELD:])
    asked = [(text, label) for text, label in zip(texts[:HELD], labels[:HELD], strict=True) if vectors[text].any()]
    right = sum(search.opinion(text).label == label for text, label in asked)
    share = max(labels.count(label) for label in set(labels)) / len(labels)
    votes = f"{encoder.name}, 15 votes, {len(texts) - HELD} labelled reviews ({REVIEWS})"
    method = f"{votes}; always the commoner label: {share:.3f}"
    ctx.metric("sentiment_accuracy", binomial(right, len(asked)), "", method=method)
    ctx.metric(
        "sentiment_lead_pp", binomial(right, len(asked)).scaled(100).value - 100 * share, "points", method=method
    )
