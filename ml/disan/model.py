"""Word vectors, encoder and head as one network, for sentences and for sentence pairs.

A batch of pairs is encoded as one batch of 2·b sentences by one encoder; the head sees [p; h; p − h; p ⊙ h] (section
5.1). Heads have no output bias, as the authors' code has none.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.disan.encoders import encoder
from ml.disan.layers import initialise

N_COMPARED = 4  # vectors of a pair that the head sees


class Tokens(NamedTuple):
    """A batch of sentences; of pairs, first all first sentences, then all second ones.

    Attributes:
        ids: word numbers int64 [batch, n], 0 at padding.
        lengths: int64 [batch].
        states: further features of every token, float32 [batch, n, f], or None.
    """

    ids: Tensor
    lengths: Tensor
    states: Tensor | None = None

    def to(self, device: torch.device) -> Tokens:
        """The same on another device."""
        return Tokens(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


class SentenceModel(nn.Module):
    """Scores of classes for sentences or pairs.

    Args:
        vectors: start values of the word vectors, float32 [words, e]; row 0 is padding.
        name, d, dropout: encoder, see `ml.disan.encoders`.
        classes: number of classes.
        pairs: batches hold pairs.
        n_states: further features a token.
        tune: train the word vectors.
        hidden: width of the head's hidden layer; d when 0.
        seed: of the start values.

    Example (the paper's network for SNLI, without its vectors):
        >>> model = SentenceModel(torch.zeros(2, 300), "disan", 300, 3, pairs=True, tune=False)
        >>> sum(p.numel() for p in model.parameters() if p.requires_grad)
        2345400
    """

    def __init__(
        self,
        vectors: Tensor,
        name: str = "disan",
        d: int = 300,
        classes: int = 2,
        *,
        pairs: bool = False,
        dropout: float = 0.0,
        n_states: int = 0,
        tune: bool = True,
        hidden: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pairs, self.name, self.d = pairs, name, d
        with torch.random.fork_rng(devices=[]):
            self.words = nn.Embedding.from_pretrained(vectors.clone(), freeze=not tune)
            self.encoder = encoder(name, vectors.shape[1] + n_states, d, dropout)
            seen = int(self.encoder.width) * (N_COMPARED if pairs else 1)  # type: ignore[arg-type]
            self.drop = nn.Dropout(dropout)
            self.hidden = nn.Linear(seen, hidden or d)
            self.out = nn.Linear(hidden or d, classes, bias=False)
        initialise(self, seed)

    def features(self, tokens: Tokens) -> Tensor:
        """Token features x [batch, n, d_e]."""
        x = self.words(tokens.ids)
        return x if tokens.states is None else torch.cat([x, tokens.states.to(x.dtype)], -1)

    def encode(self, tokens: Tokens) -> Tensor:
        """Sentence vectors [batch, width]."""
        return self.encoder(self.features(tokens), tokens.lengths)

    def head(self, vectors: Tensor) -> Tensor:
        """Scores [batch, classes] of sentence vectors, or of pairs [2·batch, width]."""
        if self.pairs:
            p, h = vectors.chunk(2)
            vectors = torch.cat([p, h, p - h, p * h], -1)
        activation = functional.elu if self.pairs else functional.relu
        return self.out(self.drop(activation(self.hidden(self.drop(vectors)))))

    def forward(self, tokens: Tokens) -> Tensor:
        """Scores [batch, classes]."""
        return self.head(self.encode(tokens))
