"""Sizes, widths and constants of a core, read off the net and the architecture; and the beats of its streams.

The core is built for the shape of a net: neurons, fractions, ticks, rule, biases and thresholds. Weights and random
states enter through the input stream, so one core runs, and learns, any net of its shape. `rtl.evsnn.window_plan` and
`rtl.evsnn.clocked_plan` have what only one sort of net needs.

A beat of the input stream has 64 bits; a sample's events come in order and END closes it:

| kind, bits 63:62 | address, bits 61:32 | data, bits 31:0 |
|---|---|---|
| 0 EVENT | input | tick in bits 15:0; value in 31:16, signed (clocked nets; others ignore it) |
| 1 END | 1: learn from the sample, 0: answer only | label |
| 2 READ | memory address | – |
| 3 WRITE | memory address | word; to a counter: all counters and the overflow flag become 0 |

Memory addresses, bits 29:28 of the address: 0 weights, word · W + lane; 1 random states, lane; 2 `Plan.counters`.
READ and WRITE are taken between samples. An answer is `answer_layout`: a result z_k, or what READ asked for.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from amaranth import Mux, Shape, Value, signed
from amaranth.lib import data

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ArtifactError
from hwsim.ir.plasticity import Plasticity
from hwsim.ir.spiking import SpikingNet
from hwsim.ir.synapses import Dense

EVENT, END, READ, WRITE = range(4)
WEIGHTS, RANDOM, COUNTS = range(3)
COUNTER_BITS = 32
WEIGHT_BITS, SHADOW_BITS = 8, 16
READOUT_ERROR_BITS = 10  # e_k in -256 … 256


def answer_layout() -> data.StructLayout:
    """An output beat, least significant field first.

    value: z_k, or the word that was read (weights sign-extended).   address: k, or the lowest bits of READ's address.
    last: of the sample (and of every READ).   read: answers a READ.   overflow: the log has been too small since reset.
    """
    return data.StructLayout({"value": signed(32), "address": 24, "last": 1, "read": 1, "overflow": 1})


@dataclass(frozen=True)
class LayerPlan:
    """Constants of a layer.

    Attributes:
        n_in, n: events' addresses and neurons.   words: G.   base: first word of its weights.
        state: first word of its S.   fraction: f.   mask: bit per lane, lanes of the last word that hold a neuron.
        lr: learning-rate shift.   err_shift: of the errors it sends down.
    """

    n_in: int
    n: int
    words: int
    base: int
    state: int
    fraction: int
    mask: int
    lr: int = 1
    err_shift: int = 0


@dataclass(frozen=True, eq=False)
class Plan(abc.ABC):
    """A net's shape on an architecture.

    Attributes:
        counters: names of the counters, in the order of their addresses.

    Raises:
        ArtifactError: the net does not fit the core, or is of a kind that has no RTL.
    """

    net: SpikingNet
    arch: EvsnnArch

    value_bits: ClassVar[int] = 0  # signed width of a value in the log
    counters: ClassVar[tuple[str, ...]] = ("packet", "syn_fwd", "neuron_access", "spike", "err_pair")

    def __post_init__(self) -> None:
        self.check_kinds()
        self.arch.check(self.net)
        _check(self.net, self.arch)
        if max(self.acc_bits, self.err_bits(0) if self.rule else 0) > 62 or self.z_bits > 32:
            got = f"{self.z_bits} bits of z, {self.acc_bits} of a neuron"
            raise ArtifactError.of("sums of the core", got, "z within 32 bits, others within 62", "Use a smaller net.")

    @property
    def rule(self) -> Plasticity | None:
        return self.net.plasticity

    @property
    def lanes(self) -> int:
        return self.arch.lanes

    @property
    def lane_bits(self) -> int:
        """⌊log2 W⌋: neuron j is lane j's low bits, word the others."""
        return self.lanes.bit_length() - 1

    @property
    def steps(self) -> int:
        return self.net.steps

    @property
    def tick_bits(self) -> int:
        """Width of a tick in the log."""
        return max(1, (self.steps - 1).bit_length())

    @property
    def address_bits(self) -> int:
        """Width of an address in the log."""
        return max(2, *(max(layer.n_in, layer.n) - 1 for layer in self.layers)).bit_length()

    @property
    def classes(self) -> int:
        return self.net.n_outputs

    @property
    def layers(self) -> tuple[LayerPlan, ...]:
        out, base, state, lanes = [], 0, 0, self.lanes
        for at, layer in enumerate(self.net.layers):
            n_in, n = layer.synapse.n_in, layer.synapse.n_out
            words = -(-n // lanes)
            mask = (1 << (n - (words - 1) * lanes)) - 1
            learning = (self.rule.lr_shift[at], self.net.err_shift(at)) if self.rule else ()
            out.append(LayerPlan(n_in, n, words, base, state, layer.synapse.fraction, mask, *learning))
            base, state = base + n_in * words, state + words
        return tuple(out)

    @property
    def max_words(self) -> int:
        return max(2, *(layer.words for layer in self.layers))

    @property
    def weight_words(self) -> int:
        return max(2, self.arch.weight_words)

    @property
    def stored_bits(self) -> int:
        """Width of a stored weight: the shadow of a core that learns."""
        return SHADOW_BITS if self.rule else WEIGHT_BITS

    @property
    @abc.abstractmethod
    def z_bits(self) -> int:
        """Signed width of z."""

    @property
    @abc.abstractmethod
    def acc_bits(self) -> int:
        """Signed width of a lane's accumulators, z among them."""

    @property
    @abc.abstractmethod
    def factor_shape(self) -> Shape:
        """What a weight is multiplied with on its way to an accumulator."""

    @abc.abstractmethod
    def check_kinds(self) -> None:
        """Raise `ArtifactError` unless layers and neurons are of this core's sort."""

    @property
    def trace_top(self) -> int:
        """Largest weight of an error beside the synapse's."""
        return 1

    def err_bits(self, drop: int) -> int:
        """Signed width of err_i, or after the layers' shifts (`drop` 1)."""
        bounds = [0]
        for at, layer in enumerate(self.layers):
            e = 256 if at == len(self.layers) - 1 else self.limit
            bound = 128 * e * layer.n * self.trace_top
            shift = layer.err_shift * drop
            bounds.append((bound >> shift) + 1 if shift >= 0 else bound << -shift)
        return signed_width(max(bounds))

    @property
    def error_bits(self) -> int:
        """Signed width of e."""
        return max(READOUT_ERROR_BITS, self.learning.error_bits)

    @property
    def limit(self) -> int:
        """Largest |e| of a hidden neuron."""
        return (1 << (self.learning.error_bits - 1)) - 1

    @property
    def learning(self) -> Plasticity:
        """The rule of a core that learns."""
        if self.rule is None:
            raise ArtifactError.of("plasticity", None, "a rule", "Give the net one.")
        return self.rule


def pick(index: Value, values: Sequence[int | Value]) -> Value:
    """values[index], of constants or signals."""
    if len({repr(value) for value in values}) == 1:
        return Value.cast(values[0])
    out = Value.cast(values[0])
    for at, value in enumerate(values[1:], 1):
        out = Mux(index == at, value, out)
    return out


def signed_width(bound: int) -> int:
    """Bits of a signed number of magnitude `bound`."""
    return bound.bit_length() + 1


def _check(net: SpikingNet, arch: EvsnnArch) -> None:
    for at, layer in enumerate(net.layers):
        if not isinstance(layer.synapse, Dense) or layer.synapse.bits > WEIGHT_BITS:
            got = f"{layer.synapse.type}, {layer.synapse.bits} bits"
            raise ArtifactError.of(f"layer {at} of the core", got, f"dense, at most {WEIGHT_BITS} bits", "Convert it.")
    if arch.neurons_per_core or arch.lanes & (arch.lanes - 1):
        got = f"{arch.lanes} lanes, {arch.neurons_per_core} neurons a core"
        raise ArtifactError.of("core", got, "one core, lanes a power of two", "Use EvsnnArch.fitting(net, lanes=16).")
    if net.plasticity is not None and net.plasticity.generator.width > 32:
        raise ArtifactError.of("generator", net.plasticity.generator.width, "at most 32 bits", "Use Lfsr(32).")
    if arch.weight_words * arch.lanes > 1 << 28:
        raise ArtifactError.of("weight memory", f"{arch.weight_words} words a lane", "2^28 in all", "Lower it.")
