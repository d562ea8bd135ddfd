"""A layer of L-LUTs as a torch module, and the autograd function over its fused kernels."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ml.neuralut.configs import LayerConfig
from ml.neuralut.subnet import SubNet


class Neuron(Protocol):
    """The function inside an L-LUT: parameters a L-LUT, start values, and plain evaluation."""

    @property
    def parameters(self) -> int: ...

    @property
    def operations(self) -> int: ...

    def initial(self, n_out: int, generator: torch.Generator) -> Tensor: ...

    def evaluate(self, theta: Tensor, x: Tensor) -> Tensor: ...


def neuron_of(config: LayerConfig) -> Neuron:
    """The neuron function that a layer's configuration names."""
    if config.kind == "polylut":
        from ml.neuralut.polylut import Polynomial

        return Polynomial(config.fan_in, config.degree)
    if config.kind == "logicnets":
        return SubNet(config.fan_in, depth=1, skip=0)
    return SubNet(config.fan_in, config.width, config.depth, config.skip)


class _FusedLayer(torch.autograd.Function):
    """y [n_out, batch] = f(θ, x[conn]) with the numba kernels; x [n_in, batch]."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, x: Tensor, conn: Tensor, kernels: Any) -> Tensor:
        from ml.neuralut.kernels import run

        y = torch.empty(theta.shape[0], x.shape[1])
        arrays = (t.detach().numpy() for t in (theta, x, conn, y))
        run(kernels.forward, torch.get_num_threads(), len(theta), *kernels.shape, *arrays)
        ctx.save_for_backward(theta, x, conn)
        ctx.kernels = kernels
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        from ml.neuralut.kernels import run, scatter_rows

        theta, x, conn = ctx.saved_tensors
        dtheta = torch.empty_like(theta)
        parts = torch.empty(*conn.shape, x.shape[1])
        arrays = (t.detach().numpy() for t in (theta, x, conn, grads[0].contiguous(), dtheta, parts))
        run(ctx.kernels.backward, torch.get_num_threads(), len(theta), *ctx.kernels.shape, *arrays)
        dx = None
        if ctx.needs_input_grad[1]:
            dx = torch.empty_like(x)
            scatter_rows(parts.numpy(), conn.numpy(), dx.numpy())
        return dtheta, dx, None, None


class LutLayer(nn.Module):
    """z [n_out, batch] = one private function per L-LUT of F gathered rows of x [n_in, batch].

    `conn` is a buffer int32 [n_out, F]. With `fused`, float32 data on the CPU go through the numba kernels
    where the neuron's shape has them; everything else goes through batched matrix products.
    """

    conn: Tensor

    def __init__(self, config: LayerConfig, conn: Tensor, generator: torch.Generator, fused: bool = True) -> None:
        super().__init__()
        self.config = config
        self.neuron = neuron_of(config)
        self.fused = fused
        self.theta = nn.Parameter(self.neuron.initial(config.n_out, generator))
        self.register_buffer("conn", conn.to(torch.int32).contiguous())

    def _kernels(self) -> Any:
        from ml.neuralut.kernels import layer_kernels

        return layer_kernels(cast(Hashable, self.neuron))

    def forward(self, x: Tensor) -> Tensor:
        if self.fused and x.device.type == "cpu" and x.dtype == torch.float32:
            kernels = self._kernels()
            if kernels is not None:
                return _FusedLayer.apply(self.theta, x.contiguous(), self.conn, kernels)
        return self.neuron.evaluate(self.theta, x[self.conn.long()])
