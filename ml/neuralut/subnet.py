"""The function inside an L-LUT: its parameters, their layout, their start values and its plain evaluation.

Symbols (paper section II, figure 2): F fan-in, N width, L depth (affine layers), S skip step.
With chunks of S affine layers, h_0 = x, and for l = 1..L

    z_l = A_l h_{l−1} + b_l  (+ R_{l/S−1} h_{l−S} + r_{l/S−1}  when S > 0 and S divides l)
    h_l = relu(z_l) for l < L,   y = z_L.

L=1, S=0 is LogicNets' neuron. A layer of `n_out` L-LUTs keeps one tensor θ [n_out, P] with all matrices of
an L-LUT in one row: one parameter for the optimiser, one contiguous block for the fused kernel.
Activations are neuron-major, [neurons, batch].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class Block:
    """Place of one affine map in a row of θ: weight [rows, cols] at `weight`, bias [rows] at `bias`."""

    name: str
    rows: int
    cols: int
    weight: int

    @property
    def bias(self) -> int:
        return self.weight + self.rows * self.cols

    @property
    def end(self) -> int:
        return self.bias + self.rows


@dataclass(frozen=True)
class SubNet:
    """Shape of the sub-network of one L-LUT.

    Raises:
        UsageError: a size below its minimum, or a skip step that does not divide the depth.
    """

    fan_in: int
    width: int = 16
    depth: int = 4
    skip: int = 2

    def __post_init__(self) -> None:
        if self.fan_in < 1 or self.width < 1 or self.depth < 1 or self.skip < 0:
            raise UsageError.of(
                "sub-network sizes out of range",
                f"F={self.fan_in} N={self.width} L={self.depth} S={self.skip}",
                "F, N, L ≥ 1 and S ≥ 0",
                "Change the configuration.",
            )
        if self.skip and self.depth % self.skip:
            raise UsageError.of(
                "skip step does not fit the depth",
                f"L={self.depth}, S={self.skip}",
                "S = 0 or S dividing L",
                "Change depth or skip.",
            )

    def _width_at(self, layer: int) -> int:
        return self.fan_in if layer == 0 else 1 if layer == self.depth else self.width

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """All affine maps by name, "A1".."AL" then "R0"..; in the order of θ."""
        maps = [(f"A{i}", self._width_at(i), self._width_at(i - 1)) for i in range(1, self.depth + 1)]
        if self.skip:
            ends = range(self.skip, self.depth + 1, self.skip)
            maps += [(f"R{e // self.skip - 1}", self._width_at(e), self._width_at(e - self.skip)) for e in ends]
        blocks: dict[str, Block] = {}
        place = 0
        for name, rows, cols in maps:
            blocks[name] = Block(name, rows, cols, place)
            place = blocks[name].end
        return blocks

    @property
    def parameters(self) -> int:
        """P, scalars an L-LUT: 802 for F=6, N=16, L=4, S=2 (paper table I's HDR-5L)."""
        return sum(b.rows * (b.cols + 1) for b in self.blocks.values())

    @property
    def operations(self) -> int:
        """Upper bound of the roundings on any path from an input to y: every affine map's sum, skips included."""
        return sum(b.cols + 2 for b in self.blocks.values())

    def initial(self, n_out: int, generator: torch.Generator) -> Tensor:
        """θ [n_out, P] with torch's Linear default, U(±1/√cols) for weights and biases."""
        theta = torch.empty(n_out, self.parameters)
        for block in self.blocks.values():
            bound = 1.0 / math.sqrt(block.cols)
            theta[:, block.weight : block.end].uniform_(-bound, bound, generator=generator)
        return theta

    def matrices(self, theta: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """Weight [n_out, rows, cols] and bias [n_out, rows, 1] of one affine map, as views of θ."""
        b = self.blocks[name]
        weight = theta[:, b.weight : b.bias].reshape(-1, b.rows, b.cols)
        return weight, theta[:, b.bias : b.end].unsqueeze(-1)

    def evaluate(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [n_out, batch] from gathered inputs x [n_out, F, batch], by batched matrix products."""
        h = start = x
        for layer in range(1, self.depth + 1):
            weight, bias = self.matrices(theta, f"A{layer}")
            z = torch.baddbmm(bias, weight, h)
            if self.skip and layer % self.skip == 0:
                weight, bias = self.matrices(theta, f"R{layer // self.skip - 1}")
                z = z + torch.baddbmm(bias, weight, start)
            h = torch.relu(z) if layer < self.depth else z
            if self.skip and layer % self.skip == 0:
                start = h
        return h.squeeze(1)
