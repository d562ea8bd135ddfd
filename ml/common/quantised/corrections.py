"""What a product unit's error does to a layer's sums on average, and how it is taken out without any hardware.

A sum of K encoded products is Σ x·w + Σ e(x, w). Over a layer's operands the second part has a mean, which goes into
the bias (control variates, arXiv 2102.09642), and a part that grows with the sum itself, since the operands of one
window rise and fall together; it goes into the scale of the channel, which is a factor there anyway:

    means      bias_n −= Σ_k E_x[e(x, w_nk)] · Δ                  by the operand distribution, in closed form
    sums       a_n, b_n = least squares of Σ x·w over Σ T(x, w)    by samples; weights · a_n keep their codes
    positions  s = least squares of Σ x·w over the counts P_k      by samples of all channels, each less its mean

Both look at the layers with exact inputs: those of the network that is to be met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, fx, nn

from hwsim.encodingnet.emulator import popcounts
from hwsim.ir.encoding import Encoding
from ml.common.encoded_ops import Unit
from ml.common.quantised.layers import ArrayLayer, QuantConv2d

Layers = Mapping[str, ArrayLayer]
_TINY = 1e-12
FIT_ROWS = 512  # windows that position weights are fitted to
RIDGE = 1e-4  # of the mean diagonal of the counts' covariance


@contextmanager
def _watched(layers: Layers, look: Callable[[str, ArrayLayer, Tensor], None]) -> Iterator[None]:
    """Exact products in all layers, and `look(name, layer, input)` before each."""
    handles = []
    for name, layer in layers.items():

        def hook(module: nn.Module, args: tuple[Tensor, ...], name: str = name) -> None:
            assert isinstance(module, ArrayLayer)
            look(name, module, args[0])

        handles.append(layer.register_forward_pre_hook(hook))
        layer.plain = True
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers.values():
            layer.plain = False


def _uncorrect(layers: Layers) -> None:
    """Corrections of another unit are taken back before new ones are made."""
    for layer in layers.values():
        layer.uncorrect()


def operand_histograms(graph: fx.GraphModule, layers: Layers, x: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Distribution of the bit patterns of x that meet weights, padding included: float64 [2^a] a layer."""
    found: dict[str, np.ndarray] = {}

    def look(name: str, layer: ArrayLayer, value: Tensor) -> None:
        index = layer.unit.x_index(layer.operands(value)).flatten()
        counts = torch.bincount(index, minlength=1 << layer.unit.encoding.x_bits)
        found[name] = counts.double().cpu().numpy() / len(index)

    with _watched(layers, look):
        graph(*x)
    return found


def correct_means(graph: fx.GraphModule, layers: Layers, x: Sequence[Tensor]) -> None:
    """Subtract the mean error of every channel's sums from its bias."""
    _uncorrect(layers)
    for name, p in operand_histograms(graph, layers, x).items():
        layer = layers[name]
        e = layer.encoding()
        mean = torch.from_numpy(p @ (e.table * e.step - e.target)).to(layer.weight)
        codes, steps = layer.weight_codes()
        error = mean[layer.unit.w_index(codes)].flatten(1).sum(1)
        layer.correct(torch.ones_like(layer.bias), -error * steps.flatten() * layer.source.step)


def correct_sums(graph: fx.GraphModule, layers: Layers, x: Sequence[Tensor]) -> None:
    """Fit gain (where every channel has a scale) and offset of every channel's encoded sums to the exact ones."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def look(name: str, layer: ArrayLayer, value: Tensor) -> None:
        codes, w = layer.source.codes(value), layer.weight_codes()[0]
        exact = layer.sums(codes, w)
        layer.plain = False
        encoded = layer.sums(codes, w)
        layer.plain = True
        found[name] = _fitted(encoded, exact, layer)

    _uncorrect(layers)
    with _watched(layers, look):
        graph(*x)
    for name, (gain, offset) in found.items():
        layer = layers[name]
        layer.correct(gain, offset * layer.weight_codes()[1].flatten() * layer.source.step)


def fit_positions(graph: fx.GraphModule, layers: Layers, x: Sequence[Tensor], fraction: int) -> None:
    """Give every layer a unit whose position weights suit it: first for single products, then for whole sums.

    Products under the layer's operand distributions leave errors that add up in a sum; a second fit takes exact sums
    over the counts of every wide bit, held near the first one where the samples say little.
    """
    from hwsim.encodingnet.fit import refitted

    _uncorrect(layers)
    histograms: dict[str, np.ndarray] = operand_histograms(graph, layers, x)
    rows: dict[str, Tensor] = {}

    def look(name: str, layer: ArrayLayer, value: Tensor) -> None:
        rows[name] = layer.rows(value, FIT_ROWS)

    with _watched(layers, look):
        graph(*x)
    for name, layer in layers.items():
        e = layer.unit.encoding
        codes, steps = layer.weight_codes()
        p_w = torch.bincount(layer.unit.w_index(codes).flatten(), minlength=1 << e.w_bits).double().cpu().numpy()
        e = refitted(e, histograms[name], p_w / p_w.sum(), fraction)
        w = codes.detach().to(torch.int64).flatten(1).cpu().numpy()
        if rows[name].shape[1] == w.shape[1]:  # grouped convolutions keep the first fit
            e = _for_sums(e, rows[name].cpu().numpy(), w, steps.flatten().double().cpu().numpy())
        layer.unit = Unit(e)


def _for_sums(e: Encoding, x: np.ndarray, w: np.ndarray, steps: np.ndarray) -> Encoding:
    """Position weights by least squares of sums [t, n] over counts [t, n, M], channels weighted by their Δ."""
    counts = popcounts(x, w, e).astype(np.float64)
    target = (x @ w.T).astype(np.float64)
    a = ((counts - counts.mean(0)) * steps[:, None]).reshape(-1, e.n_bits)
    y = ((target - target.mean(0)) * steps).ravel()
    start = e.position_weights * e.step
    gram = a.T @ a
    held = RIDGE * np.trace(gram) / e.n_bits * np.eye(e.n_bits)
    s = start + np.linalg.solve(gram + held, a.T @ (y - a @ start))
    return e.with_weights(np.rint(s / e.step).astype(np.int64), e.bias, e.fraction)


def _fitted(encoded: Tensor, exact: Tensor, layer: ArrayLayer) -> tuple[Tensor, Tensor]:
    """(gain, offset) [n] of exact ≈ gain · encoded + offset, channel by channel."""
    axis = 1 if isinstance(layer, QuantConv2d) else -1
    rows = [v.movedim(axis, 0).flatten(1).double() for v in (encoded, exact)]
    means = [v.mean(1) for v in rows]
    a, b = (v - m[:, None] for v, m in zip(rows, means, strict=True))
    gain = torch.ones_like(means[0])
    if layer.per_channel:
        variance = (a * a).mean(1)
        ratio = (a * b).mean(1) / variance.clamp(min=_TINY)
        gain = torch.where((variance > _TINY) & (ratio > 0.5) & (ratio < 2), ratio, gain)
    return gain.to(layer.weight), (means[1] - gain * means[0]).to(layer.weight)
