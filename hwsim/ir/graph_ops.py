"""The operations of a `graph_mac` network that read the graph: sums over neighbours, GraphNorm, readout.

They see one row a node, graphs one after the other, and `Parts`: who is whose neighbour, and where graphs end. All
other operations act on rows alone and are those of `encoded_mac`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from hwsim.ir.errors import ArtifactError
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.ir.mac_ops import LIMIT, Bounds, Mac, Op, Requant, Shape, Units

MAX_FRACTION = 16


@dataclass(frozen=True)
class Limits:
    """What a network promises about its graphs: nodes a graph and neighbours a node, at most; its statistics unit."""

    max_nodes: int
    max_degree: int
    unit: GraphNormUnit | None


@dataclass(frozen=True, eq=False)
class Parts:
    """Graphs side by side: CSR over all nodes, and the nodes of each graph."""

    start: np.ndarray
    neighbour: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True, eq=False)
class GraphOp(Op):
    """Base of operations that read the graph."""

    level: ClassVar[Literal["node", "graph"]] = "node"  # rows of the output

    def check_graph(self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], limits: Limits) -> Bounds:
        """Range of the output, whose width is the input's; raises `ArtifactError` for a broken rule."""
        raise NotImplementedError

    def run_graph(self, xs: Sequence[np.ndarray], parts: Parts, unit: GraphNormUnit | None) -> np.ndarray:
        """Output rows int64 for input rows int64."""
        raise NotImplementedError

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        raise ArtifactError.of(where, f"a {self.type} operation", "a graph_mac network around it", "Use graph_mac.")

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        raise ArtifactError.of(self.type, "no graph", "a graph_mac network around it", "Use graph_mac.")


@dataclass(frozen=True, eq=False)
class Neighbours(GraphOp):
    """y_i = requantise( own · x_i + 2^fraction · Σ_{j ∈ N(i)} x_j ).

    Attributes:
        own: weight of the node itself, in units of 2^(−fraction).   fraction: 0…16.
    """

    type: ClassVar[str] = "neighbours"
    own: int
    fraction: int
    requant: Requant

    def check_graph(self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], limits: Limits) -> Bounds:
        if not 0 <= self.fraction <= MAX_FRACTION:
            raise ArtifactError.of(f"{where}: fraction", self.fraction, f"0…{MAX_FRACTION}", "Mend the export.")
        top = max(abs(b) for b in bounds[0]) * (abs(self.own) + (limits.max_degree << self.fraction))
        return self.requant.check(where, shapes[0][-1], (-top, top))

    def run_graph(self, xs: Sequence[np.ndarray], parts: Parts, unit: GraphNormUnit | None) -> np.ndarray:
        x = xs[0]
        total = np.zeros_like(x)
        np.add.at(total, np.repeat(np.arange(len(x)), np.diff(parts.start)), x[parts.neighbour])
        return self.requant(self.own * x + (total << self.fraction))


@dataclass(frozen=True, eq=False)
class Normalise(GraphOp):
    """GraphNorm by the network's statistics unit, with the parameters of its layer `layer`."""

    type: ClassVar[str] = "normalise"
    layer: int

    def check_graph(self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], limits: Limits) -> Bounds:
        unit = limits.unit
        if unit is None or not 0 <= self.layer < unit.layers or shapes[0] != (unit.channels,):
            got = f"layer {self.layer}, width {list(shapes[0])}"
            want = f"{unit.layers} layers of {unit.channels} channels" if unit else "a network with a statistics unit"
            raise ArtifactError.of(where, got, want, "Mend the export.")
        if limits.max_nodes > unit.max_nodes:
            got = f"{limits.max_nodes} nodes"
            raise ArtifactError.of(where, got, f"at most the unit's {unit.max_nodes}", "Build a larger unit.")
        top = 1 << (unit.in_bits - 1)
        if bounds[0][0] < -top or bounds[0][1] >= top:
            got = f"codes {bounds[0][0]}…{bounds[0][1]}"
            raise ArtifactError.of(where, got, f"{-top}…{top - 1}, what the unit takes", "Requantise before it.")
        return unit.lo, unit.hi

    def run_graph(self, xs: Sequence[np.ndarray], parts: Parts, unit: GraphNormUnit | None) -> np.ndarray:
        assert unit is not None
        return unit.reference(xs[0], parts.sizes, self.layer)


@dataclass(frozen=True, eq=False)
class Readout(GraphOp):
    """One row a graph: requantise( Σ x_i ), or requantise( ⌊2^fraction · Σ x_i / n⌋ ) when `mean`.

    Attributes:
        mean: divide by the number of nodes.   fraction: 0…16, fraction bits of the quotient; 0 for a sum.
    """

    type: ClassVar[str] = "readout"
    level: ClassVar[Literal["node", "graph"]] = "graph"
    requant: Requant
    mean: bool = False
    fraction: int = 0

    def check_graph(self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], limits: Limits) -> Bounds:
        if not 0 <= self.fraction <= (MAX_FRACTION if self.mean else 0):
            raise ArtifactError.of(f"{where}: fraction", self.fraction, "0…16, 0 for a sum", "Mend the export.")
        top = max(abs(b) for b in bounds[0]) * limits.max_nodes << self.fraction
        if top > LIMIT:
            raise ArtifactError.of(f"{where}: sums overflow", f"2^{top.bit_length()}", "2^62", "Use fewer bits.")
        return self.requant.check(where, shapes[0][-1], (-top, top))

    def run_graph(self, xs: Sequence[np.ndarray], parts: Parts, unit: GraphNormUnit | None) -> np.ndarray:
        first = np.cumsum(parts.sizes) - parts.sizes
        total = np.add.reduceat(xs[0], first, axis=0) if len(first) else xs[0][:0]
        return self.requant((total << self.fraction) // parts.sizes[:, None] if self.mean else total)
