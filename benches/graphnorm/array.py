"""EncodingNet's array as the array of a graph network: products, cycles and energy from operand histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwsim.core.counters import Counters
from hwsim.encodingnet.array import ArrayModel
from hwsim.encodingnet.emulator import emulator
from hwsim.encodingnet.rates import OperandStats
from hwsim.encodingnet.shapes import GemmShape
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding


class EncodedProducts:
    """Product units of some encodings on one array; see `hwsim.graphnorm.network.Products`.

    Args:
        encodings: those of the network.   arch: the array; None computes values only.
    """

    def __init__(self, encodings: Sequence[Encoding], arch: EncodingnetArch | None = None) -> None:
        self.encodings = tuple(encodings)
        self.emulators = [emulator(e) for e in self.encodings]
        self.models = [ArrayModel(e, arch) for e in self.encodings] if arch else []
        self._since: tuple[int, dict[str, float], Counters] = (0, {}, Counters())

    def __call__(self, x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        """int64 [T, N]: Σ_k T(x[t, k], w[n, k])."""
        if self.models and len(x):
            encoding = self.encodings[unit]
            shares = [
                np.bincount(encoding.check_codes(codes, side).ravel(), minlength=1 << bits) / codes.size
                for codes, side, bits in ((x, "x", encoding.x_bits), (w, "w", encoding.w_bits))
            ]
            run = self.models[unit].layer(GemmShape("gemm", len(x), x.shape[1], len(w)), OperandStats(*shares))
            cycles, energy, events = self._since
            parts = {part: energy.get(part, 0.0) + value for part, value in run.energy_pj.items()}
            self._since = cycles + run.cycles, parts, events + run.counters
        kernel = self.emulators[unit]
        return kernel(x, kernel.prepare_weights(w))

    def take(self) -> tuple[int, Mapping[str, float], Counters]:
        """Cycles, pJ by part and events since the last call."""
        taken, self._since = self._since, (0, {}, Counters())
        return taken
