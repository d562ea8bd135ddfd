"""The hand-over: the decoder of one shape as a network of integer codes (`hwsim.ir.mac.EncodedMac`).

A shape's code is fixed while its surface is extracted, so that every conditional norm is one factor and one offset a
channel: CBN₁ goes into fc₀, CBN₀ and the last one stay on the vector unit. Per query 656 384 multiply-accumulates at
hidden = 256. A coordinate is an 8-bit code, chosen so that every corner of MISE's grid is a code exactly. Nothing else
that feeds the array is negative: where the product unit takes x ≥ 0 only, coordinates count from the box's corner, the
bias of fc_p takes the shift in, and all activations gain a bit.
"""

from __future__ import annotations

import copy
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
    """The decoder of one shape: points + shift [n, 3] → logits [n, 1], as `Decoder` in evaluation up to rounding.

    Args:
        decoder: with conditional norms and without frequencies.
        code: of the shape [c_dim].
        shift: what was added to every coordinate.

    Raises:
        UsageError: another kind of decoder.
    """

    def __init__(self, decoder: Decoder, code: Tensor, shift: float = 0.0) -> None:
        super().__init__()
        if not isinstance(decoder.norm, ConditionalBatchNorm) or decoder.frequencies:
            got = f"{type(decoder.norm).__name__}, {decoder.frequencies} frequencies"
            raise UsageError.of("decoder to hand over", got, "conditional norms, no frequencies", "Train such a one.")
        with torch.no_grad():
            self.fc_p, self.fc_out = copy.deepcopy(decoder.fc_p), decoder.fc_out
            self.fc_p.bias.sub_(shift * self.fc_p.weight.sum(1))
            self.blocks = nn.ModuleList(_FixedBlock(block, code) for block in decoder.blocks)
            self.norm = _fixed(decoder.norm, code)

    def forward(self, points: Tensor) -> Tensor:
        x = self.fc_p(points)
        for block in self.blocks:
            x = block(x)
        return self.fc_out(torch.relu(self.norm(x)))


def coordinate_range(resolution: int, top: int, signed: bool, box: float = BOX) -> float:
    """Largest coordinate of codes up to `top` on which every corner of a grid of `resolution` cells is a code.

    Args:
        signed: coordinates around zero; else they count from the box's corner.

    Raises:
        UsageError: an odd resolution, or more cells than codes.

    >>> round(coordinate_range(128, 127, True) / 127 * 64, 6)      # the corner at 0.55 is code 64
    0.55
    """
    cells = resolution // 2 if signed else resolution
    if resolution % 2 or not 1 <= cells <= top:
        want = f"an even number of cells, 2…{2 * top if signed else top}"
        raise UsageError.of("resolution", resolution, want, "Use 128 or less.")
    return box * cells / resolution * top / (top // cells * cells)


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
    signed = encoding.x_range[0] < 0
    shift = 0.0 if signed else BOX / 2
    calibration = torch.as_tensor(points, dtype=torch.float32).clamp(-BOX / 2, BOX / 2) + shift
    fixed = FixedDecoder(decoder, code, shift).eval()
    meta = {"network": "occnet decoder", "shift": repr(shift)}
    model = quantise(fixed, calibration, encoding, bits=8, correct="none", meta=meta)
    for step in model.steps.values():
        if step.kind == "placeholder":
            scale = model.graph.get_submodule(step.scale)
            assert isinstance(scale, Scale)
            scale.alpha.data.fill_(coordinate_range(resolution, scale.hi, signed))
    if correct != "none" and (encoding.table * encoding.step != encoding.target).any():
        (model.correct_sums if correct == "sums" else model.correct_means)(calibration[:CALIBRATION])
    return model.to_ir()


def coordinate_codes(network: EncodedMac, points: NDArray[Any]) -> NDArray[np.int64]:
    """Input codes int64 [n, 3] of points [n, 3]."""
    return network.quantise(np.asarray(points) + float(network.meta["shift"]))[0]


def integer_field(
    network: EncodedMac, run: Callable[[NDArray[np.int64]], NDArray[np.int64]], threshold: float = 0.0
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """The field of a handed-over decoder: points [n, 3] → logit − threshold, where `run` maps codes to output codes."""

    def field(points: NDArray[Any]) -> NDArray[np.float32]:
        codes = run(coordinate_codes(network, points))
        return (codes[:, 0] * network.output_scale - threshold).astype(np.float32)

    return field
