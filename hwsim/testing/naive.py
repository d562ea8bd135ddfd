"""Naive twins: the same circuits in plain Python integers, one sample and one cycle at a time.

Nothing here is fast, vectorised or shared with the code it checks. They are written from the formats' pages
(``docs/ir``) and from `hwsim.ir.arch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.gates import GateNetlist
from hwsim.ir.ising import Ising
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer
from hwsim.ir.mimo_ising import MimoIsing

Codes = list[int]


def lut_layer(layer: LutLayer, codes: Sequence[int]) -> Codes:
    """One sample through one LUT layer: the first connection is the most significant part of the address."""
    out = []
    for k in range(layer.n_out):
        address = 0
        for j in range(layer.fan_in):
            address = address * 2**layer.bits_in + int(codes[int(layer.connections[k, j])])
        out.append(int(layer.table[k, address]))
    return out


def sum_layer(layer: SumLayer, codes: Sequence[int]) -> Codes:
    """One sample through one layer of saturating adders over offset-binary codes."""
    out = []
    for k in range(layer.n_out):
        total = int(layer.bias[k])
        for term in range(int(layer.offsets[k]), int(layer.offsets[k + 1])):
            total += int(codes[int(layer.sources[term])]) - 2 ** (layer.bits_in - 1)
        out.append(max(int(layer.lo), min(int(layer.hi), total)) - int(layer.lo))
    return out


def one_layer(layer: LutLayer | SumLayer, codes: Sequence[int]) -> Codes:
    """One sample through a layer of either sort."""
    return lut_layer(layer, codes) if isinstance(layer, LutLayer) else sum_layer(layer, codes)


def lut_network(network: LutNetwork, codes: Sequence[int]) -> Codes:
    """Output codes of one sample.

    Example:
        >>> import numpy as np
        >>> from hwsim.ir.lut import LutLayer, LutNetwork
        >>> and_gate = LutLayer(np.array([[0, 1]], np.int32), np.array([[0, 0, 0, 1]], np.uint8), 1, 1)
        >>> lut_network(LutNetwork(2, 1, (and_gate,)), [1, 1])
        [1]
    """
    signal = [int(code) for code in codes]
    for layer in network.layers:
        signal = one_layer(layer, signal)
    return signal


def argmax(codes: Sequence[int]) -> int:
    """Index of the largest code, the lowest index on ties."""
    best = 0
    for i, code in enumerate(codes):
        if code > codes[best]:
            best = i
    return best


def gate_netlist(netlist: GateNetlist, bits: Sequence[int]) -> list[int]:
    """Output bits of one input vector: nodes in order, the first fan-in is bit 0 of the table address."""
    signal = [int(bit) for bit in bits]
    for i in range(netlist.n_nodes):
        address = 0
        edges = range(int(netlist.offsets[i]), int(netlist.offsets[i + 1]))
        for place, edge in enumerate(edges):
            address += signal[int(netlist.fan_in[edge])] * 2**place
        signal.append(int(netlist.tables[i]) // 2**address % 2)
    constants = {-1: 0, -2: 1}
    return [constants[int(o)] if o < 0 else signal[int(o)] for o in netlist.outputs]


@dataclass
class PlainPipeline:
    """Registers of a plain-port pipeline; `step` is one clock cycle.

    Attributes:
        network, arch: the circuit.
        registers: content of each register, in order; all zeros after reset.
    """

    network: LutNetwork
    arch: NeuralutArch
    registers: list[Codes] = field(init=False)

    def __post_init__(self) -> None:
        self.registers = [[0] * self.network.widths[b] for b in self.cuts]

    @property
    def cuts(self) -> tuple[int, ...]:
        return self.arch.boundaries(len(self.network.layers))

    def step(self, codes: Sequence[int]) -> Codes:
        """Output codes visible in this cycle; the clock edge comes after."""
        cuts = self.cuts
        signal = list(codes)
        following: list[Codes] = []
        for b in range(len(self.network.layers) + 1):
            if b in cuts:
                following.append(signal)
                signal = self.registers[cuts.index(b)]
            if b < len(self.network.layers):
                signal = one_layer(self.network.layers[b], signal)
        self.registers = following
        return signal


@dataclass
class StreamPipeline:
    """The stream pipeline as a state machine: valid bits, payloads and one enable for all registers."""

    network: LutNetwork
    arch: NeuralutArch
    valid: list[bool] = field(init=False)
    datapath: PlainPipeline = field(init=False)

    def __post_init__(self) -> None:
        self.datapath = PlainPipeline(self.network, self.arch)
        self.valid = [False] * len(self.datapath.cuts)

    def step(self, in_valid: bool, codes: Sequence[int], out_ready: bool) -> tuple[bool, bool, Codes]:
        """One clock cycle: (input fired, output valid, output codes as seen before the edge)."""
        out_valid = self.valid[-1]
        advance = bool(out_ready) or not out_valid
        in_fire = bool(in_valid) and advance
        held = self.datapath.registers
        out = self.datapath.step(codes)
        if advance:
            self.valid = [in_fire, *self.valid[:-1]]
        else:
            self.datapath.registers = held
        return in_fire, out_valid, out


def ising_energy(problem: Ising, spins: Sequence[int]) -> int:
    """Energy of one state.

    Example:
        >>> import numpy as np
        >>> pair = Ising(np.array([1, 0]), np.array([[0, 1]], np.int32), np.array([-2]))
        >>> ising_energy(pair, [1, -1])
        3
    """
    energy = sum(int(h) * int(s) for h, s in zip(problem.h, spins, strict=True))
    for (u, v), weight in zip(problem.edges, problem.J, strict=True):
        energy += int(weight) * int(spins[u]) * int(spins[v])
    return energy


def mimo_points(problem: MimoIsing, spins: Sequence[int]) -> list[int]:
    """Constellation points of one state: spin k·n + i weighs 2^(K−1−k)."""
    n, bits = problem.n, problem.bits_per_axis
    return [sum(2 ** (bits - 1 - k) * int(spins[k * n + i]) for k in range(bits)) for i in range(n)]


def mimo_energy(problem: MimoIsing, spins: Sequence[int]) -> int:
    """xᵀGx − 2 zᵀx of one state."""
    x, n = mimo_points(problem, spins), problem.n
    quadratic = sum(x[i] * int(problem.gram[i, j]) * x[j] for i in range(n) for j in range(n))
    return quadratic - 2 * sum(int(problem.matched[i]) * x[i] for i in range(n))
