"""The parts of a directional self-attention network: block with mask and fusion gate, source2token attention.

| symbol | here |
|---|---|
| x_i, h_i | `x` [batch, n, d_e], `h` = ELU(W_h x + b_h) [batch, n, d] |
| s, F, u | token2token result, fusion gate, block output [batch, n, d] |
| W_f1, W_f2, b_f | `gate_s`, `gate_h`, `gate_bias` |

Dropout stands before every linear map, as in the authors' code; h is dropped out for the logits only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.common.seed import torch_generator
from ml.disan.attention import C, masked_attention


class DirectionalBlock(nn.Module):
    """Token2token attention under one mask, and the fusion gate (section 4.2, figure 3).

        h = ELU(W_h x + b_h)
        s = masked_attention(W1 h, W2 h + b, h)             (eqs. 12–15)
        F = σ(W_f1 s + W_f2 h + b_f),  u = F ⊙ h + (1 − F) ⊙ s       (eqs. 19, 20)

    Args:
        n_in, d: d_e and d_h.
        kind: ``"fw"``, ``"bw"``, or ``"none"`` for the ablation without direction.
        dropout: share of dropped inputs of every linear map.
        c: bound of the logits.

    Example:
        >>> block = DirectionalBlock(4, 6, "fw")
        >>> block(torch.randn(2, 5, 4), torch.tensor([5, 3])).shape
        torch.Size([2, 5, 6])
    """

    def __init__(self, n_in: int, d: int, kind: str, dropout: float = 0.0, c: float = C) -> None:
        super().__init__()
        self.kind, self.c = kind, c
        self.drop = nn.Dropout(dropout)
        self.w_h = nn.Linear(n_in, d)
        self.w1, self.w2 = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.b = nn.Parameter(torch.zeros(d))
        self.gate_s, self.gate_h = nn.Linear(d, d), nn.Linear(d, d)
        self.gate_bias = nn.Parameter(torch.zeros(d))  # a third bias, as the authors' code has it

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """u [batch, n, d] for x [batch, n, n_in]; padding is 0."""
        h = functional.elu(self.w_h(self.drop(x)))
        a, q = self.logit_parts(h)
        s = masked_attention(a, q, h, lengths, self.kind, self.c)
        gate = torch.sigmoid(self.gate_s(self.drop(s)) + self.gate_h(self.drop(h)) + self.gate_bias)
        u = gate * h + (1 - gate) * s
        return u * inside(lengths, x.shape[1])[..., None]

    def logit_parts(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(W1 h, W2 h + b)."""
        dropped = self.drop(h)
        return self.w1(dropped), self.w2(dropped) + self.b


class Source2Token(nn.Module):
    """A sentence as the weighted sum of its tokens, with weights of its own for every feature (section 4.3).

        g(u_i) = W ELU(W' u_i + b') + b,  P_ki = softmax over i,  s_k = Σ_i P_ki u_ik       (eqs. 16, 23, 24)

    Example:
        >>> Source2Token(6)(torch.randn(2, 5, 6), torch.tensor([5, 3])).shape
        torch.Size([2, 6])
    """

    def __init__(self, d: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.hidden, self.out = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, u: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, d] for u [batch, n, d]."""
        return (self.weights(u, lengths) * u).sum(1)

    def weights(self, u: Tensor, lengths: Tensor) -> Tensor:
        """P [batch, n, d]; 0 at padding."""
        logits = self.out(self.drop(functional.elu(self.hidden(self.drop(u)))))
        outside = ~inside(lengths, u.shape[1])
        return torch.softmax(logits.masked_fill(outside[..., None], -1e30), 1)


class AdditiveAttention(nn.Module):
    """One weight a token: softmax of wᵀ ELU(W u_i + b), the paper's weakest encoder."""

    def __init__(self, d: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.hidden, self.out = nn.Linear(d, d), nn.Linear(d, 1)

    def forward(self, u: Tensor, lengths: Tensor) -> Tensor:
        """Sentence vectors [batch, d] for u [batch, n, d]."""
        logits = self.out(self.drop(functional.elu(self.hidden(self.drop(u)))))
        outside = ~inside(lengths, u.shape[1])
        return (torch.softmax(logits.masked_fill(outside[..., None], -1e30), 1) * u).sum(1)


def inside(lengths: Tensor, n: int) -> Tensor:
    """Which places hold a token: bool [batch, n]."""
    return torch.arange(n, device=lengths.device) < lengths[:, None]


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """Glorot's uniform weights and zero biases for all linear maps, recurrent and convolution weights, by `seed`."""
    generator = torch_generator(seed, "weights")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                continue
            for name, value in module.named_parameters(recurse=False):
                if value.ndim > 1:
                    nn.init.xavier_uniform_(value, generator=generator)
                elif "bias" in name:
                    value.zero_()
    return model
