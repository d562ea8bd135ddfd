"""From a traced model to its trainable integer twin: batch norms folded, ranges observed, layers and scales put in.

A node either makes a new scale (products, sums, tables, averages) or hands its input's scale on (`SAME_SCALE`). A ReLU
right behind a maker is fused: the scale then starts at code 0. Widths: what feeds the array has the product unit's
width, what feeds a table `TABLE_BITS`, all else `WIDE_BITS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ShapeError, UsageError
from ml.common.encoded_ops import Unit
from ml.common.quantised.kinds import ARRAY, SAME_SCALE, describe, kind_of
from ml.common.quantised.layers import QuantConv2d, QuantLinear, QuantMatMul
from ml.common.quantised.scale import Scale

WIDE_BITS, TABLE_BITS = 16, 12
BATCH = 64  # samples of one calibration step; a range is the mean of the steps' largest magnitudes


@dataclass
class Step:
    """One node of the quantised graph, as the hand-over reads it.

    Attributes:
        kind: word of `kinds`, or ``"scale"``.
        shape: of the value without batch; of a constant, whole.
        scale: name of the Scale module of the value.
        made: the scale is this node's own (fused ReLU included).
        fused: a ReLU that its maker already applies.
    """

    kind: str
    shape: tuple[int, ...] = ()
    scale: str = ""
    made: bool = False
    fused: bool = False


@dataclass(frozen=True)
class Format:
    """Number formats: product unit, widths of activations and weights, weight scales a channel or a tensor."""

    encoding: Encoding
    bits: int
    w_bits: int
    per_channel: bool

    def top(self, narrow: int | None) -> tuple[int, bool]:
        """(largest code, signed) of a value of `narrow` bits, or of an operand of the array."""
        signed = self.encoding.x_range[0] < 0
        if narrow is None:
            return (1 << (self.bits - 1 if signed else self.bits)) - 1, signed
        return (1 << (narrow - 1)) - 1, True


@dataclass
class Observed:
    """What calibration saw at a node: smallest value, mean over steps of the largest magnitude, shape."""

    low: float = 0.0
    magnitudes: list[float] = field(default_factory=list)
    shape: tuple[int, ...] = ()

    @property
    def alpha(self) -> float:
        return sum(self.magnitudes) / len(self.magnitudes)


class _Observer(fx.Interpreter):
    """Runs the graph and notes every tensor."""

    def __init__(self, graph: fx.GraphModule, seen: dict[str, Observed], batch: int) -> None:
        super().__init__(graph)
        self.seen, self.batch = seen, batch

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op != "output" and isinstance(value, Tensor) and value.is_floating_point():
            one = self.seen.setdefault(n.name, Observed())
            one.low = min(one.low, float(value.min()))
            one.magnitudes.append(float(value.abs().max()))
            one.shape = tuple(value.shape) if n.op == "get_attr" else tuple(value.shape[1:])
            if n.op != "get_attr" and (value.ndim == 0 or len(value) != self.batch):
                got = f"{list(value.shape)} for a batch of {self.batch}"
                mend = "Keep the batch as first axis."
                raise UsageError.of(f"{n.name} mixes samples", got, "[batch, …]", mend)
        return value


@torch.no_grad()
def observe(graph: fx.GraphModule, calibration: Sequence[Tensor]) -> dict[str, Observed]:
    """Ranges and shapes of all tensors over the calibration data, one tensor an input."""
    seen: dict[str, Observed] = {}
    if not calibration or len(calibration[0]) == 0:
        raise ShapeError.of("calibration", "no samples", "at least one", "Pass some of the training data.")
    for start in range(0, len(calibration[0]), BATCH):
        part = [x[start : start + BATCH] for x in calibration]
        if len(part[0]) == BATCH or start == 0:
            _Observer(graph, seen, len(part[0])).run(*part)
    for name, one in seen.items():
        if not all(m < float("inf") for m in one.magnitudes):
            raise ShapeError.of(f"calibration: {name}", "NaN or infinity", "finite values", "Clean model or data.")
    return seen


@torch.no_grad()
def fold_constants(graph: fx.GraphModule) -> None:
    """Evaluate what is computed from parameters alone, as 1 + ε is; the result is a fixed tensor."""
    known: dict[fx.Node, Any] = {}
    for node in list(graph.graph.nodes):
        if node.op == "get_attr":
            known[node] = _attribute(graph, str(node.target))
        elif node.op in ("call_function", "call_method") and node.all_input_nodes:
            if not all(one in known for one in node.all_input_nodes):
                continue
            args, options = fx.map_arg((node.args, node.kwargs), known.__getitem__)
            function = getattr(args[0], str(node.target)) if node.op == "call_method" else node.target
            value = function(*args[node.op == "call_method" :], **options)
            if not isinstance(value, Tensor):
                continue
            name = f"constant_{node.name}"
            graph.register_buffer(name, value.detach().clone())
            node.op, node.target, node.args, node.kwargs = "get_attr", name, (), {}
            known[node] = value
    graph.graph.eliminate_dead_code()
    read = {str(node.target) for node in graph.graph.nodes if node.op in ("get_attr", "call_module")}
    for name, _ in list(graph.named_parameters()):  # a parameter that nothing reads would wait for a gradient
        owner, _, last = name.rpartition(".")
        if name not in read and owner not in read and not any(owner.startswith(f"{r}.") for r in read):
            delattr(_attribute(graph, owner) if owner else graph, last)
    graph.recompile()


def _attribute(graph: fx.GraphModule, path: str) -> Any:
    value: Any = graph
    for name in path.split("."):
        value = getattr(value, name)
    return value


def fold_batchnorms(graph: fx.GraphModule) -> None:
    """Put every batch norm that follows a linear layer or convolution into its weights."""
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm1d | nn.BatchNorm2d):
            continue
        before, norm = node.args[0], modules[node.target]
        layer = modules.get(before.target) if before.op == "call_module" else None
        alone = sum(n.op == "call_module" and n.target == before.target for n in graph.graph.nodes) == 1
        if not isinstance(layer, nn.Linear | nn.Conv2d) or len(before.users) != 1 or not alone:
            continue
        gain, offset = affine(norm)
        with torch.no_grad():
            weight = layer.weight * gain.reshape(-1, *[1] * (layer.weight.ndim - 1))
            bias = offset if layer.bias is None else offset + gain * layer.bias
        layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
    graph.recompile()


def affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """(gain, offset) [c] of a batch norm in evaluation.

    Raises:
        UsageError: it keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise UsageError.of("batch norm", "no running statistics", "track_running_stats=True", "Train with them.")
    gain = torch.rsqrt(norm.running_var + norm.eps)
    gain = gain if norm.weight is None else gain * norm.weight.detach()
    shift = 0.0 if norm.bias is None else norm.bias.detach()
    return gain, shift - gain * norm.running_mean


