"""The hand-over of pooling and of sums along axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx

from hwsim.ir.errors import UsageError
from hwsim.ir.mac_build import WIDE, Value
from hwsim.ir.mac_ops import Requant
from hwsim.ir.mac_vector import Pool, Reduce, Reshape
from ml.common.quantised.emit import _EMIT, Emitter
from ml.common.quantised.kinds import describe

Pair = tuple[int, int]


def _options(e: Emitter, node: fx.Node, names: tuple[str, ...]) -> dict[str, Any]:
    """Options of a module or of a function call, by name."""
    if node.op == "call_module":
        module = e.module(node)
        return {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}


def _two(value: Any) -> Pair:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


def _window(e: Emitter, node: fx.Node, options: dict[str, Any]) -> tuple[Pair, Pair, Pair]:
    """(size, stride, padding); refuses what the pool has no field for."""
    where = describe(e.graph, node)
    odd = {
        "ceil_mode": options.get("ceil_mode", False),
        "dilation": _two(options.get("dilation", 1)) != (1, 1),
        "return_indices": options.get("return_indices", False),
        "divisor_override": options.get("divisor_override") is not None,
        "count_include_pad": not options.get("count_include_pad", True) and _two(options.get("padding", 0)) != (0, 0),
    }
    if any(odd.values()):
        got = ", ".join(name for name, on in odd.items() if on)
        raise UsageError.of(f"{where}: options", got, "none of them", "Use plain windows.")
    size = _two(options["kernel_size"])
    stride = options.get("stride")
    return size, _two(stride) if stride else size, _two(options.get("padding", 0))


def _maxpool(e: Emitter, node: fx.Node) -> Value:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    x = e.operand(node.args[0], node)
    size, stride, padding = _window(e, node, _options(e, node, names))
    fill = e.net.bounds[x.number][0]
    return e.net.add(Pool((x.number,), "max", size, stride, padding, None, fill), x.step)


def _averaged(e: Emitter, node: fx.Node, window: tuple[Pair, Pair, Pair]) -> Value:
    x, step = e.operand(node.args[0], node), e.out(node)[0]
    size, stride, padding = window
    count = size[0] * size[1]
    requant = e.requant(np.array([x.step / count / step]), e.net.top(x) * count, node)
    return e.net.add(Pool((x.number,), "sum", size, stride, padding, requant), step)


def _avgpool(e: Emitter, node: fx.Node) -> Value:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return _averaged(e, node, _window(e, node, _options(e, node, names)))


def _adaptive(e: Emitter, node: fx.Node) -> Value:
    have = e.shape(e.operand(node.args[0], node))[1:]
    wanted = _options(e, node, ("output_size",))["output_size"]
    pair = wanted if isinstance(wanted, tuple | list) else (wanted, wanted)
    want = [h if w is None else int(w) for h, w in zip(have, pair, strict=True)]
    if any(h % w for h, w in zip(have, want, strict=True)):
        where = describe(e.graph, node)
        raise UsageError.of(f"{where}: output size", want, f"divisors of {list(have)}", "Use even windows.")
    size = (have[0] // want[0], have[1] // want[1])
    return _averaged(e, node, (size, size, (0, 0)))


def _axes(e: Emitter, node: fx.Node, x: Value) -> list[int]:
    """Axes without the batch that a reduction runs over."""
    dims = _options(e, node, ("dim", "keepdim")).get("dim")
    rank = len(e.shape(x)) + 1
    axes = [d % rank for d in ([dims] if isinstance(dims, int) else dims or range(rank))]
    if 0 in axes:
        raise UsageError.of(f"{describe(e.graph, node)}: axes", dims, "axes without the batch", "Name the axes.")
    return sorted(a - 1 for a in axes)


def _sum(e: Emitter, node: fx.Node) -> Value:
    """Sum or mean along axes; the last one rescales."""
    x, step = e.operand(node.args[0], node), e.out(node)[0]
    axes = _axes(e, node, x)
    count = int(np.prod([e.shape(x)[a] for a in axes])) if e.steps[node.name].kind == "mean" else 1
    value = x
    for axis in axes[:-1]:
        value = e.net.add(Reduce((value.number,), "sum", axis, Requant(np.array([1]), 0, *WIDE)), x.step)
    largest = e.net.top(x) * int(np.prod([e.shape(x)[a] for a in axes]))
    requant = e.requant(np.array([x.step / count / step]), max(largest, e.net.top(value) * e.shape(x)[axes[-1]]), node)
    value = e.net.add(Reduce((value.number,), "sum", axes[-1], requant), step)
    return _shaped(e, node, value)


def _amax(e: Emitter, node: fx.Node) -> Value:
    value = e.operand(node.args[0], node)
    for axis in _axes(e, node, value):
        value = e.net.add(Reduce((value.number,), "max", axis), value.step)
    return _shaped(e, node, value)


def _shaped(e: Emitter, node: fx.Node, value: Value) -> Value:
    shape = e.steps[node.name].shape
    return value if shape == e.shape(value) else e.net.add(Reshape((value.number,), shape), value.step)


_EMIT.update(maxpool=_maxpool, avgpool=_avgpool, adaptive=_adaptive, mean=_sum, sum=_sum, amax=_amax)
