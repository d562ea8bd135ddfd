"""An occupancy network: an encoder of the input, a decoder of points; and its field of one shape as a plain function.

    o(p, x) = decoder(p, encoder(x)),  surface: o = logit τ                     (paper, section 3.1)

τ = 0.2 is the authors' test threshold; a network that is trained here is judged at τ = 0.5 unless said.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwsim.ir.errors import UsageError
from ml.occnet.decoder import Decoder

THRESHOLD = 0.5
QUERIES = 1 << 16  # points of one pass


@dataclass(frozen=True)
class Queries:
    """What a network is asked: points [batch, n, 3], and the inputs [batch, …] of its encoder."""

    points: Tensor
    inputs: Tensor

    def to(self, device: Any) -> Queries:
        """The same on another device."""
        return Queries(self.points.to(device), self.inputs.to(device))


class ShapeCodes(nn.Module):
    """An "encoder" of shape numbers: one free code a shape, to measure what the decoder can hold (section 4.1).

    Args:
        n: shapes.
        c_dim: size of a code.
    """

    def __init__(self, n: int, c_dim: int) -> None:
        super().__init__()
        self.codes = nn.Embedding(n, c_dim)

    def forward(self, numbers: Tensor) -> Tensor:
        """numbers int64 [batch] → codes [batch, c_dim]."""
        return self.codes(numbers)


class OccupancyNetwork(nn.Module):
    """Encoder and decoder.

    Args:
        encoder: inputs [batch, …] → codes [batch, c_dim].
        decoder: takes these codes.
        mixed: bfloat16 products where the machine has them (`bfloat16_is_fast`); sums, norms and logits in float32.

    Example:
        >>> network = OccupancyNetwork(ShapeCodes(4, 8), Decoder(8, 16))
        >>> network(Queries(torch.zeros(2, 5, 3), torch.tensor([0, 3]))).shape
        torch.Size([2, 5])
    """

    def __init__(self, encoder: nn.Module, decoder: Decoder, mixed: bool = False) -> None:
        super().__init__()
        self.encoder, self.decoder, self.mixed = encoder, decoder, mixed

    def forward(self, queries: Queries) -> Tensor:
        """Logits float32 [batch, n]."""
        device = queries.points.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.mixed):
            return self.decoder(queries.points, self.encoder(queries.inputs)).float()

    @torch.no_grad()
    def code(self, inputs: Tensor) -> Tensor:
        """Codes [batch, c_dim] in evaluation; the network is left in evaluation mode."""
        self.eval()
        return self.encoder(inputs)

    def field(self, code: Tensor, threshold: float = THRESHOLD) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """The shape of one code [c_dim] as a field: points [n, 3] → logit − logit(threshold), float32 [n].

        Raises:
            UsageError: a threshold outside (0, 1).
        """
        if not 0 < threshold < 1:
            raise UsageError.of("threshold", threshold, "a probability in (0, 1)", "Change it.")
        self.eval()
        level = math.log(threshold / (1 - threshold))
        device = next(self.parameters()).device

        @torch.no_grad()
        def logits(points: NDArray[Any]) -> NDArray[np.float32]:
            out = np.empty(len(points), np.float32)
            for i in range(0, len(points), QUERIES):
                part = torch.as_tensor(points[i : i + QUERIES], dtype=torch.float32, device=device)
                with torch.autocast(device.type, torch.bfloat16, enabled=self.mixed):
                    out[i : i + QUERIES] = self.decoder(part[None], code[None])[0].float().cpu().numpy() - level
            return out

        return logits


def bfloat16_is_fast() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware (AVX-512 BF16, AMX or a CUDA device)."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())
