"""A `graph_mac` network on an array of product units with a statistics unit behind it: codes, cycles, energy.

The array is given from outside, as any object that multiplies and says what that cost; `benches/graphnorm/array.py`
puts EncodingNet's there. A batch of graphs runs layer by layer, so that weights are loaded once a layer.

    linear                cycles of the array
    linear → normalise    the slower of both: while the unit settles and drains a graph, the array waits
    all else              elements / lanes of the vector unit; a sum over neighbours reads one element an edge and end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.result import SimResult
from hwsim.graphnorm.kernels import neighbour_sums
from hwsim.graphnorm.unit import simulate
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.errors import UsageError
from hwsim.ir.graph_mac import GraphCodes, GraphMac
from hwsim.ir.graph_ops import GraphOp, Neighbours, Normalise, Parts
from hwsim.ir.mac_ops import Linear, Op


class Products(Protocol):
    """An array of product units."""

    def __call__(self, x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        """int64 [T, N]: Σ_k T(x[t, k], w[n, k]) on encoding `unit`."""

    def take(self) -> tuple[int, Mapping[str, float], Counters]:
        """Cycles, pJ by part and events since the last call."""


@dataclass(frozen=True, eq=False)
class GraphRun(SimResult):
    """What a batch of graphs took; `outputs` int64 [graphs, classes] equal `GraphMac.reference`.

    Attributes:
        gemm_cycles, unit_cycles, vector_cycles: what array, statistics unit and vector unit took on their own.
        wait_cycles: cycles that the array waited for the statistics unit; `cycles` = gemm + wait + vector.
        energy_pj: by part of the array, and ``"statistics"``.
        op_cycles: (op type, cycles) of every operation, waits with `normalise`.
    """

    gemm_cycles: int = 0
    unit_cycles: int = 0
    vector_cycles: int = 0
    wait_cycles: int = 0
    energy_pj: Mapping[str, float] = field(default_factory=dict)
    op_cycles: tuple[tuple[str, int], ...] = ()


class GraphRunner:
    """One network on one array.

    Args:
        network: the artifact.   products: the array, or a bare product unit such as ``network.table_mac``.
        arch: the statistics unit.   vector_lanes: elements a cycle of the vector unit, 1 or more.

    Raises:
        UsageError: no vector lanes, or unit lanes that do not divide the network's channels.
    """

    def __init__(
        self, network: GraphMac, products: Products, arch: GraphnormArch | None = None, vector_lanes: int = 64
    ) -> None:
        if vector_lanes < 1:
            raise UsageError.of("vector_lanes", vector_lanes, "1 or more", "Choose another number.")
        self.network, self.products, self.lanes = network, products, vector_lanes
        self.arch = arch or GraphnormArch()
        if network.unit is not None:
            self.arch.groups(network.unit.channels)

    def __call__(self, graphs: GraphCodes) -> GraphRun:
        """Run a batch; raises `ShapeError` for graphs that do not fit the network."""
        network = self.network
        graphs = network.check_codes(graphs)
        values, parts, tally = [graphs.x], graphs.parts, _Tally()
        for op in network.ops:
            values.append(self._op(op, [values[v] for v in op.inputs], parts, tally))
        counters = Counters(**tally.events)
        outputs = values[-1]
        classes = network.classify(outputs) if network.n_classes else None
        total = tally.gemm + tally.wait + tally.vector
        return GraphRun(
            outputs, total, 0, 1, counters, "numba", classes=classes, gemm_cycles=tally.gemm, unit_cycles=tally.unit,
            vector_cycles=tally.vector, wait_cycles=tally.wait, energy_pj=tally.energy, op_cycles=tuple(tally.ops),
        )  # fmt: skip

    def _op(self, op: Op, xs: list[np.ndarray], parts: Parts, tally: _Tally) -> np.ndarray:
        unit = self.network.unit
        if isinstance(op, Linear):
            y = op.run(xs, self.products)
            cycles, energy, events = self.products.take()
            tally.array(op.type, cycles, energy, events)
            return y
        if isinstance(op, Normalise):
            assert unit is not None
            run = simulate(unit, xs[0], parts.sizes, op.layer, self.arch)
            tally.statistics(run)
            return run.outputs
        if isinstance(op, Neighbours):
            x = np.ascontiguousarray(xs[0])
            total = np.empty_like(x)
            neighbour_sums(x, parts.start, parts.neighbour, total)
            tally.elements(op.type, x.size + len(parts.neighbour) * x.shape[1], self.lanes)
            return op.requant(op.own * x + (total << op.fraction))
        y = op.run_graph(xs, parts, unit) if isinstance(op, GraphOp) else op.run(xs, self.products)
        tally.elements(op.type, max(y.size, *(x.size for x in xs)), self.lanes)
        return y


class _Tally:
    """Sums over the operations of a run."""

    def __init__(self) -> None:
        self.gemm = self.unit = self.vector = self.wait = self._last = 0
        self.energy: dict[str, float] = {}
        self.events: dict[str, int] = {}
        self.ops: list[tuple[str, int]] = []

    def _count(self, events: Mapping[str, int]) -> None:
        for name, count in events.items():
            self.events[name] = self.events.get(name, 0) + count

    def array(self, name: str, cycles: int, energy: Mapping[str, float], events: Mapping[str, int]) -> None:
        """A matrix product."""
        self.gemm, self._last = self.gemm + cycles, cycles
        self.energy |= {part: self.energy.get(part, 0.0) + value for part, value in energy.items()}
        self._count(events)
        self.ops.append((name, cycles))

    def statistics(self, run: SimResult) -> None:
        """GraphNorm behind the matrix product before it."""
        wait = max(run.cycles - self._last, 0)
        self.unit, self.wait = self.unit + run.cycles, self.wait + wait
        if run.energy is not None:
            self.energy["statistics"] = self.energy.get("statistics", 0.0) + run.energy.total_pj
        self._count(run.counters)
        self.ops.append(("normalise", wait))

    def elements(self, name: str, count: int, lanes: int) -> None:
        """Work of the vector unit."""
        cycles = -(-count // lanes)
        self.vector += cycles
        self._count({"vector_elements": count})
        self.ops.append((name, cycles))
