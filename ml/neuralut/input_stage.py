"""The network's input: a learned quantiser, or the leading bits of an integer feature."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ml.common.quant import BatchNormQuant, QuantSpec
from ml.neuralut.configs import INPUT_OFFSET, NetConfig


class LeadingBits(nn.Module):
    """Signed code of the leading `bits` bits of integer features 0..top (top + 1 a power of two).

    Input is the x of training, feature·gain + offset; nothing is learned. Offset binary of the code equals
    the leading bits: ``code + 2^(bits−1) = floor(feature / step)`` with step = (top + 1)/2^bits.
    """

    def __init__(self, n_in: int, bits: int, top: int, features: tuple[float, float]) -> None:
        super().__init__()
        self.n_in, self.top, self.features = n_in, top, features
        self.spec = QuantSpec(bits, True, 1.0)

    @property
    def scale(self) -> Tensor:
        return torch.tensor(1.0 / self.spec.steps)

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """(gain, offset) float64 [n_in] from the x of training to the code before rounding.

        rint((feature − (step − 1)/2)/step) is floor(feature/step) for integers, never near a tie.
        """
        step = (self.top + 1) / 2**self.spec.bits
        gain, offset = 1.0 / step, -(step - 1) / (2 * step) + self.spec.lo
        feature_gain, feature_offset = self.features
        gain /= feature_gain
        return np.full(self.n_in, gain), np.full(self.n_in, offset - gain * feature_offset)

    def calibrate(self, z: Tensor) -> None:
        """Nothing depends on the data."""

    def forward(self, x: Tensor) -> Tensor:
        gain, offset = self.folded()
        code = (x * float(gain[0]) + float(offset[0])).round().clamp(self.spec.lo, self.spec.hi)
        return code * self.scale


def input_stage(config: NetConfig, features: tuple[float, float], fused: bool) -> BatchNormQuant | LeadingBits:
    """The input stage that `config` asks for; `features` is (gain, offset) from raw feature to x."""
    if config.input_top:
        return LeadingBits(config.n_in, config.input_bits, config.input_top, features)
    return BatchNormQuant(config.n_in, config.input_spec(), INPUT_OFFSET, fused)
