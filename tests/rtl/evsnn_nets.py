"""Cores that reach every branch of the generator, and random nets of their shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hwsim.evsnn.learning import learn
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds
from hwsim.ir.rng import Generator, Lfsr, Xorshift
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet
from rtl.evsnn.cores import build
from rtl.evsnn.cosim import stream
from rtl.evsnn.plan import Plan
from rtl.evsnn.window_plan import WindowPlan


@dataclass(frozen=True)
class Shape:
    """What a core is built for; `error_bits` 0: it does not learn."""

    widths: tuple[int, ...]
    steps: int
    lanes: int
    fractions: tuple[int, ...]
    lr_shift: tuple[int, ...] = ()
    error_bits: int = 0
    skip_below: int = 1
    generator: Generator = Lfsr(32, form="galois")  # noqa: RUF009 - frozen
    bias: bool = False

    def net(self, rng: np.random.Generator, spread: float = 1.0) -> SpikingNet:
        """Random weights: normal, a spread of 1 saturates one in twenty."""
        layers = []
        for at, (n_in, n_out) in enumerate(pairwise(self.widths)):
            drawn = rng.normal(0, spread * 2**14, (n_in, n_out))
            shadow = np.clip(drawn, -(2**15), 2**15 - 1).astype(np.int16)
            stored = shadow if self.error_bits else None
            synapse = Dense((shadow >> 8).astype(np.int16), 8, self.fractions[at], 0, stored)
            last = at == len(self.widths) - 2
            bias = 100 * np.arange(n_out if last and self.bias else 0, dtype=np.int32) - 250  # built in, so constant
            layers.append(Layer(synapse, Population("readout" if last else "window", n_out, bias=bias)))
        rule = None
        if self.error_bits:
            seeds = lane_seeds(self.lanes, int(rng.integers(99)), self.generator.width)
            rule = Plasticity("std", self.lr_shift, 5, self.generator, seeds, self.skip_below, self.error_bits)
        return SpikingNet(self.widths[0], self.steps, tuple(layers), True, rule, n_classes=self.widths[-1])

    def plan(self, log_depth: int = 0) -> Plan:
        """The core's plan; `log_depth` 0: room for every spike."""
        net = self.net(np.random.default_rng(0))
        arch = EvsnnArch.fitting(net, lanes=self.lanes)
        return WindowPlan(net, replace(arch, log_depth=log_depth) if log_depth else arch)

    def events(self, rng: np.random.Generator, batch: int, rate: float = 0.6) -> Events:
        """Each input fires with chance `rate` at a random tick."""
        times = rng.integers(0, self.steps, (batch, self.widths[0]))
        return Events.from_times(np.where(rng.random(times.shape) < rate, times, -1))


SHAPES = {
    "6-11-3": Shape((6, 11, 3), 8, 4, (7, 7), (9, 5), 18),
    # errors of every layer saturate at ±127, small ones are skipped; f above and below 8
    "9-7-8-4": Shape((9, 7, 8, 4), 16, 2, (4, 9, 12), (9, 14, 5), 8, 4, Xorshift(32)),
    "readout": Shape((5, 3), 4, 1, (7,), (3,), 12, generator=Lfsr(16)),
    "one tick": Shape((9, 6, 2), 1, 8, (5, 5), (2, 1), 18),
    "answers": Shape((7, 5, 6), 8, 4, (5, 3), bias=True),
}


def core_of(name: str, log_depth: int = 0):
    """The component of a shape."""
    plan = SHAPES[name].plan(log_depth)
    return build(plan.net, plan.arch)


def agree_forward(got, want) -> None:
    """Results, counters and cycles of a batch that was answered."""
    assert np.array_equal(got.outputs, want.outputs)
    assert np.array_equal(got.forward_cycles, want.sample_cycles)
    assert not got.learn_cycles.any()
    assert {name: got.counters[name] for name in want.counters} == dict(want.counters)
    assert not got.overflow


def agree_learning(got, after, want, timed: bool = True) -> None:
    """Results, weights, random states, counters and cycles of a batch that was learned from."""
    assert np.array_equal(got.outputs, want.outputs)
    for shadow, layer in zip(got.shadows, after.layers, strict=True):
        assert np.array_equal(shadow, layer.synapse.shadow)
    assert np.array_equal(got.states, after.plasticity.seeds)
    assert {name: got.counters[name] for name in want.counters} == dict(want.counters)
    if timed:
        assert np.array_equal(got.forward_cycles, want.sample_cycles - want.learn_cycles)
        assert np.array_equal(got.learn_cycles, want.learn_cycles)


def agree_naive(got, want) -> None:
    """Lessons in RTL against `hwsim.testing.naive_evsnn.run_core`."""
    assert got.outputs.tolist() == want.outputs
    assert [shadow.tolist() for shadow in got.shadows] == want.shadows
    assert got.states.tolist() == want.states
    assert list(zip(got.forward_cycles.tolist(), got.learn_cycles.tolist(), strict=True)) == want.cycles
    assert got.counters["weight_wr"] == want.pairs


def agree_with_pauses(dut, shape, rates: tuple[float, float]) -> None:
    """Pauses of both neighbours cost time and nothing else."""
    rng = np.random.default_rng(5)
    net, plan, events, labels = shape.net(rng), shape.plan(), shape.events(rng, 9), rng.integers(0, 3, 9)
    got = stream(dut, plan, net, events, labels, rates=rates, seed=1)
    agree_learning(got, *learn(net, events, labels, plan.arch), timed=False)


def agree_in_parts(dut, shape) -> None:
    """Learning in two parts is learning at once."""
    rng = np.random.default_rng(6)
    net, plan, events, labels = shape.net(rng), shape.plan(), shape.events(rng, 8), rng.integers(0, 3, 8)
    at_once = stream(dut, plan, net, events, labels)
    first = stream(dut, plan, net, events.samples(0, 3), labels[:3])
    between = net.with_weights(list(first.shadows), first.states)
    second = stream(dut, plan, between, events.samples(3, 8), labels[3:])
    assert all(np.array_equal(a, b) for a, b in zip(at_once.shadows, second.shadows, strict=True))
    assert at_once.states.tolist() == second.states.tolist()
