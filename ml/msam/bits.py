"""Errors that hardware makes on weights: few bits, flipped bits, analogue noise.

Weights are stored as b-bit two's complement codes with one scale a tensor:

    step = max|W| / (2^{b−1} − 1),   code = clip(rint(W/step), −(2^{b−1}−1), 2^{b−1}−1),   W ≈ code·step

A flipped bit of a stored code may also give −2^{b−1}.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwsim.ir.errors import UsageError

MIN_BITS, MAX_BITS = 2, 8


def weight_matrices(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters with two axes or more: what a weight memory holds (biases and norms are folded elsewhere)."""
    return {name: p for name, p in model.named_parameters() if p.ndim > 1}


def encode(weights: Tensor, bits: int, largest: float | None = None) -> tuple[Tensor, float]:
    """Codes int16 of `weights` and the step; `largest` replaces max|W|.

    Raises:
        UsageError: bits outside 2..8.
    """
    if not MIN_BITS <= bits <= MAX_BITS:
        raise UsageError.of("bits of a weight", bits, f"{MIN_BITS}..{MAX_BITS}", "Change bits.")
    top = (1 << (bits - 1)) - 1
    largest = float(weights.abs().max()) if largest is None else largest
    step = max(largest, 1e-12) / top
    return (weights / step).round().clamp(-top, top).to(torch.int16), step


def flip(codes: Tensor, bits: int, rate: float, generator: torch.Generator) -> Tensor:
    """Codes with every stored bit flipped with probability `rate`, independently.

    Raises:
        UsageError: a rate outside [0, 1].
    """
    if not 0.0 <= rate <= 1.0:
        raise UsageError.of("bit-flip rate", rate, "a probability in [0, 1]", "Change it.")
    drawn = torch.rand((bits, *codes.shape), generator=generator) < rate
    place = (1 << torch.arange(bits)).reshape(-1, *(1,) * codes.ndim)
    pattern = (codes.to(torch.int32) & ((1 << bits) - 1)) ^ (drawn * place).sum(0).to(torch.int32)
    return (pattern - ((pattern >> (bits - 1)) << bits)).to(torch.int16)


def quantised(weights: Tensor, bits: int, largest: float | None = None) -> Tensor:
    """`weights` rounded to b-bit codes."""
    codes, step = encode(weights, bits, largest)
    return codes.to(weights.dtype) * step


def flipped(
    weights: Tensor, rate: float, generator: torch.Generator, bits: int = 8, largest: float | None = None
) -> Tensor:
    """`weights` as b-bit codes with random bit errors."""
    codes, step = encode(weights, bits, largest)
    return flip(codes, bits, rate, generator).to(weights.dtype) * step


def noisy(weights: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """`weights` + σ·max|W|·N(0, 1)."""
    noise = torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
    return weights + sigma * weights.abs().max() * noise
