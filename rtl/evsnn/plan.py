"""Sizes, widths and constants of a core, read off the net and the architecture; and the beats of its streams.

The core is built for the shape of a net: neurons, fractions, ticks, rule, the readout's bias. Weights and random states
enter through the input stream, so one core runs, and learns, any net of its shape.

A beat of the input stream has 64 bits; a sample's events come in order and END closes it:

| kind, bits 63:62 | address, bits 61:32 | data, bits 31:0 |
|---|---|---|
| 0 EVENT | input | tick |
| 1 END | 1: learn from the sample, 0: answer only | label |
| 2 READ | memory address | – |
| 3 WRITE | memory address | word; to a counter: all counters and the overflow flag become 0 |

Memory addresses, bits 29:28 of the address: 0 weights, word · W + lane; 1 random states, lane; 2 counters (`COUNTERS`).
READ and WRITE are taken between samples. An answer is `answer_layout`: a result z_k, or what READ asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import Mux, Value, signed
from amaranth.lib import data

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ArtifactError
from hwsim.ir.plasticity import Plasticity
from hwsim.ir.spiking import SpikingNet
from hwsim.ir.synapses import Dense

EVENT, END, READ, WRITE = range(4)
WEIGHTS, RANDOM, COUNTS = range(3)
COUNTERS = ("packet", "syn_fwd", "neuron_access", "spike", "err_pair")
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
class Plan:
    """A net's shape on an architecture.

    Raises:
        ArtifactError: the net does not fit the core, or is of a kind that has no RTL.
    """

    net: SpikingNet
    arch: EvsnnArch

    def __post_init__(self) -> None:
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
    def step_bits(self) -> int:
        """log2 T."""
        return self.steps.bit_length() - 1

    @property
    def tick_bits(self) -> int:
        """Width of a tick in the log."""
        return max(1, self.step_bits)

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
    def state_words(self) -> int:
        """Words of S: spiking layers only."""
        return max(2, self.layers[-1].state)

    @property
    def weight_words(self) -> int:
        return max(2, self.arch.weight_words)

    @property
    def stored_bits(self) -> int:
        """Width of a stored weight: the shadow of a core that learns."""
        return SHADOW_BITS if self.rule else WEIGHT_BITS

    @property
    def sum_bits(self) -> int:
        """Signed width of S."""
        return _signed(128 * max(layer.n_in for layer in self.layers))

    @property
    def z_bits(self) -> int:
        """Signed width of z."""
        bias = self.net.layers[-1].population.bias
        most = max((abs(int(b)) for b in bias), default=0)
        return _signed(2 * self.steps * 128 * self.layers[-1].n_in + most)

    @property
    def acc_bits(self) -> int:
        """Signed width of M, D and z, which share a memory: |D| ≤ 2T·(|S| + 2^f)."""
        spiking = [2 * self.steps * (128 * p.n_in + (1 << p.fraction)) for p in self.layers[:-1]]
        return max(self.z_bits, *(_signed(bound) for bound in spiking)) if spiking else self.z_bits

    @property
    def slope_bits(self) -> int:
        """Signed width of S + 2^f."""
        return _signed(128 * max(p.n_in for p in self.layers) + (1 << max(p.fraction for p in self.layers)))

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

    def err_bits(self, drop: int) -> int:
        """Signed width of err_i, or after the layers' shifts (`drop` 1)."""
        bounds = [0]
        for at, layer in enumerate(self.layers):
            e = 256 if at == len(self.layers) - 1 else self.limit
            bound = 128 * e * layer.n
            shift = layer.err_shift * drop
            bounds.append((bound >> shift) + 1 if shift >= 0 else bound << -shift)
        return _signed(max(bounds))


def pick(index: Value, values: Sequence[int | Value]) -> Value:
    """values[index], of constants or signals."""
    if len({repr(value) for value in values}) == 1:
        return Value.cast(values[0])
    out = Value.cast(values[0])
    for at, value in enumerate(values[1:], 1):
        out = Mux(index == at, value, out)
    return out


def _signed(bound: int) -> int:
    return bound.bit_length() + 1


def _check(net: SpikingNet, arch: EvsnnArch) -> None:
    kinds = {layer.population.kind for layer in net.layers}
    if not net.window or not kinds <= {"window", "readout"} or not net.readout:
        mend = "Its chip model is hwsim.evsnn."
        raise ArtifactError.of("a net of the core", ", ".join(sorted(kinds)), "window layers, then a readout", mend)
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
