"""Sentence encoders by name, all with one face: x [batch, n, d_e], lengths [batch] → vectors [batch, width].

| name | encoder | paper's table of SNLI results |
|---|---|---|
| `disan` | two directional blocks, source2token | DiSAN |
| `undirected` | the same size, the mask only hides the query itself | DiSAN without directions |
| `bilstm` | bidirectional LSTM, source2token | Bi-LSTM with s2t |
| `multihead` | dot-product attention of several heads, source2token | Multi-head with s2t |
| `cnn` | windows of 3, 4 and 5 words, maximum over places (Kim 2014) | – |
| `s2t` | source2token over ELU(W x + b) | embeddings with s2t |
| `additive` | additive attention over the same | embeddings with additive attention |
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.disan.layers import AdditiveAttention, DirectionalBlock, Source2Token, inside

WINDOWS = (3, 4, 5)
HEADS = 8


class DiSAN(nn.Module):
    """Directional self-attention network (section 5, figure 4).

    Args:
        n_in: d_e, features of a token.
        d: d_h; sentence vectors have 2·d features.
        dropout: share of dropped inputs of every linear map; the paper keeps 0.75 on SNLI, 0.7 on SST.
        kinds: masks of the blocks; ``("none", "none")`` is the ablation without direction.

    Example (the paper's size, section 5.1):
        >>> encoder = DiSAN(300, 300)
        >>> sum(p.numel() for p in encoder.parameters())
        1624200
    """

    def __init__(self, n_in: int, d: int, dropout: float = 0.0, kinds: tuple[str, ...] = ("fw", "bw")) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DirectionalBlock(n_in, d, kind, dropout) for kind in kinds)
        self.width = d * len(kinds)
        self.source2token = Source2Token(self.width, dropout)

    def tokens(self, x: Tensor, lengths: Tensor) -> Tensor:
        """u = [u^fw; u^bw] [batch, n, 2·d]."""
        return torch.cat([block(x, lengths) for block in self.blocks], -1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, 2·d]."""
        return self.source2token(self.tokens(x, lengths), lengths)


class BiLSTM(nn.Module):
    """Bidirectional LSTM over the tokens, then source2token."""

    def __init__(self, n_in: int, d: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.lstm = nn.LSTM(n_in, d, batch_first=True, bidirectional=True)
        self.width = 2 * d
        self.source2token = Source2Token(self.width, dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, 2·d]."""
        packed = nn.utils.rnn.pack_padded_sequence(self.drop(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.source2token(states, lengths)


class CNN(nn.Module):
    """Windows of 3, 4 and 5 tokens, `d` filters each, ReLU, maximum over places."""

    def __init__(self, n_in: int, d: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.filters = nn.ModuleList(nn.Conv1d(n_in, d, k, padding=k - 1) for k in WINDOWS)
        self.width = d * len(WINDOWS)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, 3·d]; padding words are zeros, windows reach over both ends."""
        tokens = (self.drop(x) * inside(lengths, x.shape[1])[..., None]).transpose(1, 2)
        found = []
        for layer, k in zip(self.filters, WINDOWS, strict=True):
            y = functional.relu(layer(tokens))
            found.append((y * inside(lengths + k - 1, y.shape[2])[:, None]).amax(2))
        return torch.cat(found, 1)


class MultiHead(nn.Module):
    """Dot-product self-attention of `HEADS` heads over ELU(W x + b), a linear map, then source2token."""

    def __init__(self, n_in: int, d: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.width = -(-d // HEADS) * HEADS
        self.w_h, self.qkv = nn.Linear(n_in, self.width), nn.Linear(self.width, 3 * self.width)
        self.out = nn.Linear(self.width, self.width)
        self.source2token = Source2Token(self.width, dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, d rounded up to a multiple of the heads]."""
        h = functional.elu(self.w_h(self.drop(x)))
        q, k, v = self.qkv(self.drop(h)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        allowed = inside(lengths, x.shape[1])[:, None, None]
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.source2token(self.out(self.drop(y.transpose(1, 2).flatten(2))), lengths)


class Pooled(nn.Module):
    """Attention straight over ELU(W x + b), token by token: the paper's encoders without context."""

    def __init__(self, n_in: int, d: int, dropout: float = 0.0, additive: bool = False) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.w_h = nn.Linear(n_in, d)
        self.width = d
        self.pool = (AdditiveAttention if additive else Source2Token)(d, dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, d]."""
        return self.pool(functional.elu(self.w_h(self.drop(x))), lengths)


_MAKERS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "disan": DiSAN,
    "undirected": lambda n_in, d, dropout: DiSAN(n_in, d, dropout, ("none", "none")),
    "bilstm": BiLSTM,
    "multihead": MultiHead,
    "cnn": CNN,
    "s2t": Pooled,
    "additive": lambda n_in, d, dropout: Pooled(n_in, d, dropout, additive=True),
}
NAMES = tuple(_MAKERS)


def encoder(name: str, n_in: int, d: int, dropout: float = 0.0) -> nn.Module:
    """The encoder called `name`.

    Raises:
        UsageError: unknown name, or a size below 1.
    """
    if name not in _MAKERS:
        raise UsageError.of("encoder", repr(name), f"one of {', '.join(NAMES)}", "Correct the name.")
    if n_in < 1 or d < 1 or not 0 <= dropout < 1:
        got = f"{n_in} → {d} features, dropout {dropout}"
        raise UsageError.of("encoder's size", got, "sizes of 1 or more, dropout in [0, 1)", "Change it.")
    with torch.random.fork_rng(devices=[]):
        return _MAKERS[name](n_in, d, dropout)


def parameters(module: nn.Module) -> int:
    """Trained numbers of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def equal_width(name: str, n_in: int, like: int) -> int:
    """The d that brings encoder `name` nearest to `like` parameters.

    Example:
        >>> [equal_width(name, 50, parameters(encoder("disan", 50, 100))) for name in ("undirected", "bilstm", "cnn")]
        [100, 91, 284]
    """
    low, high = 1, 2
    while parameters(encoder(name, n_in, high)) < like:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if parameters(encoder(name, n_in, middle)) >= like else (middle, high)
    return min((low, high), key=lambda d: abs(parameters(encoder(name, n_in, d)) - like))
