"""Any torch model of usual layers as a network of integer codes: `convert` for the artifact, `quantise` to train it.

Convolutions, linear layers and products of two values run on product units; batch norms are folded, activations become
saturation or tables, sums get common scales, a softmax becomes maximum, table, sum and divider. `quantise` returns a
torch module: in training mode a graph with straight-through quantisers, in evaluation mode the integer network itself
(`ml.common.mac_torch`), so that its scores are `EncodedMac.reference`'s, bit for bit, times one scale.

Example:
    >>> import torch
    >>> from torch import nn
    >>> from hwsim.encodingnet.encodings import exact
    >>> layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> x = torch.linspace(-1, 1, 80).reshape(20, 4)
    >>> network = convert(layers, x, exact(8, 8))
    >>> [op.type for op in network.ops], network.shapes[-1]
    (['linear', 'linear'], (3,))
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from hwsim.ir.mac import EncodedMac, Input
from ml.common.encoded_ops import Unit
from ml.common.mac_torch import TorchMac
from ml.common.quantised import corrections, emit_norm, emit_pool  # noqa: F401  (the last two register operations)
from ml.common.quantised.emit import Emitter
from ml.common.quantised.graph import Format, Quantiser, Step
from ml.common.quantised.kinds import trace
from ml.common.quantised.layers import POSITION_FRACTION, ArrayLayer, QuantMatMul
from ml.common.quantised.scale import Scale

CORRECTED = 256  # samples that errors are measured on
Samples = Tensor | np.ndarray | Sequence[Any]


class QuantModel(nn.Module):
    """A quantised model: trainable, and an `EncodedMac` at any time.

    Attributes:
        graph: the training graph (codes as real values, straight-through gradients).
        steps: what each of its nodes is.
        n_classes: of the exported network.
        meta: strings for the exported network.
    """

    def __init__(self, graph: fx.GraphModule, steps: dict[str, Step], n_classes: int, meta: dict[str, str]) -> None:
        super().__init__()
        self.graph, self.steps, self.n_classes, self.meta = graph, steps, n_classes, meta
        self._integer: tuple[list[int], TorchMac] | None = None

    def forward(self, *x: Tensor) -> Tensor:
        """Real outputs: differentiable ones in training, the integer network's in evaluation."""
        if self.training:
            return self.graph(*x)
        mac = self.integer()
        with torch.no_grad():
            return (mac(*mac.quantise(*x)).double() * mac.network.output_scale).to(x[0].dtype)

    def train(self, mode: bool = True) -> QuantModel:
        """As torch's; the integer network is made again afterwards (fused optimisers leave no other trace)."""
        self._integer = None
        return super().train(mode)

    def integer(self) -> TorchMac:
        """The integer network in torch; made again after `train` or `eval`, and when parameters are loaded."""
        units = {id(layer.unit.encoding): layer.unit for _, layer in self.array_layers()}
        state = [*units, *(tensor._version for tensor in (*self.parameters(), *self.buffers()))]
        if self._integer is None or self._integer[0] != state:
            network = self.to_ir()
            mac = TorchMac(network, [units[id(e)] if id(e) in units else Unit(e) for e in network.encodings])
            self._integer = state, mac
        return self._integer[1]

    def to_ir(self) -> EncodedMac:
        """The integer network of the present parameters.

        Raises:
            UsageError, ArtifactError: what the array can't run; names the node.
        """
        inputs = []
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                scale = cast(Scale, self.graph.get_submodule(self.steps[node.name].scale))
                inputs.append(Input(self.steps[node.name].shape, scale.lo, scale.hi, scale.value))
        emitter = Emitter(self.graph, self.steps, inputs)
        output = emitter.run()
        net = emitter.net
        if not net.ops:
            raise UsageError.of("the model", "no operation", "at least one", "Convert a model that computes.")
        return net.finish(output, self.n_classes, self.meta)

    def array_layers(self) -> Iterator[tuple[str, ArrayLayer]]:
        """(name, layer) of every layer with stationary weights, in order of the graph."""
        for node in self.graph.graph.nodes:
            if node.op == "call_module" and isinstance(
                module := self.graph.get_submodule(str(node.target)), ArrayLayer
            ):
                yield str(node.target), module

    def scales(self) -> list[nn.Parameter]:
        """Ranges α of all scales."""
        return [m.alpha for m in self.graph.modules() if isinstance(m, Scale) and m.alpha.requires_grad]

    def positions(self) -> list[nn.Parameter]:
        """Trained position weights, one tensor a layer."""
        return [layer.position for _, layer in self.array_layers() if layer.position is not None]

    def use(self, encoding: Encoding) -> None:
        """Put another product unit under every layer; trained position weights are dropped."""
        unit = Unit(encoding)
        for module in self.graph.modules():
            if isinstance(module, ArrayLayer | QuantMatMul):
                module.unit = unit
            if isinstance(module, ArrayLayer):
                module.position = None

    def set_gradient(self, gradient: str) -> None:
        """``"ste"`` or ``"difference"`` for all layers, see `ml.common.encoded_ops`."""
        for _, layer in self.array_layers():
            layer.gradient = gradient

    @torch.no_grad()
    def operand_histograms(self, *x: Tensor) -> dict[str, np.ndarray]:
        """How often each bit pattern of x meets a layer, padding included: float64 [2^a] a layer, sum 1.

        Taken with exact products, which the corrected network comes near to.
        """
        return corrections.operand_histograms(self.graph, dict(self.array_layers()), x)

    @torch.no_grad()
    def correct_means(self, *x: Tensor) -> None:
        """Take the product units' mean error out of every bias, by the operand distributions that `x` makes."""
        corrections.correct_means(self.graph, dict(self.array_layers()), x)

    @torch.no_grad()
    def correct_sums(self, *x: Tensor) -> None:
        """Fit every output channel's encoded sums to the exact ones over `x`: a gain into its weight scale (where
        scales are a channel's), an offset into its bias. Neither costs anything in hardware."""
        corrections.correct_sums(self.graph, dict(self.array_layers()), x)

    def train_positions(self, *x: Tensor, fraction: int = POSITION_FRACTION, refit: bool = True) -> None:
        """Give every layer position weights of its own, to be trained.

        Args:
            x: calibration data for the start: weights fitted to each layer's operands and sums by least squares.
            fraction: fraction bits of the trained weights.
            refit: False starts at the unit's own weights.
        """
        layers = dict(self.array_layers())
        if refit:
            with torch.no_grad():
                corrections.fit_positions(self.graph, layers, x, fraction)
        for layer in layers.values():
            layer.train_position(fraction)


