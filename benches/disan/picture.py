"""Attention of a trained network for one sentence, for the heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.disan import handover
from benches.runner import Context

SHOWN = 24  # features of the feature-wise maps
WORDS = 9  # of the sentence that is drawn


def measure(ctx: Context[Any]) -> dict[str, Any]:
    """Weights of the test sentence of `WORDS` words that the network is surest of."""
    import torch
    from torch.nn import functional

    from ml.disan.attention import attention_weights
    from ml.disan.examples import scores

    model, task, _ = handover.trained(ctx)
    rows = np.flatnonzero(task.test.lengths == WORDS)
    sure = scores(model, task.test[rows]).softmax(1)[torch.arange(len(rows)), torch.from_numpy(task.test.labels[rows])]
    tokens = task.test.tokens(rows[[int(sure.argmax())]])
    found: dict[str, Any] = {"task": task.name, "words": [task.vocabulary.words[i] for i in tokens.ids[0].tolist()]}
    query = WORDS // 3
    with torch.no_grad():
        x = model.features(tokens)
        for block in model.encoder.blocks:
            h = functional.elu(block.w_h(x))
            a, q = block.logit_parts(h)
            weights = attention_weights(a, q, tokens.lengths, block.kind)[0].numpy()
            found[block.kind] = weights.mean(2).round(4).tolist()
        found["features"] = weights[query, :, :SHOWN].T.round(4).tolist()
        u = model.encoder.tokens(x, tokens.lengths)
        found["s2t"] = model.encoder.source2token.weights(u, tokens.lengths)[0, :, :SHOWN].T.numpy().round(4).tolist()
    return found | {"query": query}
