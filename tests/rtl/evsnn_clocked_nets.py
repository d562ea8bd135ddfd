"""Cores for clocked nets that reach every branch of the generator, and random nets of their shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.rng import Generator, Lfsr, Xorshift
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet, threshold
from rtl.evsnn.clocked_plan import ClockedPlan
from rtl.evsnn.cores import build


@dataclass(frozen=True)
class Shape:
    """What a core is built for: thresholds, leaks and biases are its own; `error_bits` 0: it does not learn."""

    widths: tuple[int, ...]
    steps: int
    lanes: int
    neurons: tuple[Population, ...]
    readout_bias: bool = False
    lr_shift: tuple[int, ...] = ()
    error_bits: int = 0
    skip_below: int = 1
    surrogate_bits: int = 7
    generator: Generator = Lfsr(32, form="galois")  # noqa: RUF009 - frozen

    def net(self, rng: np.random.Generator, spread: float = 1.0) -> SpikingNet:
        """Random weights: normal, a spread of 1 saturates one in twenty."""
        layers = []
        for at, (n_in, n_out) in enumerate(pairwise(self.widths)):
            drawn = rng.normal(0.2, spread, (n_in, n_out)) * 2**14
            shadow = np.clip(drawn, -(2**15), 2**15 - 1).astype(np.int16)
            synapse = Dense((shadow >> 8).astype(np.int16), 8, 5 + at, 0, shadow if self.error_bits else None)
            bias = 100 * np.arange(n_out if self.readout_bias else 0, dtype=np.int32) - 250
            last = Population("readout", n_out, bias=bias)
            layers.append(Layer(synapse, self.neurons[at] if at < len(self.neurons) else last))
        rule = None
        if self.error_bits:
            rule = Plasticity(
                "mpd", self.lr_shift, 5, self.generator,
                lane_seeds(self.lanes, int(rng.integers(99)), self.generator.width), self.skip_below, self.error_bits,
                self.surrogate_bits, trace=trace_table(0.8, self.steps),
            )  # fmt: skip
        return SpikingNet(self.widths[0], self.steps, tuple(layers), False, rule, n_classes=self.widths[-1])

    def plan(self, log_depth: int = 0) -> ClockedPlan:
        """The core's plan; `log_depth` 0: room for every spike."""
        net = self.net(np.random.default_rng(0))
        arch = EvsnnArch.fitting(net, lanes=self.lanes)
        return ClockedPlan(net, replace(arch, log_depth=log_depth) if log_depth else arch)

    def events(self, rng: np.random.Generator, batch: int, rate: float = 0.5, graded: bool = False) -> Events:
        """Each input fires in each step with chance `rate`."""
        spikes = rng.random((batch, self.steps, self.widths[0])) < rate
        return Events.from_raster(spikes * (rng.integers(-99, 100, spikes.shape) if graded else 1))


def thresholds(n: int) -> np.ndarray:
    """One a neuron."""
    return (40 + 37 * np.arange(n) % 90).astype(np.int32)


SHAPES = {
    "6-11-3": Shape(
        (6, 11, 3), 5, 4, (Population("lif", 11, thresholds(11), v_loss=700, leak="floor", state_bits=16),),
        lr_shift=(12, 6), error_bits=18,
    ),
    # v and the errors of every layer saturate, small errors are skipped
    "7-6-9-4": Shape(
        (7, 6, 9, 4), 6, 2, (
            Population("lif", 6, threshold(90, 6), ">", v_loss=3, decay_bits=3, state_bits=8),
            Population("if", 9, thresholds(9), bias=np.arange(-4, 5, dtype=np.int32), state_bits=10),
        ), lr_shift=(10, 14, 5), error_bits=8, skip_below=4, surrogate_bits=6, generator=Xorshift(32),
    ),
    "readout": Shape((5, 3), 4, 1, (), lr_shift=(9,), error_bits=12, generator=Lfsr(16)),
    "one step": Shape((9, 6, 2), 1, 8, (Population("if", 6, thresholds(6)),), lr_shift=(2, 1), error_bits=18),
    "answers": Shape(
        (7, 5, 6), 7, 4, (Population("lif", 5, threshold(70, 5), v_loss=9, leak="linear", state_bits=12),), True
    ),
}  # fmt: skip


def core_of(name: str, log_depth: int = 0):
    """The component of a shape."""
    plan = SHAPES[name].plan(log_depth)
    return build(plan.net, plan.arch)
