"""Sizes and widths of a core for clocked nets (if and lif neurons, MPD-ED)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from amaranth import Shape, signed

from hwsim.ir.errors import ArtifactError
from hwsim.ir.populations import Population
from rtl.evsnn.plan import WEIGHT_BITS, Plan, signed_width

SLOPE_UNIT = 8  # h in 0 … 2^8


@dataclass(frozen=True, eq=False)
class ClockedPlan(Plan):
    """if and lif layers with reset to 0, then a readout."""

    value_bits: ClassVar[int] = 16  # of an input event; a spike's slope h takes its place
    counters: ClassVar[tuple[str, ...]] = ("packet", "syn_fwd", "neuron_access", "neuron_update", "spike", "err_pair")

    def check_kinds(self) -> None:
        populations = [layer.population for layer in self.net.layers]
        kinds = {p.kind for p in populations}
        if self.net.window or not kinds <= {"if", "lif", "readout"} or not self.net.readout:
            got, mend = ", ".join(sorted(kinds)), "Its chip model is hwsim.evsnn."
            raise ArtifactError.of("a net of the clocked core", got, "if or lif layers, then a readout", mend)
        for at, (layer, p) in enumerate(zip(self.net.layers, populations, strict=True)):
            shift = layer.synapse.shift
            if shift or (p.spiking and (p.reset, p.reset_value, p.refractory, p.delay) != ("value", 0, 0, 0)):
                got = f"shift {shift}, reset {p.reset} {p.reset_value}, refractory {p.refractory}, delay {p.delay}"
                mend = "Its chip model is hwsim.evsnn."
                raise ArtifactError.of(f"layer {at} of the core", got, "0, value 0, 0, 0", mend)

    @property
    def spiking(self) -> tuple[Population, ...]:
        """Neurons of all layers but the readout."""
        return tuple(layer.population for layer in self.net.layers[:-1])

    @property
    def factor_shape(self) -> Shape:
        """Of x."""
        return signed(self.value_bits)

    @property
    def v_bits(self) -> int:
        """Signed width of v."""
        return max((p.state_bits for p in self.spiking), default=2)

    @property
    def z_bits(self) -> int:
        bias = self.net.layers[-1].population.bias
        most = max((abs(int(b)) for b in bias), default=0)
        last = self.layers[-1]
        events = last.n_in * self.steps << (WEIGHT_BITS - 1)
        return signed_width((events if len(self.layers) > 1 else self._graded) + most)

    @property
    def acc_bits(self) -> int:
        """Signed width of a and z, which share a memory; a holds any events of a step that the log can hold."""
        bounds = [p.n_in << (WEIGHT_BITS - 1) for p in self.layers[1:-1]]
        return max(self.z_bits, *(signed_width(bound) for bound in (self._graded, *bounds)))

    @property
    def _graded(self) -> int:
        """Largest sum of graded events."""
        return self.arch.log_depth << (self.value_bits + WEIGHT_BITS - 2)

    @property
    def trace_top(self) -> int:
        return max(1, *(int(x) for x in self.learning.trace)) if self.rule else 1

    @property
    def trace_bits(self) -> int:
        return self.trace_top.bit_length()