def quantise(
    model: nn.Module,
    calibration: Samples,
    encoding: Encoding,
    *,
    bits: int | None = None,
    w_bits: int | None = None,
    per_channel: bool = True,
    n_classes: int = 0,
    correct: str = "sums",
    meta: dict[str, str] | None = None,
) -> QuantModel:
    """A trainable integer twin of `model`.

    Args:
        model: torch modules and functions that `ml.common.quantised.kinds` knows; it is not changed.
        calibration: input samples [n, …], or a list of them for several inputs; some hundred will do.
        encoding: product unit of all layers.
        bits, w_bits: widths of activations and weights; default: what the unit takes.
        per_channel: one weight scale an output channel, or one a layer (the paper's).
        n_classes: > 0 when the output's argmax is a class.
        correct: ``"sums"`` fits each channel's gain and offset to the exact sums, ``"means"`` takes the mean error out
            of the biases, ``"none"``.

    Raises:
        UsageError: an operation without mapping (names it and the node), widths beyond the unit's.
        ShapeError: calibration data of a wrong shape, or not finite.
    """
    form = Format(encoding, bits or encoding.x_bits, w_bits or encoding.w_bits, per_channel)
    if not 2 <= form.bits <= encoding.x_bits or not 2 <= form.w_bits <= encoding.w_bits:
        got, want = f"{form.bits} × {form.w_bits} bits", f"2…{encoding.x_bits} × 2…{encoding.w_bits}"
        raise UsageError.of("operand widths", got, want, "Use another product unit, or fewer bits.")
    if correct not in ("sums", "means", "none"):
        raise UsageError.of("correct", repr(correct), "sums, means or none", "Choose one.")
    data = [
        torch.as_tensor(x).float() for x in (calibration if isinstance(calibration, list | tuple) else [calibration])
    ]
    graph = trace(copy.deepcopy(model).cpu().eval())
    wanted = sum(n.op == "placeholder" for n in graph.graph.nodes)
    if len(data) != wanted:
        raise UsageError.of("calibration", f"{len(data)} inputs", wanted, "Pass a list of one tensor an input.")
    steps = Quantiser(graph, data, form).run()
    made = QuantModel(graph, steps, n_classes, meta or {})
    if correct != "none" and (encoding.table * encoding.step != encoding.target).any():
        (made.correct_sums if correct == "sums" else made.correct_means)(*(x[:CORRECTED] for x in data))
    return made


def convert(model: nn.Module, calibration: Samples, encoding: Encoding, **options: Any) -> EncodedMac:
    """`model` as an artifact: ``quantise(...).to_ir()``; arguments and errors as `quantise`."""
    return quantise(model, calibration, encoding, **options).to_ir()
