"""The spiking core in plain Python, phase by phase and cycle by cycle, from ``docs/evsnn-chip.md`` alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from hwsim.ir.rng import Generator
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.testing.naive_spiking import Event, decayed


@dataclass
class CoreRun:
    """What the core did with a list of samples.

    Attributes:
        outputs: z of each sample.   cycles: (forward, learning) of each sample.   shadows: weights afterwards.
        states: random state of each lane.   pairs: weights written.
    """

    outputs: list[list[int]] = field(default_factory=list)
    cycles: list[tuple[int, int]] = field(default_factory=list)
    shadows: list[list[list[int]]] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    pairs: int = 0


def halves_up(x: int, s: int) -> int:
    """x / 2^s rounded, halves up; s < 0 multiplies."""
    return (x + (1 << (s - 1))) >> s if s > 0 else x << -s


class Core:
    """One core holding a dense net that learns; `sample` runs one sample."""

    def __init__(self, net: SpikingNet) -> None:
        assert net.plasticity is not None
        self.net, self.p, self.T = net, net.plasticity, net.steps
        self.W = len(self.p.seeds)
        self.shadows = [
            [[int(w) for w in row] for row in layer.synapse.to_tensors()[0]["shadow"]] for layer in net.layers
        ]
        self.states = [int(s) for s in self.p.seeds]
        self.pairs = 0

    def words(self, n: int) -> int:
        return -(-n // self.W)

    def draw(self, lane: int, bits: int) -> int:
        """The low bits of the lane's state after one step."""
        generator: Generator = self.p.generator
        self.states[lane] = int(generator.step(self.states[lane]))
        return self.states[lane] & ((1 << bits) - 1)

    def sample(self, events: list[Event], label: int) -> tuple[list[int], int, int]:
        """(z, forward cycles, learning cycles) of one sample; the weights change."""
        cycles, logs = len(events) + 1, [events]
        self.S: list[list[int]] = []
        self.slopes: list[list[int]] = [[]]
        last = len(self.net.layers) - 1
        for at, layer in enumerate(self.net.layers):
            words = self.words(layer.population.n)
            cycles += 1 + words + len(logs[at]) * words  # set-up, CLEAR, INTEGRATE
            if at == last:
                cycles += 2
                z = self.readout(at, layer, logs[at])
            elif self.net.window:
                spikes, ticks = self.window(at, layer, logs[at])
                cycles += 2 + self.visits(spikes, ticks, words) + 1
                logs.append(spikes)
            else:
                spikes = self.clocked(at, layer, logs[at])
                cycles += 3 * self.T + self.visits(spikes, self.T, words)
                logs.append(spikes)
        return z, cycles + len(z), self.learn(z, label, logs)

    def visits(self, spikes: list[Event], ticks: int, words: int) -> int:
        """FIRE: a word takes a cycle, or as many as it has fired lanes."""
        fired = Counter((t, j // self.W) for j, t, _ in spikes)
        return sum(max(1, fired[t, g]) for t in range(ticks) for g in range(words))

    def readout(self, at: int, layer: Layer, log: list[Event]) -> list[int]:
        z = [int(b) for b in layer.population.bias] or [0] * layer.population.n
        for i, t, x in log:
            for j in range(len(z)):
                z[j] += (self.shadows[at][i][j] >> 8) * (2 * self.T - t if self.net.window else x)
        return z

    def window(self, at: int, layer: Layer, log: list[Event]) -> tuple[list[Event], int]:
        f, n = layer.synapse.fraction, layer.population.n
        S = [sum(self.shadows[at][i][j] >> 8 for i, _, _ in log) for j in range(n)]
        M = [sum((self.shadows[at][i][j] >> 8) * t for i, t, _ in log) for j in range(n)]
        D = [self.T * S[j] - M[j] - (self.T << f) for j in range(n)]
        pending = {j for j in range(n) if D[j] + (self.T - 1) * (S[j] + (1 << f)) >= 0 or D[j] >= 0}
        spikes: list[Event] = []
        ticks = 0
        while True:
            for j in sorted(pending):
                if D[j] >= 0:
                    spikes.append((j, ticks, 1))
                    pending.discard(j)
            D = [d + S[j] + (1 << f) for j, d in enumerate(D)]
            ticks += 1
            if not pending:
                self.S.append(S)
                return spikes, ticks

    def clocked(self, at: int, layer: Layer, log: list[Event]) -> list[Event]:
        p, s, n = layer.population, self.p.surrogate_bits, layer.population.n
        v, spikes, slopes = [0] * n, [], []
        for t in range(self.T):
            now = [(i, x) for i, when, x in log if when == t]
            for j in range(n):
                a = sum(x * (self.shadows[at][i][j] >> 8) for i, x in now)
                v[j] = min(max(decayed(p, v[j], p.v_loss) + a + (int(p.bias[j]) if len(p.bias) else 0), p.low), p.high)
                theta = int(p.threshold[j])
                if v[j] >= theta + (p.compare == ">"):
                    spikes.append((j, t, 1))
                    slopes.append(max(0, (1 << s) - (v[j] - theta)) * 256 >> s)
                    v[j] = p.reset_value
        self.slopes.append(slopes)
        return spikes

    def learn(self, z: list[int], label: int, logs: list[list[Event]]) -> int:
        """Learning of the sample; returns its cycles."""
        p, top = self.p, max(z)
        powers = [int(p.exp[min((top - value) >> p.exp_shift, 255)]) for value in z]
        e = [(256 if k == label else 0) - power * 256 // sum(powers) for k, power in enumerate(powers)]
        cycles, at = 11 * len(z) + 2, len(logs) - 1
        active: dict[int, tuple[int, int]] = {k: (x, 0) for k, x in enumerate(e) if abs(x) >= p.skip_below}
        own: list[tuple[int, int, int]] = []
        while at >= 0:
            some = bool(active or any(x for _, _, x in own))
            if self.net.window:
                if not active:
                    return cycles
                most = max(Counter(j % self.W for j in active).values())
                err = self.replay_std(at, logs, active)
                cycles += len(logs[at]) * most + 3
                at -= 1
                if at >= 0:
                    cycles += len(logs[at + 1]) + 4
                    active = self.errors_std(at, logs[at + 1], err)
            else:
                if not some:
                    return cycles
                errors, walked = self.replay_mpd(at, logs, active, own)
                cycles += walked
                found = self.errors_mpd(at, errors) if at else []
                own = [(j, t, x) for (j, t, _), x in zip(logs[at], found, strict=True)] if at else []
                active = {}
                at -= 1
        return cycles

    def limited(self, e: int) -> int:
        top = (1 << (self.p.error_bits - 1)) - 1
        e = min(max(e, -top), top)
        return e if abs(e) >= self.p.skip_below else 0

    def replay_std(self, at: int, logs: list[list[Event]], active: dict[int, tuple[int, int]]) -> dict[int, int]:
        err: dict[int, int] = {}
        readout = at == len(logs) - 1
        for i, t, _ in reversed(logs[at]):
            err[i] = 0
            for j in sorted(active):
                e, t_j = active[j]
                err[i] += (self.shadows[at][i][j] >> 8) * e
                self.move(at, i, j, e * (2 * self.T - t if readout else self.T + t_j - t))
        return err

    def move(self, at: int, i: int, j: int, product: int) -> None:
        lr = self.p.lr_shift[at]
        new = self.shadows[at][i][j] + ((product + self.draw(j % self.W, lr)) >> lr)
        self.shadows[at][i][j] = min(max(new, -(2**15)), 2**15 - 1)
        self.pairs += 1

    def errors_std(self, at: int, spikes: list[Event], err: dict[int, int]) -> dict[int, tuple[int, int]]:
        f, active = self.net.layers[at].synapse.fraction, {}
        for j, t, _ in spikes:
            if t > 0:
                q = self.S[at][j] + (1 << f)
                m = q.bit_length() - 1
                scaled = halves_up(err[j], self.net.err_shift(at + 1)) * int(self.p.reciprocal[(q << 8 >> m) - 256])
                if e := self.limited(halves_up(scaled, 8 + m - f)):
                    active[j] = (e, t)
        return active

    def replay_mpd(
        self, at: int, logs: list[list[Event]], outputs: dict[int, tuple[int, int]], own: list[tuple[int, int, int]]
    ) -> tuple[list[int], int]:
        readout, err, cycles = at == len(logs) - 1, [0] * len(logs[at]), 0
        register = {j: e for j, (e, _) in outputs.items()}
        when: dict[int, int] = {}
        for t in range(self.T - 1, -1, -1):
            cycles += 8
            for j, t_j, e in own:
                if t_j == t:
                    register[j], when[j] = e, t
                    cycles += 1
            active = sorted(j for j, e in register.items() if e)
            most = max(Counter(j % self.W for j in active).values(), default=0)
            for k in range(len(logs[at]) - 1, -1, -1):
                i, t_i, x = logs[at][k]
                if t_i == t:
                    cycles += max(1, most)
                    for j in active:
                        trace = int(self.p.trace[0 if readout else when[j] - t])
                        err[k] += (self.shadows[at][i][j] >> 8) * register[j] * trace
                        self.move(at, i, j, register[j] * x * trace)
        return err, cycles

    def errors_mpd(self, at: int, err: list[int]) -> list[int]:
        shift = self.net.err_shift(at)
        return [
            self.limited(halves_up(halves_up(x, shift) * h, 8)) for x, h in zip(err, self.slopes[at], strict=True)
        ]  # fmt: skip


def run_core(net: SpikingNet, x: np.ndarray, labels: list[int]) -> CoreRun:
    """Learn from samples as `SpikingNet.reference` takes them."""
    core, out = Core(net), CoreRun()
    for sample, label in zip(x, labels, strict=True):
        if net.window:
            events = sorted(((i, int(t), 1) for i, t in enumerate(sample) if t >= 0), key=lambda e: (e[1], e[0]))
        else:
            events = [(int(i), int(t), int(sample[t, i])) for t, i in np.argwhere(sample)]
        z, forward, learning = core.sample(events, int(label))
        out.outputs.append(z)
        out.cycles.append((forward, learning))
    out.shadows, out.states, out.pairs = core.shadows, core.states, core.pairs
    return out
