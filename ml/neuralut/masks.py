"""Which inputs an L-LUT reads: random masks, contiguous groups, and masks learned during training."""

from __future__ import annotations

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError


def random_mask(n_in: int, n_out: int, fan_in: int, generator: torch.Generator) -> Tensor:
    """Connections int64 [n_out, fan_in]: per L-LUT `randperm(n_in)[:fan_in]`, sorted (paper section III-A).

    Raises:
        UsageError: fan-in beyond the number of inputs.
    """
    if fan_in > n_in:
        raise UsageError.of("fan-in beyond the inputs", fan_in, f"at most {n_in}", "Lower F.")
    rows = [torch.randperm(n_in, generator=generator)[:fan_in].sort().values for _ in range(n_out)]
    return torch.stack(rows)


def group_mask(n_out: int, fan_in: int) -> Tensor:
    """Connections int64 [n_out, fan_in] of an assembly layer: L-LUT k reads k·F .. k·F+F−1."""
    return torch.arange(n_out * fan_in).reshape(n_out, fan_in)
