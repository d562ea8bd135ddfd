"""Networks of leaky integrate-and-fire neurons: MPD-ED, STBP, TSSL-BP and multi-spike STD-ED by their rule.

The readout does not spike: its score is the mean over the steps of the weighted input. Adaptive thresholds:

| name | rule |
|---|---|
| ``fixed`` | θ |
| ``window`` | θ[t] = θ (2 − (t+1)/T): falls from nearly 2θ to θ, so that late spikes come easier |
| ``stat`` | θ ← (1 − ρ) θ + ρ clip(μ(V) + k σ(V), θ_min, θ_max) after every training batch |
| ``rate`` | θ ← θ (1 ± 0.05), up when more neurons fire than the target, down when fewer |

`stat` and `rate` are frozen in evaluation and carry no gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError, check_shape
from ml.common.seed import torch_generator
from ml.evsnn.levels import levelled, shortage
from ml.evsnn.potential import LifRule, lif, trace
from ml.evsnn.shape import Conv, Dense, Pool, Shape

ADAPTS = ("fixed", "window", "stat", "rate")
RHO, K_SIGMA, RATE_STEP = 0.01, 0.8, 0.05
THETA_RANGE = (0.1, 4.0)  # in units of the start threshold


@dataclass(frozen=True)
class MpdRule:
    """A whole network's rule.

    Attributes:
        lif: neurons and their errors.
        steps: T, steps a sample is shown (event frames bring their own number).
        adapt: adaptive threshold, one of `ADAPTS`; theta: start threshold; target: spikes a neuron and step (`rate`).
        synapse: τ_s ≥ 1 of an exponential synapse (TSSL-BP), 0 for none.
        gain: standard deviation of start weights times √fan-in.
        quiet: training adds quiet · Σ over layers of (mean spikes a neuron and step)² to the loss.
        wake, wanted: training adds wake · Σ over layers of `shortage` of neurons that fire in a smaller share of steps.
        levels: weights have levels (`ml.evsnn.levels`).
    """

    lif: LifRule = field(default_factory=LifRule)
    steps: int = 4
    adapt: str = "fixed"
    theta: float = 1.0
    target: float = 0.1
    synapse: float = 0.0
    gain: float = 1.5
    quiet: float = 0.0
    wake: float = 1.0
    wanted: float = 0.02
    levels: bool = True

    def __post_init__(self) -> None:
        if self.adapt not in ADAPTS:
            raise UsageError.of("adaptive threshold", repr(self.adapt), f"one of {ADAPTS}", "Change the rule.")
        if self.steps < 1 or self.theta <= 0 or not 0 < self.target < 1 or (self.synapse and self.synapse < 1):
            raise UsageError.of("rule", self, "steps ≥ 1, theta > 0, target in (0, 1), synapse 0 or ≥ 1", "Change it.")


@dataclass
class Record:
    """What one layer did: its input and output spikes, potentials and m·h, all [steps, batch, ...].

    `source` is the tensor that the weights multiplied: analogue values [batch, ...] for a first layer with direct
    input, else spikes (traces of spikes with a synapse).
    """

    source: Tensor
    spikes: Tensor
    potential: Tensor
    factor: Tensor


class MpdNet(nn.Module):
    """A network of `shape` under `rule`; weights drawn from `seed`.

    `forward(x)`: direct input float [batch, n] or [batch, c, h, w], shown at every step, or event frames
    [batch, steps, c, h, w] → scores [batch, classes].
    """

    theta: Tensor

    def __init__(self, shape: Shape, rule: MpdRule, seed: int) -> None:
        super().__init__()
        self.shape, self.rule = shape, rule
        sized = [layer for layer in shape.layers if not isinstance(layer, Pool)]
        self.weights = nn.ParameterList([nn.Parameter(self._start(i, layer, seed)) for i, layer in enumerate(sized)])
        self.levels = nn.ParameterList(nn.Parameter(torch.zeros(len(w))) for w in self.weights if rule.levels)
        self.register_buffer("theta", torch.full((len(sized) - 1,), rule.theta))
        self.penalty: Tensor = torch.zeros(())

    def _start(self, i: int, layer: Dense | Conv, seed: int) -> Tensor:
        draw = torch.randn(layer.weight_size, generator=torch_generator(seed, "mpd", i))
        return draw * (self.rule.gain / layer.fan_in**0.5)

    def weight(self, i: int) -> Tensor:
        """Weights of the i-th layer that has some, as the forward pass uses them."""
        return levelled(self.weights[i], self.levels[i]) if self.rule.levels else self.weights[i]

    def thresholds(self, i: int, steps: int) -> Tensor:
        """θ [steps] of the i-th spiking layer."""
        if self.rule.adapt == "window":
            return self.theta[i] * (2 - torch.arange(1, steps + 1, device=self.theta.device) / steps)
        return self.theta[i].expand(steps)

    @torch.no_grad()
    def _adapt(self, i: int, record: Record) -> None:
        theta, rule = self.theta[i], self.rule
        low, high = (bound * rule.theta for bound in THETA_RANGE)
        if rule.adapt == "stat":
            wanted = (record.potential.mean() + K_SIGMA * record.potential.std()).clamp(low, high)
            theta.lerp_(wanted.to(theta.dtype), RHO)
        elif rule.adapt == "rate":
            theta.mul_(1 + math.copysign(RATE_STEP, float(record.spikes.mean()) - rule.target)).clamp_(low, high)

    def _drive(self, layer: Dense | Conv, weight: Tensor, x: Tensor) -> Tensor:
        """Weighted input of x [n, ...]."""
        if isinstance(layer, Conv):
            return functional.conv2d(x, weight, padding=layer.padding)
        return functional.linear(x.flatten(1), weight)

    def _first(self, x: Tensor) -> tuple[Tensor, int, bool]:
        """Input as the first layer takes it, number of steps, and whether it is direct."""
        dims = self.shape.inputs
        if x.dim() == len(dims) + 2 or (len(dims) == 1 and x.dim() == 5):
            flatter = x.transpose(0, 1).reshape(x.shape[1], x.shape[0], *dims)
            return flatter, x.shape[1], False
        check_shape("x", (len(x), x[0].numel()), "[batch, inputs]", (None, math.prod(dims)))
        return x.reshape(len(x), *dims), self.rule.steps, True

    def records(self, x: Tensor) -> tuple[Tensor, list[Record]]:
        """Scores and what every spiking layer did."""
        source, steps, direct = self._first(x)
        batch = source.shape[0] if direct else source.shape[1]
        out: list[Record] = []
        self.penalty = x.new_zeros(())
        number = 0
        for layer in self.shape.layers[:-1]:
            if isinstance(layer, Pool):
                source = functional.max_pool2d(source if direct else source.flatten(0, 1), layer.size)
                source = source if direct else source.unflatten(0, (steps, batch))
                continue
            rows = source if direct else source.flatten(0, 1)
            drive = self._drive(layer, self.weight(number), rows)
            drive = drive.expand(steps, *drive.shape) if direct else drive.unflatten(0, (steps, batch))
            theta = self.thresholds(number, steps)
            spikes, potential, factor = lif(drive.contiguous(), theta, self.rule.lif)
            out.append(Record(source, spikes, potential, factor))
            if self.training and self.rule.wake:
                short = (theta.min() - drive.mean(0)).clamp(min=0)
                over = (0, *range(2, short.dim()))
                rate = spikes.detach().mean(0).mean(over)
                self.penalty = self.penalty + self.rule.wake * shortage(rate, short.mean(over), self.rule.wanted)
            source, direct, number = spikes, False, number + 1
            if self.rule.synapse:
                source = trace(spikes, 1 / self.rule.synapse)
        mean = source.flatten(2).mean(0) if not direct else source.flatten(1)
        return functional.linear(mean, self.weight(number)), out

    def loss(self, scores: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of the last forward pass, plus the penalty on spikes."""
        return functional.cross_entropy(scores, labels, label_smoothing=smoothing) + self.penalty

    def forward(self, x: Tensor) -> Tensor:
        scores, records = self.records(x)
        if self.training:
            for i, record in enumerate(records):
                self._adapt(i, record)
                if self.rule.quiet:
                    self.penalty = self.penalty + self.rule.quiet * record.spikes.mean().square()
        return scores
