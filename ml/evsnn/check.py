"""Gradients against finite differences in float64, over every branch of both rules.

f'(w) ≈ (8 (f(w+h) − f(w−h)) − (f(w+2h) − f(w−2h))) / 12h. A relative error is |difference| over the larger of the
two gradients, but at least 1e-3 of the layer's largest, and 1e-5 (below that, rounding of the loss decides).

STD-ED is differentiated as it is; a point whose ±2h changes the case of any neuron is drawn again (there the
function has a kink or a jump). MPD-ED has a surrogate gradient, which is the true gradient of another net, the
frozen-pattern graded one: y = s̄ + m·h (V − V̄), with s̄, V̄ and m·h of the unperturbed run. That one is differenced.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.common.seed import derive, numpy_generator, torch_generator
from ml.evsnn.event_form import event_gradients
from ml.evsnn.mpd import MpdNet, MpdRule, Record
from ml.evsnn.potential import LifRule
from ml.evsnn.shape import Conv, Pool, parse
from ml.evsnn.spike_time import Threshold
from ml.evsnn.std import StdNet, StdRule

H = 2e-5
FLOOR, SMALLEST = 1e-3, 1e-2
_STD_SHAPES = ("30-40-25-5", "1x8x8-4C3-P2-12-5", "2x6x6-5C3s-4C3-5")
_MPD_SHAPES = ("12-16-10-4", "1x6x6-3C3s-P2-9-4", "2x5x5-4C3-6-4")


@dataclass
class GradientCheck:
    """Worst error over all checks, how many there were, and how often each branch was met."""

    worst: float = 0.0
    checks: int = 0
    branches: dict[str, int] = field(default_factory=dict)

    def add(self, branch: str, count: int) -> None:
        self.branches[branch] = self.branches.get(branch, 0) + count


def _relative(numeric: float, exact: float, scale: float) -> float:
    return abs(numeric - exact) / max(abs(numeric), abs(exact), FLOOR * max(scale, SMALLEST))


def _difference(f: Callable[[float], float], h: float = H) -> float:
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def _std_net(n: int, seed: int) -> tuple[StdNet, Tensor, Tensor]:
    """The n-th random network: shapes and both thresholds in turn, 4 samples in float64."""
    shape = parse(_STD_SHAPES[n % len(_STD_SHAPES)])
    slope = (1.0, 1.0, 1.0, 0.0, 0.5)[n % 5]
    rule = StdRule(
        Threshold(slope=slope, gain_max=math.inf), mean=(0.5, 1.0, 0.0)[n % 3] + (0.5 if slope < 1 else 0.0), spread=3.0
    )
    net = StdNet(shape, rule, derive(seed, "check", n)).double().eval()
    noise = torch_generator(seed, "std-check", n)
    x = torch.rand(4, *shape.inputs, generator=noise, dtype=torch.float64)
    x = x * (torch.rand(x.shape, generator=noise) < 0.7)
    return net, x, torch.arange(4) % shape.n_classes


def _branches(net: StdNet, x: Tensor) -> list[Tensor]:
    """Case of every neuron, 0 silent, 1 at the window's start, 2 inside; and which input each pooling took."""
    out = []
    for before, after in itertools.pairwise(net.spikes(x)):
        out.append(after.fired * (1 + (after.time > 0)))
        if after.time.shape[-1] < before.time.shape[-1] and after.time.dim() == 4:
            late = torch.where(before.fired > 0, before.time, 2.0)
            size = before.time.shape[-1] // after.time.shape[-1]
            if size > 1:
                out.append(functional.max_pool2d(-late, size, return_indices=True)[1])
    return out


def std_gradient_check(nets: int = 30, points: int = 8, seed: int = 0) -> GradientCheck:
    """Autograd of `nets` random networks against differences, `points` weights a layer and as many input times."""
    result = GradientCheck()
    for n in range(nets):
        net, x, labels = _std_net(n, seed)
        x.requires_grad_(True)
        net.loss(net(x), labels).backward()
        base = _branches(net, x.detach())
        for cases in base:
            if cases.dtype == torch.float64:
                for value, name in enumerate(("silent", "window start", "crossing")):
                    result.add(name, int((cases == value).sum()))
        draw = numpy_generator(seed, "points", n)
        with torch.no_grad():
            for tensor in (*net.weights, *net.levels, x):
                _check_tensor(net, x, labels, tensor, base, points, draw, result)
    return result