class Quantiser:
    """Rewrites a graph in place; `steps` says what each node became."""

    def __init__(self, graph: fx.GraphModule, calibration: Sequence[Tensor], form: Format) -> None:
        self.graph, self.form = graph, form
        fold_constants(graph)
        fold_batchnorms(graph)
        self.seen = observe(graph, calibration)
        self.unit = Unit(form.encoding)
        self.steps: dict[str, Step] = {}

    def run(self) -> dict[str, Step]:
        """Every node of the original graph, in order."""
        nodes = [n for n in self.graph.graph.nodes if n.op == "output" or n.name in self.seen]
        for node in nodes:
            kind = kind_of(self.graph, node)
            shape = self.seen[node.name].shape if node.name in self.seen else ()
            self.steps[node.name] = Step(kind, shape)
        for node in nodes:
            if node.op != "output":
                self._place(node)
        self.graph.delete_all_unused_submodules()
        self.graph.recompile()
        return self.steps

    def _kind(self, node: fx.Node) -> str:
        return self.steps[node.name].kind if node.name in self.steps else ""

    def _place(self, node: fx.Node) -> None:
        step = self.steps[node.name]
        if step.kind in SAME_SCALE and not step.fused:
            self.steps[node.name].scale = self._scale_of(node.args[0])
        elif not step.fused:
            self._make(node, step)

    def _scale_of(self, node: Any) -> str:
        """Name of the scale of a value; values behind an inserted scale are looked through."""
        if isinstance(node, fx.Node) and node.name not in self.steps:
            node = node.args[0]
        if not isinstance(node, fx.Node) or not self.steps[node.name].scale:
            raise UsageError.of("an operand", node, "a value of the network", "Write the operation on tensors.")
        return self.steps[node.name].scale

    def _source(self, node: Any) -> Scale:
        scale = self.graph.get_submodule(self._scale_of(node))
        assert isinstance(scale, Scale)
        return scale

    def _make(self, node: fx.Node, step: Step) -> None:
        """A node with a scale of its own: its layer is replaced, and the scale comes behind it (and its ReLU)."""
        if step.kind in ARRAY:
            self._replace(node, step.kind)
        users = list(node.users)
        end = node
        if len(users) == 1 and self._kind(users[0]) == "relu" and step.kind not in ("placeholder", "const"):
            end = users[0]
            self.steps[end.name].fused = True
        name = f"scale_{end.name}"
        self.graph.add_submodule(name, self._scale_for(end, step.kind))
        with self.graph.graph.inserting_after(end):
            quantised = self.graph.graph.call_module(name, (end,))
        end.replace_all_uses_with(quantised, delete_user_cb=lambda user: user is not quantised)
        step.scale, step.made = name, True
        self.steps[end.name].scale = name

    def _scale_for(self, end: fx.Node, kind: str) -> Scale:
        seen = self.seen[end.name]
        top, signed = self.form.top(self._bits(end))
        if kind == "softmax":  # a share of 2^k: what the divider gives
            scale = Scale(top / (top + 1), 0, top)
            scale.alpha.requires_grad_(False)
            return scale
        return Scale(seen.alpha, 0 if seen.low >= 0 else -top if signed else -top - 1, top)

    def _bits(self, node: fx.Node) -> int | None:
        """Width that the readers of a value need; None is the array's."""
        widths: list[int | None] = []
        for user in node.users:
            kind = self._kind(user)
            if not kind:
                continue  # its shape is read, not its values
            if kind in ARRAY:
                widths.append(None)
            elif kind in SAME_SCALE:
                widths.append(self._bits(user))
            else:
                widths.append(TABLE_BITS if kind in ("table", "softmax") else WIDE_BITS)
        return None if None in widths else min((w for w in widths if w), default=WIDE_BITS)

    def _replace(self, node: fx.Node, kind: str) -> None:
        """The quantised layer in the place of a real one."""
        name = f"array_{node.name}"
        w_top = (1 << (self.form.w_bits - 1 if self.form.encoding.w_range[0] < 0 else self.form.w_bits)) - 1
        source = self._source(node.args[0])
        made: nn.Module
        if kind == "matmul":
            made = QuantMatMul(source, self._source(node.args[1]), self.unit)
        else:
            layer = self.graph.get_submodule(str(node.target))
            of = QuantConv2d.of if isinstance(layer, nn.Conv2d) else QuantLinear.of
            try:
                made = of(layer, source, self.unit, w_top, self.form.per_channel)  # type: ignore[arg-type]
            except UsageError as error:
                raise UsageError(f"{describe(self.graph, node)}: {error}") from error
        self.graph.add_submodule(name, made)
        node.op, node.target = "call_module", name
