"""One matrix product on the array with every sum computed, and the toggles that its values cause.

Toggles of operand, skew and output registers (systolic: of all partial sums) are counted from the values. Those of
encoders, counters and compressor trees are counted wire by wire with ``toggles="nodes"``, and otherwise expected ones
for the operands' own histograms.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hwsim.encodingnet import kernels_activity
from hwsim.encodingnet.activity import PARTS
from hwsim.encodingnet.array import ArrayModel, ArrayResult, counted
from hwsim.encodingnet.emulator import Emulator
from hwsim.encodingnet.inventory import TECH
from hwsim.encodingnet.operands import code_values
from hwsim.encodingnet.rates import OperandStats, states
from hwsim.encodingnet.shapes import GemmShape
from hwsim.encodingnet.traffic import traffic
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, UsageError, check_shape

Level = Literal["none", "sums", "nodes"]
INSIDE = ("encoder", "popcount", "counts", "decoder", "cuts")


def simulate(
    x: np.ndarray,
    w: np.ndarray,
    encoding: Encoding,
    arch: EncodingnetArch | None = None,
    *,
    toggles: Level = "sums",
    tech: str = TECH,
    model: ArrayModel | None = None,
) -> ArrayResult:
    """x·wᵀ on the array: sums, cycles, traffic, toggles and energy.

    Args:
        x: activation codes [T, K].   w: weight codes [N, K].
        encoding: the product.   arch: default `EncodingnetArch()`; neither is read when `model` is given.
        toggles: ``"none"``; ``"sums"`` and ``"nodes"`` as the module says (``"nodes"`` costs about 10 µs a column and
            cycle). Weight-stationary arrays only.
        tech: table of energies.   model: an `ArrayModel` made before, to spare its set-up.

    Returns:
        outputs int64 [T, N] in units of 2^(−fraction), equal to `hwsim.encodingnet.emulator.gemm`.

    Raises:
        ShapeError: operands that do not fit each other or the encoding.
        ArtifactError: sums that do not fit the accumulators; an encoding that does not run on the array.
        UsageError: an unknown level.

    Example:
        >>> from hwsim.encodingnet.encodings import exact
        >>> run = simulate(np.array([[1, 2], [3, -4]]), np.array([[5, 6]]), exact(4, 4), EncodingnetArch(2, 1))
        >>> run.outputs.tolist(), run.cycles
        ([[17], [-9]], 6)
    """
    if toggles not in ("none", "sums", "nodes"):
        raise UsageError.of("toggles", repr(toggles), "'none', 'sums' or 'nodes'", "Choose one of them.")
    model = model or ArrayModel(encoding, arch, tech)
    encoding, arch = model.encoding, model.arch
    x, w = np.asarray(x), np.asarray(w)
    check_shape("x", x.shape, "[T, K]", (None, None))
    check_shape("w", w.shape, "[N, K]", (None, x.shape[1]))
    shape = GemmShape("gemm", len(x), x.shape[1], len(w))
    _check_accumulators(shape, encoding, arch)
    patterns = encoding.check_codes(x, "x"), encoding.check_codes(w, "w")
    run = _Run(model, *patterns)
    counts: dict[str, int] = {}
    if toggles == "none" or arch.dataflow == "os":
        outputs = run.product(x, w)
    else:
        outputs, counts = run.folds(toggles)
    return model.result(shape, traffic(shape, encoding, arch), counts, outputs, run.plan.kernel)


def _check_accumulators(shape: GemmShape, encoding: Encoding, arch: EncodingnetArch) -> None:
    """A sum never passes what the accumulator holds, whatever the operands."""
    folds = -(-shape.k // arch.rows)
    reach = max(abs(v) for v in arch.sum_range(encoding)) * folds + abs(arch.padding(encoding, 0))
    if reach >= 1 << (arch.accumulator_bits - 1):
        what = f"sums of {shape.k} products in accumulators of {arch.accumulator_bits} bits"
        raise ArtifactError.of(what, reach, f"below 2^{arch.accumulator_bits - 1}", "Raise accumulator_bits.")


class _Run:
    """Operands as patterns padded with code 0 to whole folds, and what their folds give."""

    def __init__(self, model: ArrayModel, x: np.ndarray, w: np.ndarray) -> None:
        self.model, self.encoding, self.arch = model, model.encoding, model.arch
        rows, cols = self.arch.rows, self.arch.cols
        self.t, self.k, self.n = len(x), x.shape[1], len(w)
        down, across = -(-self.k // rows) * rows, -(-self.n // cols) * cols
        self.x = np.zeros((self.t, down), np.uint16)
        self.w = np.zeros((across, down), np.uint16)
        self.x[:, : self.k], self.w[: self.n, : self.k] = x, w
        self.plan: Emulator = model.emulator
        self.mask = np.uint64((1 << self.arch.width(self.encoding)) - 1)
        self.sums = dict.fromkeys(("activation", "weight", "skew", *PARTS), 0.0)

    def product(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The whole product in one call."""
        return self.plan(x, self.plan.prepare_weights(w))

    def folds(self, level: Level) -> tuple[np.ndarray, dict[str, int]]:
        """Outputs [T, N] accumulated fold by fold as the array does, and toggles."""
        rows, cols, encoding = self.arch.rows, self.arch.cols, self.encoding
        start = -self.arch.padding(encoding, self.k - self.x.shape[1] + rows)
        out = np.full((self.t, self.w.shape[0]), start, np.int64)
        old = np.zeros((cols, rows), np.uint16)
        values = [self._values(pattern, side) for pattern, side in ((self.x, "x"), (self.w, "w"))]
        for first in range(0, self.w.shape[0], cols):
            for at in range(0, self.x.shape[1], rows):
                tile = (slice(first, first + cols), slice(at, at + rows))
                x, new = self.x[:, tile[1]], self.w[tile]
                y = self.plan(values[0][:, tile[1]], self.plan.prepare_weights(values[1][tile]))
                out[:, tile[0]] += y
                self._registers(x, old, new, y)
                if level == "nodes":
                    self._nodes(x, old, new)
                old = new
        if level == "sums":
            self._expected()
        return out[:, : self.n], counted(self.sums, self.arch)

    def _values(self, pattern: np.ndarray, side: str) -> np.ndarray:
        """Codes as the emulator takes them."""
        encoding = self.encoding
        bits, (low, _) = (encoding.x_bits, encoding.x_range) if side == "x" else (encoding.w_bits, encoding.w_range)
        return code_values(bits, low < 0)[pattern].astype(np.int16)

    def _registers(self, x: np.ndarray, old: np.ndarray, new: np.ndarray, y: np.ndarray) -> None:
        """Operand, skew and output registers in one fold: activations x [T, R], weights [C, R], sums y [T, C]."""
        cols, model = self.arch.cols, self.model
        code, idle = model.x_codes[x], np.full((1, x.shape[1]), model.x_codes[0])
        by_row = _toggled(np.concatenate([idle, code, idle])).sum(axis=0, dtype=np.int64)
        by_column = self._outputs(old, new, y)
        self.sums["activation"] += cols * int(by_row.sum())
        self.sums["weight"] += int(np.bitwise_count(model.w_codes[old] ^ model.w_codes[new]).sum(dtype=np.int64))
        self.sums["skew"] += int(by_column @ np.arange(cols)[::-1])
        if self.arch.style == "systolic":
            self.sums["skew"] += int(by_row @ np.arange(len(by_row)))
            self.sums["output"] += self._chain(x, old, new)
        else:
            self.sums["output"] += int(by_column.sum())

    def _outputs(self, old: np.ndarray, new: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Toggles int64 [C] of the columns' sums; code 0 at the activations before and after."""
        zero = self.encoding.table[0]
        before, after = zero[old], zero[new]
        if self.arch.style == "systolic":
            loading = after.sum(axis=1)[None]
        else:  # the first r + 1 rows hold new weights
            loading = (np.cumsum(after, axis=1) + before.sum(axis=1)[:, None] - np.cumsum(before, axis=1)).T
        states = np.concatenate([before.sum(axis=1)[None], loading, y, after.sum(axis=1)[None]])
        return _toggled(states.view(np.uint64) & self.mask).sum(axis=0, dtype=np.int64)

    def _chain(self, x: np.ndarray, old: np.ndarray, new: np.ndarray) -> int:
        """Toggles of all partial sums of systolic columns."""
        idle, total = np.zeros((1, x.shape[1]), np.uint16), np.zeros(1, np.int64)
        if self.arch.mac == "plain" and self.mask < 1 << 31:  # x·w: partial sums of code 0 are 0, whatever the weights
            values = (self._values(np.concatenate([x, idle]), "x"), self._values(new.T, "w"))
            previous = np.zeros(new.T.shape, np.int32)
            operands = [np.ascontiguousarray(v, np.int32) for v in values]
            kernels_activity.exact_prefix_toggles(operands[0], operands[1], np.int32(self.mask), previous, total)
            return int(total[0])
        previous = np.cumsum(self.encoding.table[0][old], axis=1).T.copy()
        states = np.concatenate([idle, x, idle])
        weights = np.ascontiguousarray(new.T)
        kernels_activity.prefix_toggles(self.encoding.table, states, weights, self.mask, previous, total)
        return int(total[0])

    def _nodes(self, x: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
        """Wires inside the columns, one column after the other."""
        for one, other in zip(old, new, strict=True):
            xs, ws, _ = states(self.arch, one, other, x)
            wires = self.model.activity.toggles(xs, ws)[:, 0]
            for name in INSIDE:
                self.sums[name] += int(wires[PARTS.index(name)])

    def _expected(self) -> None:
        """Expected toggles inside the columns, for the operands' histograms."""
        x, w = self.x[:, : self.k], self.w[: self.n, : self.k]
        stats = OperandStats.of(self._values(x, "x"), self._values(w, "w"), self.encoding)
        shape = GemmShape("gemm", self.t, self.k, self.n)
        expected = self.model.expected(shape, traffic(shape, self.encoding, self.arch), stats)
        self.sums |= {name: expected[name] for name in INSIDE}


def _toggled(states: np.ndarray) -> np.ndarray:
    """Bits that differ between neighbours along axis 0."""
    return np.bitwise_count(states[1:] ^ states[:-1])
