"""Multi-dimensional token2token attention with a forward or backward mask, streamed (DiSAN, sections 4.1 and 4.2).

    f(h_i, h_j) = c · tanh([W1 h_i + W2 h_j + b] / c) + M_ij · 1         (eq. 15)
    M^fw_ij = 0 for i < j, else −∞;   M^bw_ij = 0 for i > j, else −∞     (eqs. 17, 18)

i is the attended token, j the query. Rows with nothing to attend (first token forward, last backward, padding) are
exactly 0, as in the authors' code.

`masked_attention` never makes the tensor of n²·d logits: on a CPU numba kernels go through it (`ml.disan.kernels`), on
other devices torch does, `BLOCK` attended tokens at a time. `dense_attention` is the paper's form as it stands.

| symbol | here |
|---|---|
| W1 h_i, W2 h_j + b | `a`, `q` [batch, n, d] |
| h, s | `h`, the result [batch, n, d] |
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, log2
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import ShapeError, UsageError
from ml.disan import kernels

C = 5.0  # the paper's; logits lie in −C…C
KINDS = {"fw": kernels.FORWARD, "bw": kernels.BACKWARD, "none": kernels.NO_DIRECTION}
BLOCK = 8  # attended tokens at a time off the CPU
_FORWARD: Callable[..., None] = kernels.forward
_BACKWARD: Callable[..., None] = kernels.backward
_SAFE = {torch.float32: 40.0, torch.float64: 340.0}  # |2a/c|, |2q/c| whose exponentials and products are finite


def masked_attention(a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str, c: float = C) -> Tensor:
    """Attention-weighted mean of h for every query token, feature by feature; differentiable in a, q and h.

    Args:
        a: what attended tokens bring to the logits, W1 h_i, float32 or float64 [batch, n, d].
        q: what query tokens bring, W2 h_j + b, [batch, n, d].
        h: values [batch, n, d].
        lengths: tokens of each sentence, int64 [batch], 1…n; what lies behind is padding.
        kind: ``"fw"``, ``"bw"``, or ``"none"`` for all tokens but the query itself.
        c: bound of the logits.

    Returns:
        s [batch, n, d].

    Raises:
        UsageError: unknown kind.   ShapeError: shapes or lengths that do not fit.

    Example (two tokens: the second sees the first, forward; the first sees nothing):
        >>> h = torch.tensor([[[1.0], [2.0]]])
        >>> masked_attention(h, h, h, torch.tensor([2]), "fw").flatten().tolist()
        [0.0, 1.0]
    """
    check(a, q, h, lengths, kind)
    return _Streamed.apply(a, q, h, lengths, kind, c)


def dense_attention(a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str, c: float = C) -> Tensor:
    """The same by the tensor of all logits [batch, n, n, d] (query, attended), as the paper and its code have it."""
    check(a, q, h, lengths, kind)
    allowed = mask(lengths, a.shape[1], kind)[..., None]
    logits = c * torch.tanh((a[:, None] + q[:, :, None]) / c)
    weights = torch.softmax(logits.masked_fill(~allowed, -1e30), 2) * allowed
    return (weights * h[:, None]).sum(2)


def attention_weights(a: Tensor, q: Tensor, lengths: Tensor, kind: str, c: float = C) -> Tensor:
    """P [batch, query, attended, d] of `dense_attention`, for pictures."""
    allowed = mask(lengths, a.shape[1], kind)[..., None]
    logits = c * torch.tanh((a[:, None] + q[:, :, None]) / c)
    return torch.softmax(logits.masked_fill(~allowed, -1e30), 2) * allowed


def mask(lengths: Tensor, n: int, kind: str) -> Tensor:
    """Which token i a query j may attend to: bool [batch, j, i]."""
    place = torch.arange(n, device=lengths.device)
    j, i = place[:, None], place[None, :]
    allowed = {"fw": i < j, "bw": i > j, "none": i != j}[kind]
    inside = place < lengths[:, None]
    return allowed & inside[:, :, None] & inside[:, None, :]


def check(a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str) -> None:
    """Raise for what `masked_attention` does not take."""
    if kind not in KINDS:
        raise UsageError.of("direction", repr(kind), f"one of {', '.join(KINDS)}", "Choose one.")
    if a.ndim != 3 or not a.shape == q.shape == h.shape or lengths.shape != a.shape[:1]:
        got = f"a {list(a.shape)}, q {list(q.shape)}, h {list(h.shape)}, lengths {list(lengths.shape)}"
        raise ShapeError.of("attention", got, "three of [batch, n, d] and [batch]", "Pad sentences to one length.")
    if len(lengths) and not 1 <= int(lengths.min()) <= int(lengths.max()) <= a.shape[1]:
        got = f"{int(lengths.min())}…{int(lengths.max())} tokens"
        raise ShapeError.of("lengths of sentences", got, f"1…{a.shape[1]}", "Leave empty sentences out.")


class _Streamed(torch.autograd.Function):
    """`masked_attention` with a backward pass that computes the weights again."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str, c: float) -> Tensor:
        run = _numba_forward if a.device.type == "cpu" else _torch_forward
        s, saved = run(a, q, h, lengths, kind, c)
        ctx.save_for_backward(*saved, h, lengths, s)
        ctx.rest = kind, c
        return s.to(h.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        *saved, h, lengths, s = ctx.saved_tensors
        run = _numba_backward if h.device.type == "cpu" else _torch_backward
        return *(d.to(h.dtype) for d in run(saved, h, lengths, s, grads[0], *ctx.rest)), None, None, None


def _numba_forward(
    a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str, c: float
) -> tuple[Tensor, list[Tensor]]:
    """(s, [exp(2a/c), exp(2q/c), Σ E]); float64 where float32 would overflow."""
    a, q = a * (2 / c), q * (2 / c)
    if max(float(a.abs().max()), float(q.abs().max())) > _SAFE.get(a.dtype, 0.0):
        a, q = (x.double().clamp(-_SAFE[torch.float64], _SAFE[torch.float64]) for x in (a, q))
    ea, eq = a.exp_().contiguous(), q.exp_().contiguous()
    s, total = torch.zeros_like(ea), torch.zeros_like(ea)
    known = _arrays(ea, eq, h.to(ea), lengths)
    _FORWARD(*known, KINDS[kind], _scale(ea, c), *_arrays(s, total))
    return s, [ea, eq, total]


def _numba_backward(
    saved: list[Tensor], h: Tensor, lengths: Tensor, s: Tensor, g: Tensor, kind: str, c: float
) -> list[Tensor]:
    ea, eq, total = saved
    out = [torch.zeros_like(ea) for _ in range(3)]
    known = _arrays(ea, eq, h.to(ea), lengths)
    _BACKWARD(*known, KINDS[kind], _scale(ea, c), *_arrays(s, total, g.to(ea), *out))
    return out


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [t.detach().contiguous().numpy() for t in tensors]


def _scale(like: Tensor, c: float) -> Any:
    return (np.float32 if like.dtype == torch.float32 else np.float64)(c * log2(e))


def _blocks(n: int, kind: str, lengths: Tensor) -> Any:
    """(attended slice, mask [batch, query, block, 1]) of every block."""
    allowed = mask(lengths, n, kind)
    for start in range(0, n, BLOCK):
        some = slice(start, start + BLOCK)
        yield some, allowed[:, :, some, None]


def _torch_forward(
    a: Tensor, q: Tensor, h: Tensor, lengths: Tensor, kind: str, c: float
) -> tuple[Tensor, list[Tensor]]:
    """(s, [a, q, Σ E]), a block of attended tokens at a time."""
    num, total = torch.zeros_like(h), torch.zeros_like(h)
    for some, allowed in _blocks(a.shape[1], kind, lengths):
        e = (c * torch.tanh((a[:, None, some] + q[:, :, None]) / c)).exp_() * allowed
        num += (e * h[:, None, some]).sum(2)
        total += e.sum(2)
    return num / total.where(total > 0, 1.0), [a, q, total]


def _torch_backward(
    saved: list[Tensor], h: Tensor, lengths: Tensor, s: Tensor, g: Tensor, kind: str, c: float
) -> list[Tensor]:
    a, q, total = saved
    da, dq, dh = torch.empty_like(h), torch.zeros_like(h), torch.empty_like(h)
    weight = g / total.where(total > 0, 1.0)
    for some, allowed in _blocks(a.shape[1], kind, lengths):
        t = torch.tanh((a[:, None, some] + q[:, :, None]) / c)
        p = (c * t).exp_() * allowed * weight[:, :, None]
        dx = p * (h[:, None, some] - s[:, :, None]) * (1 - t * t)
        dh[:, some], da[:, some] = p.sum(1), dx.sum(1)
        dq += dx.sum(2)
    return [da, dq, dh]
