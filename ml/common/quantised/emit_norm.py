"""The hand-over of softmax and of the norms that no layer takes in."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx, nn

from hwsim.ir.errors import UsageError
from hwsim.ir.mac_build import WIDE, Value, fixed_point
from hwsim.ir.mac_ops import Requant
from hwsim.ir.mac_vector import Add, Divide, Mul, Reduce, Rescale, Table
from ml.common.quantised.emit import _EMIT, Emitter
from ml.common.quantised.graph import affine
from ml.common.quantised.kinds import describe

EXP_BITS = 15  # e^0 of a softmax is 2^15
FINE_BITS = 8  # what an offset adds to is kept so much finer than the result
CENTRED_BITS, TABLE_BITS = 17, 16  # of a layer norm: deviations from the mean; variances that address the table
FLOOR = 64  # smallest variance code with a root of its own


def _softmax(e: Emitter, node: fx.Node) -> Value:
    """Subtract the maximum, e^x from a table, divide by the sum."""
    x, (step, lo, hi) = e.operand(node.args[0], node), e.out(node)
    dim: Any = getattr(e.module(node), "dim", None) if node.op == "call_module" else None
    dim = dim if dim is not None else node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else -1)
    axis = dim - 1 if dim > 0 else dim
    top = e.net.add(Reduce((x.number,), "max", axis), x.step)
    span = e.net.bounds[x.number][1] - e.net.bounds[x.number][0]
    below = e.net.add(Add((x.number, top.number), (1, -1), 0, -span, 0), x.step)
    table = np.rint(np.exp(np.arange(-span, 1) * x.step) * 2**EXP_BITS).astype(np.int64)
    power = e.net.add(Table((below.number,), table, -span), 2.0**-EXP_BITS)
    terms = e.shape(x)[axis]
    one = Requant(np.array([1]), 0, 1, terms << EXP_BITS)
    total = e.net.add(Reduce((power.number,), "sum", axis, one), power.step)
    return e.net.add(Divide((power.number, total.number), round(-np.log2(step)), lo, hi), step)


def _batchnorm(e: Emitter, node: fx.Node) -> Value:
    """A batch norm that no layer takes in: factor and offset a channel."""
    norm, x = e.module(node), e.operand(node.args[0], node)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    gain, offset = (t.double().cpu().numpy() for t in affine(norm))
    fine = e.out(node)[0] / 2**FINE_BITS
    mult, shift = fixed_point(gain * x.step / fine, e.net.top(x))
    scaled = e.net.add(Rescale((x.number,), Requant(mult, shift, *WIDE), 0), fine)
    return _offset(e, node, scaled, offset.reshape(-1, *[1] * (len(e.shape(x)) - 1)))


def _layernorm(e: Emitter, node: fx.Node) -> Value:
    """Deviations c from the mean, their squares' sum, 1/√ from a table, product with a gain a channel, offset.

    The variance has 16 bits over its largest possible value; below 64 of its codes the root stays constant.
    """
    norm, x = e.module(node), e.operand(node.args[0], node)
    n = e.shape(x)[-1]
    if not isinstance(norm, nn.LayerNorm) or tuple(norm.normalized_shape) != (n,):
        got = getattr(norm, "normalized_shape", "")
        raise UsageError.of(f"{describe(e.graph, node)}: normalized_shape", got, f"({n},)", "Norm the last axis.")
    centred = _centred(e, x, n)
    square = e.net.add(
        Mul((centred.number, centred.number), Requant(np.array([1]), 0, *WIDE)), centred.step * centred.step
    )
    widest = n * (e.net.top(centred) // 2 + 1) ** 2  # values in a range vary most at its two ends (Popoviciu)
    plain = Requant(np.array([1]), 0, 0, widest)
    total = e.net.add(Reduce((square.number,), "sum", -1, plain), square.step / n)
    top = (1 << TABLE_BITS) - 1
    variance = e.net.rescaled(total, total.step * max(e.net.top(total) / top, 1.0), 0, top)
    root = 1 / np.sqrt(np.maximum(np.arange(top + 1), FLOOR) * variance.step + norm.eps)
    step_r = root[0] / (1 << 15)
    inverse = e.net.add(Table((variance.number,), np.rint(root / step_r).astype(np.int64), 0), step_r)
    gain = np.ones(n) if norm.weight is None else norm.weight.detach().double().cpu().numpy()
    offset = np.zeros(n) if norm.bias is None else norm.bias.detach().double().cpu().numpy()
    fine = e.out(node)[0] / 2**FINE_BITS
    mult, shift = fixed_point(gain * centred.step * step_r / fine, e.net.top(centred) << 15)
    scaled = e.net.add(Mul((centred.number, inverse.number), Requant(mult, shift, *WIDE)), fine)
    return _offset(e, node, scaled, offset)


def _centred(e: Emitter, x: Value, n: int) -> Value:
    """x − mean over the last axis, with as many fraction bits as 17 leave."""
    one = Requant(np.array([1]), 0, *WIDE)
    total = e.net.add(Reduce((x.number,), "sum", -1, one), x.step / n)
    low, high = e.net.bounds[x.number]
    bits = CENTRED_BITS - max(high - low, 1).bit_length()
    mult, shift = fixed_point(np.array([n, -1]) * 2.0**bits / n, 2 * n * e.net.top(x))
    top = (high - low) << bits if bits >= 0 else (high - low) >> -bits
    op = Add((x.number, total.number), (int(mult[0]), int(mult[1])), shift, -top, top)
    return e.net.add(op, x.step / 2.0**bits)


def _offset(e: Emitter, node: fx.Node, scaled: Value, offset: np.ndarray) -> Value:
    """Add a constant and round to the node's scale."""
    step, lo, hi = e.out(node)
    constant = e.net.constant(np.rint(offset / scaled.step), scaled.step)
    return e.net.add(Add((scaled.number, constant.number), (1, 1), FINE_BITS, lo, hi), step)


_EMIT.update(softmax=_softmax, batchnorm=_batchnorm, layernorm=_layernorm)