def _check_tensor(
    net: StdNet,
    x: Tensor,
    labels: Tensor,
    tensor: Tensor,
    base: list[Tensor],
    points: int,
    draw: np.random.Generator,
    result: GradientCheck,
) -> None:
    """Check `points` entries of one weight tensor, or of the input (where it fired, away from its edges)."""
    flat, exact = tensor.data.view(-1), tensor.grad
    assert exact is not None
    scale, done = float(exact.abs().max()), 0
    steady = True

    def loss(index: int, h: float) -> float:
        nonlocal steady
        old = float(flat[index])
        flat[index] = old + h
        value = float(net.loss(net(x), labels))
        steady &= all(torch.equal(a, b) for a, b in zip(base, _branches(net, x), strict=True))
        flat[index] = old
        return value

    for index in draw.permutation(flat.numel()):
        if done == points:
            break
        if tensor is x and not 1e-3 < float(flat[index]) < 1 - 1e-3:
            continue
        steady = True
        numeric = _difference(lambda h, i=int(index): loss(i, h))  # type: ignore[misc]
        if steady:
            done += 1
            result.checks += 1
            result.worst = max(result.worst, _relative(numeric, float(exact.view(-1)[index]), scale))


def _mpd_net(n: int, seed: int) -> tuple[MpdNet, Tensor, Tensor]:
    """The n-th random network: shapes, masks, surrogates, thresholds, resets and inputs in turn."""
    shape = parse(_MPD_SHAPES[n % len(_MPD_SHAPES)])
    masks = ("spike", "spike", "band", "none", "tssl")
    kinds = ("triangle", "sigmoid", "boxcar", "slope", "triangle", "triangle", "sigmoid")
    lif = LifRule((0.5, 0.9, 1.0, 0.8)[n % 4], masks[n % 5], kinds[n % 7], 1.0 + (n % 2), soft=n % 6 == 5)
    adapt = ("fixed", "window", "stat", "rate")[n // 2 % 4]
    rule = MpdRule(lif, 5, adapt, synapse=2.0 if n % 8 == 7 else 0.0, gain=2.5, levels=n % 3 > 0)
    net = MpdNet(shape, rule, derive(seed, "check", n)).double()
    noise = torch_generator(seed, "mpd-check", n)
    dims = shape.inputs if n % 2 else (5, *(shape.inputs if len(shape.inputs) == 3 else (1, 1, *shape.inputs)))
    x = torch.rand(3, *dims, generator=noise, dtype=torch.float64)
    x = x if n % 2 else (x < 0.4).double()
    net.train()(x)  # lets the thresholds adapt once
    return net.eval(), x, torch.arange(3) % shape.n_classes


def _graded(net: MpdNet, x: Tensor, labels: Tensor, frozen: list[Record]) -> float:
    """Loss of the frozen-pattern graded net, written with plain operations."""
    rule, number = net.rule, 0
    source, steps, direct = net._first(x)
    maps = list(source.expand(steps, *source.shape)) if direct else list(source)
    for layer in net.shape.layers[:-1]:
        record = frozen[min(number, len(frozen) - 1)]
        if isinstance(layer, Pool):
            maps = _graded_pool(maps, layer.size, frozen[number - 1], rule)
            continue
        weight, potential, out = net.weight(number), torch.zeros(()), []
        theta = net.thresholds(number, steps)
        for t in range(steps):
            drive = (
                functional.conv2d(maps[t], weight, padding=layer.padding)
                if isinstance(layer, Conv)
                else maps[t].flatten(1) @ weight.t()
            )
            potential = rule.lif.leak * potential + drive
            out.append(record.spikes[t] + record.factor[t] * (potential - record.potential[t]))
            reset = theta[t] * record.spikes[t] if rule.lif.soft else potential * record.spikes[t]
            potential = potential - reset
        maps, number = _synapse(out, rule.synapse), number + 1
    scores = torch.stack(maps).mean(0).flatten(1) @ net.weight(number).t()
    return float(functional.cross_entropy(scores, labels))


def _synapse(maps: list[Tensor], tau: float) -> list[Tensor]:
    out, a = [], torch.zeros(())
    for y in maps:
        a = (1 - 1 / tau) * a + y / tau if tau else y
        out.append(a)
    return out


def _graded_pool(maps: list[Tensor], size: int, before: Record, rule: MpdRule) -> list[Tensor]:
    """Each block passes on the input that the frozen run chose."""
    chosen = _synapse(list(before.spikes), rule.synapse)
    out = []
    for y, s in zip(maps, chosen, strict=True):
        index = functional.max_pool2d(s, size, return_indices=True)[1]
        out.append(y.flatten(2).gather(2, index.flatten(2)).view(index.shape))
    return out


def mpd_gradient_check(nets: int = 30, points: int = 8, seed: int = 0) -> GradientCheck:
    """Autograd of `nets` random networks against differences of their graded nets, `points` weights a layer."""
    result = GradientCheck()
    for n in range(nets):
        net, x, labels = _mpd_net(n, seed)
        scores, records = net.records(x)
        functional.cross_entropy(scores, labels).backward()
        for name in (
            net.rule.lif.mask,
            net.rule.lif.surrogate,
            net.rule.adapt,
            "soft" if net.rule.lif.soft else "hard",
        ):
            result.add(name, 1)
        result.add("spikes", int(sum(float(r.spikes.detach().sum()) for r in records)))
        frozen = [Record(*(t.detach() for t in (r.source, r.spikes, r.potential, r.factor))) for r in records]
        draw = numpy_generator(seed, "points", n)
        with torch.no_grad():
            for weight in (*net.weights, *net.levels):
                assert weight.grad is not None
                flat, exact = weight.data.view(-1), weight.grad.view(-1)
                for index in draw.permutation(flat.numel())[:points]:
                    old = float(flat[index])

                    def loss(h: float, flat: Tensor = flat, i: int = int(index), old: float = old) -> float:
                        flat[i] = old + h
                        return _graded(net, x, labels, frozen)  # noqa: B023

                    numeric = _difference(loss, 1e-4)
                    flat[index] = old
                    result.checks += 1
                    worst = _relative(numeric, float(exact[index]), float(exact.abs().max()))
                    result.worst = max(result.worst, worst)
    return result


def mpd_event_check(nets: int = 30, seed: int = 0) -> GradientCheck:
    """Largest absolute difference between the event form and autograd, over random dense networks in float64."""
    result = GradientCheck()
    for n in range(nets):
        kind = ("triangle", "boxcar", "sigmoid", "slope")[n % 4]
        back = 0.6 if n % 3 == 0 else None
        rule = MpdRule(
            LifRule((0.5, 0.9, 1.0)[n % 3], "spike", kind, 1.5, back),
            6,
            ("fixed", "window")[n % 2],
            gain=2.5,
            levels=False,
        )
        net = MpdNet(parse("14-18-12-9-4"), rule, derive(seed, "event", n)).double().eval()
        noise = torch_generator(seed, "event-check", n)
        x = torch.rand(5, 14, generator=noise, dtype=torch.float64)
        x = x if n % 2 else (torch.rand(5, 6, 1, 1, 14, generator=noise) < 0.4).double()
        scores = net(x)
        scores.retain_grad()
        functional.cross_entropy(scores, torch.arange(5) % 4).backward()
        assert scores.grad is not None
        events = event_gradients(net, x, scores.grad)
        result.add("pairs", sum(events.pairs))
        for weight, own in zip(net.weights, events.weights, strict=True):
            assert weight.grad is not None
            result.worst = max(result.worst, float(np.abs(weight.grad.numpy() - own).max()))
            result.checks += weight.numel()
    return result
