"""DiSAN's attention: streamed kernels, the paper's n²·d form and a naive twin agree; masks, empty rows, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import ShapeError, UsageError
from ml.disan import attention
from ml.disan.attention import KINDS, attention_weights, dense_attention, masked_attention
from ml.disan.layers import DirectionalBlock, Source2Token

C = 5.0


def naive(a: list, q: list, h: list, length: int, kind: str) -> list[list[float]]:
    """One sentence, scalar by scalar, from equations 12 to 18 of the paper."""
    n, d = len(a), len(a[0])
    out = [[0.0] * d for _ in range(n)]
    for j in range(length):
        seen = [i for i in range(length) if {"fw": i < j, "bw": i > j, "none": i != j}[kind]]
        for k in range(d):
            weights = [math.exp(C * math.tanh((a[i][k] + q[j][k]) / C)) for i in seen]
            if weights:
                out[j][k] = sum(w * h[i][k] for w, i in zip(weights, seen, strict=True)) / sum(weights)
    return out


def drawn(seed: int, batch: int, n: int, d: int, dtype: torch.dtype, size: float = 3.0) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, n, d, generator=g, dtype=dtype) * size for _ in range(4)]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 6), kind=st.sampled_from(sorted(KINDS)), data=st.data())
def test_streamed_dense_and_naive_agree(seed: int, n: int, kind: str, data: st.DataObject) -> None:
    lengths = torch.tensor(data.draw(st.lists(st.integers(1, n), min_size=1, max_size=3)))
    a, q, h, _ = drawn(seed, len(lengths), n, 3, torch.float64)
    expected = torch.tensor([naive(*(t[b].tolist() for t in (a, q, h)), int(lengths[b]), kind) for b in range(len(a))])
    streamed = masked_attention(a, q, h, lengths, kind)
    assert torch.allclose(streamed, expected.double(), atol=1e-12)
    assert torch.allclose(dense_attention(a, q, h, lengths, kind), expected.double(), atol=1e-12)
    blocks, _ = attention._torch_forward(a, q, h, lengths, kind, C)
    assert torch.allclose(blocks, expected.double(), atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_those_of_the_dense_form(kind: str, dtype: torch.dtype) -> None:
    *parts, g = drawn(1, 4, 11, 5, dtype)
    lengths = torch.tensor([11, 1, 2, 7])
    found = []
    for form in (dense_attention, masked_attention):
        leaves = [t.clone().requires_grad_() for t in parts]
        (form(*leaves, lengths, kind) * g).sum().backward()
        found.append([t.grad for t in leaves])
    s, saved = attention._torch_forward(*parts, lengths, kind, C)
    found.append(attention._torch_backward(saved, parts[2], lengths, s, g, kind, C))
    limit = 1e-12 if dtype == torch.float64 else 1e-5
    for other in found[1:]:
        for expected, got in zip(found[0], other, strict=True):
            assert float((expected - got).abs().max()) < limit


def test_gradcheck() -> None:
    parts = [t.requires_grad_() for t in drawn(2, 2, 4, 3, torch.float64)[:3]]
    assert torch.autograd.gradcheck(lambda *x: masked_attention(*x, torch.tensor([4, 3]), "fw"), parts)


@pytest.mark.parametrize(("kind", "empty"), [("fw", 0), ("bw", 2)])
def test_rows_with_nothing_to_attend_are_exactly_zero(kind: str, empty: int) -> None:
    a, q, h, _ = drawn(3, 1, 5, 4, torch.float32)
    s = masked_attention(a, q, h, torch.tensor([3]), kind)
    zero = [j for j in range(5) if not s[0, j].any()]
    assert zero == sorted({empty, 3, 4})
    alone = masked_attention(a, q, h, torch.tensor([1]), "none")
    assert not alone.any()


@pytest.mark.parametrize("size", [60.0, 3000.0])
def test_huge_logits_stay_finite(size: float) -> None:
    a, q, h, _ = drawn(4, 2, 6, 3, torch.float32, size)
    lengths = torch.tensor([6, 4])
    s = masked_attention(a, q, h, lengths, "fw")
    assert torch.isfinite(s).all()
    if size < 100:
        scale = float(h.abs().max())
        assert float((s - dense_attention(a, q, h, lengths, "fw")).abs().max()) < 1e-5 * scale


def test_a_token_sees_its_own_side_only() -> None:
    a, q, h, _ = drawn(5, 1, 6, 2, torch.float64)
    lengths = torch.tensor([6])
    before = masked_attention(a, q, h, lengths, "fw")
    h[0, 4] += 100
    after = masked_attention(a, q, h, lengths, "fw")
    assert torch.equal(before[0, :5], after[0, :5])
    assert not torch.equal(before[0, 5], after[0, 5])


def test_weights_sum_to_one_where_there_is_something_to_see() -> None:
    a, q, _, _ = drawn(6, 2, 5, 3, torch.float64)
    weights = attention_weights(a, q, torch.tensor([5, 2]), "fw")
    sums = weights.sum(2)
    assert torch.allclose(sums[0, 1:], torch.ones(4, 3, dtype=torch.float64))
    assert not sums[0, 0].any()
    assert not sums[1, 2:].any()


def test_the_block_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    block = DirectionalBlock(3, 4, "bw").double().eval()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    lengths = torch.tensor([5, 3])
    h = torch.nn.functional.elu(x @ block.w_h.weight.T + block.w_h.bias)
    s = dense_attention(h @ block.w1.weight.T, h @ block.w2.weight.T + block.b, h, lengths, "bw")
    f = torch.sigmoid(
        s @ block.gate_s.weight.T + h @ block.gate_h.weight.T + block.gate_s.bias + block.gate_h.bias + block.gate_bias
    )
    u = f * h + (1 - f) * s
    u[1, 3:] = 0
    assert torch.allclose(block(x, lengths), u, atol=1e-12)


def test_source2token_ignores_padding() -> None:
    torch.manual_seed(0)
    pool, u = Source2Token(4).eval(), torch.randn(1, 6, 4)
    short = pool(u[:, :3], torch.tensor([3]))
    u[0, 3:] = 1e3
    assert torch.allclose(pool(u, torch.tensor([3])), short, atol=1e-6)
    assert np.allclose(pool.weights(u, torch.tensor([3])).sum(1).detach().numpy(), 1, atol=1e-6)


def test_what_does_not_fit_is_said() -> None:
    a, q, h, _ = drawn(7, 2, 3, 4, torch.float32)
    with pytest.raises(UsageError, match=r"direction: got 'up', expected one of fw, bw, none"):
        masked_attention(a, q, h, torch.tensor([3, 3]), "up")
    with pytest.raises(ShapeError, match=r"attention: got a \[2, 3, 4\], q \[2, 2, 4\]"):
        masked_attention(a, q[:, :2], h, torch.tensor([3, 3]), "fw")
    with pytest.raises(ShapeError, match=r"lengths of sentences: got 0…3 tokens, expected 1…3"):
        masked_attention(a, q, h, torch.tensor([0, 3]), "fw")
