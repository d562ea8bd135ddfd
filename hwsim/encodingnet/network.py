"""A whole `encoded_mac` network on the array: outputs, cycles, traffic and energy in one run.

Matrix products run on the array, one after the other, batch by batch of samples side by side as activation rows; the
other operations run on a vector unit of one lane a column, one element a lane and cycle, after them. Requantisation
belongs to the array's output path and takes no cycle of its own. Products of two activations load their second operand
as weights, sample by sample.

The seven learning papers hand their networks over here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of
from hwsim.core.result import SimResult
from hwsim.encodingnet.array import ArrayModel, ArrayResult
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.emulator import Emulator, Prepared, emulator
from hwsim.encodingnet.inventory import EVENTS, TECH
from hwsim.encodingnet.rates import OperandStats
from hwsim.encodingnet.shapes import GemmShape
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import UsageError
from hwsim.ir.mac import EncodedMac
from hwsim.ir.mac_vector import Concat, Const, Reshape, Transpose

Detail = Literal["none", "statistics", "sums", "nodes"]
_MOVES = (Reshape, Transpose, Concat, Const)


@dataclass(frozen=True, eq=False)
class NetworkRun(SimResult):
    """What a batch took; `outputs` int64 [batch, *shape] equal `EncodedMac.reference`.

    Attributes:
        layers: (index of the op, array result) of every matrix product, summed over the batch.
        gemm_cycles, vector_cycles: `cycles` split.
        energy_pj: by part of the array, summed.
        utilisation: products / (R·C·gemm_cycles).
    """

    layers: tuple[tuple[int, ArrayResult], ...] = ()
    gemm_cycles: int = 0
    vector_cycles: int = 0
    energy_pj: Mapping[str, float] = field(default_factory=dict)
    utilisation: float = 0.0


class NetworkRunner:
    """One network on one array; kernels, prepared weights and array models are kept from call to call.

    Args:
        network: the graph.   arch: the array; None computes outputs only.   tech: table of energies.

    Raises:
        ArtifactError, UsageError: an encoding that does not run on the array.

    Example:
        >>> from hwsim.encodingnet.encodings import exact
        >>> from hwsim.ir.mac import EncodedMac, Input
        >>> from hwsim.ir.mac_ops import Linear, Requant
        >>> keep = Requant(np.ones(1, np.int64), 0, -128, 127)
        >>> net = EncodedMac((Input((2,), -8, 7),), (exact(4, 4),),
        ...     (Linear((0,), np.array([[1, 2]], np.int16), np.zeros(1, np.int64), keep),))
        >>> run = NetworkRunner(net, EncodingnetArch(2, 1, style="systolic"))(np.array([[3, -4], [5, 6]]))
        >>> run.outputs.tolist(), run.cycles
        ([[-5], [17]], 5)
    """

    def __init__(self, network: EncodedMac, arch: EncodingnetArch | None = None, tech: str = TECH) -> None:
        self.network, self.arch, self.tech = network, arch, tech
        self.emulators: list[Emulator] = [emulator(e) for e in network.encodings]
        self.models = [ArrayModel(e, arch, tech) for e in network.encodings] if arch else []
        self._prepared: dict[tuple[int, int], tuple[np.ndarray, Prepared]] = {}

    def __call__(self, x: Any, *, detail: Detail = "statistics", block: int = 256) -> NetworkRun:
        """Run a batch.

        Args:
            x: input codes, one array [batch, *shape] or a tuple of one an input.
            detail: ``"none"`` outputs alone; ``"statistics"`` energy from the operands' histograms; ``"sums"`` and
                ``"nodes"`` toggles counted from the values (`hwsim.encodingnet.array_values.simulate`).
            block: samples that share the array; fewer samples take fewer rows a fold, more weights loads a sample.

        Raises:
            ShapeError: codes that do not fit the network.   UsageError: a detail that needs an array, without one.
        """
        known = ("none", "statistics", "sums", "nodes")
        if detail not in known or (detail != "none" and self.arch is None):
            got = f"{detail!r} {'with' if self.arch else 'without'} an array"
            raise UsageError.of("detail", got, f"one of {known}, all but 'none' with an array", "Give an arch.")
        arrays = self.network.check_codes(x)
        samples = len(arrays[0])
        if block < 1:
            raise UsageError.of("block", block, "1 or more samples", "Choose a block.")
        runs = [self._block([a[i : i + block] for a in arrays], detail) for i in range(0, samples, block)]
        shape = self.network.shapes[-1]
        outputs = np.concatenate([y for y, _ in runs]) if runs else np.zeros((0, *shape), np.int64)
        return self._summed(outputs, [layers for _, layers in runs], samples)

    def _block(self, arrays: list[np.ndarray], detail: Detail) -> tuple[np.ndarray, list[tuple[int, ArrayResult]]]:
        """Outputs and array results of samples that run side by side."""
        unit = _ProductUnit(self, detail)
        layers: list[tuple[int, ArrayResult]] = []
        y = np.empty(0)
        for i, value in enumerate(self.network.evaluate(tuple(arrays), unit)):
            y = value
            layers += [(i, result) for result in unit.results()]
        return y, layers

    def prepared(self, w: np.ndarray, unit: int) -> Prepared:
        """Weights in the kernel's form; those of the network (int16) are prepared once."""
        if w.dtype != np.int16:
            return self.emulators[unit].prepare_weights(w)
        key = (w.__array_interface__["data"][0], unit)
        known = self._prepared.get(key)
        if known is None or not np.array_equal(known[0], w):
            self._prepared[key] = (w.copy(), self.emulators[unit].prepare_weights(w))
        return self._prepared[key][1]

    def _summed(self, outputs: np.ndarray, runs: list[list[tuple[int, ArrayResult]]], samples: int) -> NetworkRun:
        """Totals over blocks and ops."""
        merged: dict[int, ArrayResult] = {}
        for op, result in (pair for layers in runs for pair in layers):
            merged[op] = _joined(merged[op], result) if op in merged else replace(result, outputs=np.zeros((0, 0)))
        layers = tuple(sorted(merged.items()))
        gemm = sum(result.cycles for _, result in layers)
        vector, elements = self._vector(samples) if self.arch else (0, 0)
        counters = Counters(vector_elements=elements, vector_cycles=vector)
        parts: dict[str, float] = {}
        for _, result in layers:
            counters = counters + result.counters
            parts = {name: parts.get(name, 0.0) + value for name, value in result.energy_pj.items()}
        every = {event: price for events in EVENTS.values() for event, price in events.items()}
        energy = energy_of({k: v for k, v in counters.items() if k in every}, self.tech, every) if layers else None
        cells = self.arch.rows * self.arch.cols if self.arch else 1
        return NetworkRun(
            outputs, gemm + vector, 0, 1, counters, "+".join(sorted({e.kernel for e in self.emulators})),
            classes=self.network.classify(outputs) if self.network.n_classes else None, energy=energy, layers=layers,
            gemm_cycles=gemm, vector_cycles=vector, energy_pj=parts,
            utilisation=counters.get("macs", 0) / (cells * gemm) if gemm else 0.0,
        )  # fmt: skip

    def _vector(self, samples: int) -> tuple[int, int]:
        """(cycles, elements) of the vector unit."""
        assert self.arch is not None
        cycles = elements = 0
        matrix = {op for op, _ in self.network.gemms}
        for i, op in enumerate(self.network.ops):
            if i in matrix or isinstance(op, _MOVES):
                continue
            inputs = (int(np.prod(self.network.shapes[v])) for v in op.inputs)
            size = samples * max(int(np.prod(self.network.shapes[len(self.network.inputs) + i])), *inputs)
            elements += size
            cycles += -(-size // self.arch.cols)
        return cycles, elements


class _ProductUnit:
    """The products of one op at a time: values, and what they cost on the array."""

    def __init__(self, runner: NetworkRunner, detail: Detail) -> None:
        self.runner, self.detail = runner, detail
        self._seen: dict[tuple[int, int, int, int], list[Any]] = {}  # (unit, t, k, n) → products, histograms
        self._simulated: list[ArrayResult] = []

    def __call__(self, x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        runner = self.runner
        encoding = runner.network.encodings[unit]
        if self.detail in ("sums", "nodes"):
            level: Literal["sums", "nodes"] = "sums" if self.detail == "sums" else "nodes"
            self._simulated.append(simulate(x, w, encoding, toggles=level, model=runner.models[unit]))
            return self._simulated[-1].outputs
        if self.detail == "statistics":
            seen = self._seen.setdefault((unit, len(x), x.shape[1], len(w)), [0, 0, 0])
            seen[0] += 1
            for place, codes, side, bits in ((1, x, "x", encoding.x_bits), (2, w, "w", encoding.w_bits)):
                seen[place] = seen[place] + np.bincount(encoding.check_codes(codes, side).ravel(), minlength=1 << bits)
        return runner.emulators[unit](x, runner.prepared(w, unit))

    def results(self) -> list[ArrayResult]:
        """Array results since the last call; equal shapes are one layer that repeats."""
        done, self._simulated = self._simulated, []
        for (unit, t, k, n), (repeats, x, w) in self._seen.items():
            stats = OperandStats(x / x.sum(), w / w.sum())
            done.append(self.runner.models[unit].layer(GemmShape("gemm", t, k, n, repeats=repeats), stats))
        self._seen = {}
        return done


def _joined(one: ArrayResult, two: ArrayResult) -> ArrayResult:
    """Two runs of one op, one after the other."""
    cycles = one.cycles + two.cycles
    share = one.cycles / cycles if cycles else 0.0
    return replace(
        one, cycles=cycles, counters=one.counters + two.counters, stall_cycles=one.stall_cycles + two.stall_cycles,
        utilisation=share * one.utilisation + (1 - share) * two.utilisation,
        energy_pj={name: value + two.energy_pj.get(name, 0.0) for name, value in one.energy_pj.items()},
    )  # fmt: skip
