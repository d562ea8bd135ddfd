"""The hand-over: the decoder of one shape as a network of integer codes (`hwsim.ir.mac.EncodedMac`).

A shape's code is fixed while its surface is extracted, so that every conditional norm is one factor and one offset a
channel: CBN₁ goes into fc₀, CBN₀ and the last one stay on the vector unit. Per query 656 384 multiply-accumulates at
hidden = 256. A coordinate is an 8-bit code, chosen so that every corner of MISE's grid is a code exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from hwsim.ir.mac import EncodedMac
from ml.common.convert import quantise
from ml.common.quantised.scale import Scale
from ml.occnet.decoder import Decoder
from ml.occnet.fields import BOX
from ml.occnet.norm import EPS, ConditionalBatchNorm

TOP = 127  # largest code of a coordinate
CALIBRATION = 2048  # points


def _fixed(norm: ConditionalBatchNorm, code: Tensor) -> nn.BatchNorm1d:
    """A conditional norm under one code [c_dim]."""
    made = nn.BatchNorm1d(len(norm.running_mean), eps=EPS)
    made.running_mean, made.running_var = norm.running_mean.clone(), norm.running_var.clone()
    made.weight, made.bias = nn.Parameter(norm.gamma(code)), nn.Parameter(norm.beta(code))
    return made.eval()


class _FixedBlock(nn.Module):
    """A residual block under one code."""

    def __init__(self, block: Any, code: Tensor) -> None:
        super().__init__()
        self.norm_0, self.norm_1 = _fixed(block.norm_0, code), _fixed(block.norm_1, code)
        self.fc_0, self.fc_1 = block.fc_0, block.fc_1

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.norm_1(self.fc_0(torch.relu(self.norm_0(x)))))
        return x + self.fc_1(inner)


class FixedDecoder(nn.Module):
    """The decoder of one shape: points [n, 3] → logits [n, 1], equal to `Decoder` in evaluation up to rounding.

    Args:
        decoder: with conditional norms and without frequencies.
        code: of the shape [c_dim].

    Raises:
        UsageError: another kind of decoder.
    """

    def __init__(self, decoder: Decoder, code: Tensor) -> None:
        super().__init__()
        if not isinstance(decoder.norm, ConditionalBatchNorm) or decoder.frequencies:
            got = f"{type(decoder.norm).__name__}, {decoder.frequencies} frequencies"
            raise UsageError.of("decoder to hand over", got, "conditional norms, no frequencies", "Train such a one.")
        with torch.no_grad():
            self.fc_p, self.fc_out = decoder.fc_p, decoder.fc_out
            self.blocks = nn.ModuleList(_FixedBlock(block, code) for block in decoder.blocks)
            self.norm = _fixed(decoder.norm, code)

    def forward(self, points: Tensor) -> Tensor:
        x = self.fc_p(points)
        for block in self.blocks:
            x = block(x)
        return self.fc_out(torch.relu(self.norm(x)))


def coordinate_scale(resolution: int, box: float = BOX) -> float:
    """Largest coordinate of 8-bit codes on which every corner of a grid of `resolution` cells is a code.

    Raises:
        UsageError: an odd resolution, or more than 254 cells.

    >>> round(coordinate_scale(128) / 127 * 64, 6)      # the corner at 0.55 is code 64
    0.55
    """
    if resolution % 2 or not 2 <= resolution <= 2 * TOP:
        raise UsageError.of("resolution", resolution, f"an even number of cells, 2…{2 * TOP}", "Use 128 or less.")
    half = resolution // 2
    return box / 2 * TOP / (TOP // half * half)


def to_ir(
    decoder: Decoder,
    code: Tensor,
    encoding: Encoding,
    points: NDArray[Any],
    resolution: int = 128,
    correct: str = "sums",
) -> EncodedMac:
    """The network of one shape on product units of `encoding`.

    Args:
        code: [c_dim].
        points: calibration points [n, 3]; those that will be asked for are best.
        resolution: finest grid of the queries.
        correct: how an inexact unit's error is taken out, see `ml.common.convert.quantise`.

    Raises:
        UsageError: a decoder or a grid that does not fit.
    """
    calibration = torch.as_tensor(points, dtype=torch.float32)
    fixed = FixedDecoder(decoder, code).eval()
    model = quantise(fixed, calibration, encoding, bits=8, correct="none", meta={"network": "occnet decoder"})
    for step in model.steps.values():
        if step.kind == "placeholder":
            scale = model.graph.get_submodule(step.scale)
            assert isinstance(scale, Scale)
            scale.alpha.data.fill_(coordinate_scale(resolution))
    if correct != "none" and (encoding.table * encoding.step != encoding.target).any():
        (model.correct_sums if correct == "sums" else model.correct_means)(calibration[:CALIBRATION])
    return model.to_ir()


def integer_field(
    network: EncodedMac, run: Callable[[NDArray[np.int64]], NDArray[np.int64]], threshold: float = 0.0
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """The field of a handed-over decoder: points [n, 3] → logit − threshold, where `run` maps codes to output codes."""

    def field(points: NDArray[Any]) -> NDArray[np.float32]:
        codes = run(network.quantise(points)[0])
        return (codes[:, 0] * network.output_scale - threshold).astype(np.float32)

    return field
