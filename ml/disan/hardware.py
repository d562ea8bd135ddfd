"""DiSAN as the encoded-MAC array runs it: products as integers, every non-linear function as one table.

A network for sentences of up to n words, written with what `ml.common.convert` knows. Logits are bounded by ±c, so that
no maximum is subtracted, and exp(c·tanh(x / c)) is one table of x = a_i + q_j. Masks and padding are numbers added to
x that bring it below where the table is 0.

| step | array | vector unit |
|---|---|---|
| W_h x, W1 h, W2 h, [W_f1 W_f2][s; h], source2token, head | GEMM | |
| ELU, σ, E = exp(c·tanh(x/c)) | | one table each |
| x = a_i + q_j + M_ij, E·h_i, Σ E h, Σ E, division | | add, mul, reduce, divide |
| source2token softmax (not bounded) | | maximum, difference, exp table, sum, division |
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.mac import EncodedMac
from ml.common.convert import convert
from ml.common.quantised.elementwise import Elementwise
from ml.disan.encoders import DiSAN
from ml.disan.examples import Examples, Ints
from ml.disan.layers import DirectionalBlock
from ml.disan.model import SentenceModel

HIDDEN_BELOW, AWAY = -12.0, -24.0  # the table is 0 below the first; the second is added to what is not seen
LEAST = 0.02  # of Σ E, whose terms are e^−5 … e^5: no division by 0 where nothing is seen


def bounded_exp(c: float) -> nn.Module:
    """E(x) = exp(c·tanh(x/c)), 0 below `HIDDEN_BELOW` (where it would be e^−c·1.1 at most): one table."""

    def function(x: Tensor) -> Tensor:
        return torch.where(x < HIDDEN_BELOW, 0.0, torch.exp(c * torch.tanh(x / c)))

    return Elementwise(function)


class ArrayBlock(nn.Module):
    """A directional block for sentences of up to n words."""

    hidden: Tensor

    def __init__(self, block: DirectionalBlock, n: int) -> None:
        super().__init__()
        d = block.w1.out_features
        self.w_h, self.elu, self.sigmoid = block.w_h, nn.ELU(), nn.Sigmoid()
        self.w1, self.w2, self.gate = block.w1, nn.Linear(d, d), nn.Linear(2 * d, d)
        with torch.no_grad():
            self.w2.weight.copy_(block.w2.weight)
            self.w2.bias.copy_(block.b)
            self.gate.weight.copy_(torch.cat([block.gate_s.weight, block.gate_h.weight], 1))
            self.gate.bias.copy_(block.gate_s.bias + block.gate_h.bias + block.gate_bias)
        self.exp = bounded_exp(block.c)
        i, j = torch.arange(n)[None, :, None], torch.arange(n)[:, None, None]
        seen = {"fw": i < j, "bw": i > j, "none": i != j}[block.kind]
        self.register_buffer("hidden", torch.where(seen, 0.0, AWAY))

    def forward(self, x: Tensor, away: Tensor) -> Tensor:
        """u [batch, n, d] for x [batch, n, d_e] and away [batch, n, 1]: 0 at words, `AWAY` at padding."""
        h = self.elu(self.w_h(x))
        a, q = self.w1(h) + away, self.w2(h)
        e = self.exp(a.unsqueeze(1) + q.unsqueeze(2) + self.hidden)
        total = e.sum(2)
        s = (e * h.unsqueeze(1)).sum(2) / (total + torch.relu(LEAST - total))
        gate = self.sigmoid(self.gate(torch.cat([s, h], 2)))
        return s + gate * (h - s)


class ArrayDiSAN(nn.Module):
    """A trained `SentenceModel` with a DiSAN encoder as the array runs it.

    Args:
        model: for single sentences.   n: words at most.

    Raises:
        UsageError: another encoder, or a model for pairs.
    """

    def __init__(self, model: SentenceModel, n: int) -> None:
        super().__init__()
        encoder = model.encoder
        if not isinstance(encoder, DiSAN) or model.pairs:
            got = f"{model.name}{' for pairs' if model.pairs else ''}"
            raise UsageError.of("hand-over", got, "disan for single sentences", "Train one.")
        self.blocks = nn.ModuleList(ArrayBlock(block, n) for block in encoder.blocks)  # type: ignore[arg-type]
        pool = encoder.source2token
        self.s2t_hidden, self.s2t_out, self.elu = pool.hidden, pool.out, nn.ELU()
        self.hidden, self.out = model.hidden, model.out

    def forward(self, x: Tensor, away: Tensor) -> Tensor:
        """Scores [batch, classes]."""
        u = torch.cat([block(x, away) for block in self.blocks], 2)
        weights = torch.softmax(self.s2t_out(self.elu(self.s2t_hidden(u))) + away, 1)
        return self.out(torch.relu(self.hidden((weights * u).sum(1))))


@torch.no_grad()
def features(model: SentenceModel, some: Examples, rows: Ints, n: int) -> tuple[Tensor, Tensor]:
    """(x [batch, n, d_e], away [batch, n, 1]) of examples `rows`, for `ArrayDiSAN`.

    Raises:
        ShapeError: a sentence of more than n words.
    """
    if len(rows) and int(some.lengths[rows].max()) > n:
        got = f"{int(some.lengths[rows].max())} words"
        raise ShapeError.of("a sentence", got, f"at most {n}", "Leave long ones out, or hand over for more words.")
    tokens = some.tokens(rows)
    have = tokens.ids.shape[1]
    outside = torch.arange(n) >= tokens.lengths[:, None]
    x = nn.functional.pad(model.features(tokens), (0, 0, 0, n - have)) * ~outside[..., None]
    return x, torch.where(outside, AWAY, 0.0)[..., None]


def to_ir(model: SentenceModel, calibration: Examples, n: int, encoding: Encoding, bits: int = 8) -> EncodedMac:
    """The integer network for sentences of up to n words.

    Args:
        calibration: training examples; those of up to n words set the ranges, 256 of them.
        encoding: product unit.   bits: of activations and weights on the array.
    """
    rows = np.flatnonzero(calibration.longest() <= n)[:256]
    if not len(rows):
        raise ShapeError.of("calibration", f"no sentence of up to {n} words", "some", "Raise n.")
    inputs = features(model.eval(), calibration, rows, n)
    classes = model.out.out_features
    meta = {"paper": "disan", "words": str(n)}
    return convert(ArrayDiSAN(model, n).eval(), list(inputs), encoding, bits=bits, n_classes=classes, meta=meta)
