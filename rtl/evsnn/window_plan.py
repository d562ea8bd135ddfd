"""Sizes and widths of a core for window nets (STD-ED)."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import Shape, unsigned

from hwsim.ir.errors import ArtifactError
from rtl.evsnn.plan import Plan, signed_width


@dataclass(frozen=True, eq=False)
class WindowPlan(Plan):
    """Window layers, then a readout."""

    def check_kinds(self) -> None:
        kinds = {layer.population.kind for layer in self.net.layers}
        if not self.net.window or not kinds <= {"window", "readout"} or not self.net.readout:
            mend = "Its chip model is hwsim.evsnn."
            raise ArtifactError.of("a net of the core", ", ".join(sorted(kinds)), "window layers, then a readout", mend)

    @property
    def step_bits(self) -> int:
        """log2 T."""
        return self.steps.bit_length() - 1

    @property
    def factor_shape(self) -> Shape:
        """Of t or 2T − t."""
        return unsigned(self.step_bits + 2)

    @property
    def state_words(self) -> int:
        """Words of S: spiking layers only."""
        return max(2, self.layers[-1].state)

    @property
    def sum_bits(self) -> int:
        """Signed width of S."""
        return signed_width(128 * max(layer.n_in for layer in self.layers))

    @property
    def z_bits(self) -> int:
        bias = self.net.layers[-1].population.bias
        most = max((abs(int(b)) for b in bias), default=0)
        return signed_width(2 * self.steps * 128 * self.layers[-1].n_in + most)

    @property
    def acc_bits(self) -> int:
        """Signed width of M, D and z, which share a memory: |D| ≤ 2T·(|S| + 2^f)."""
        spiking = [2 * self.steps * (128 * p.n_in + (1 << p.fraction)) for p in self.layers[:-1]]
        return max(self.z_bits, *(signed_width(bound) for bound in spiking)) if spiking else self.z_bits

    @property
    def slope_bits(self) -> int:
        """Signed width of S + 2^f."""
        return signed_width(128 * max(p.n_in for p in self.layers) + (1 << max(p.fraction for p in self.layers)))
