"""`graph_mac`: a graph network of integer operations whose products go through encodings.

The graph of operations is SSA as in `encoded_mac`, and shares its row-wise operations. Value 0 is the input, one row a
node; `readout` turns rows of nodes into rows of graphs. GraphNorm runs on one statistics unit that serves all layers.
Specification and a worked example: ``docs/ir/graph_mac.md``.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.ir.graph_ops import GraphOp, Limits, Neighbours, Normalise, Parts, Readout
from hwsim.ir.mac import Input, describe_op, describe_part, rebuild_encodings, rebuild_op, table_mac, under
from hwsim.ir.mac_ops import Bounds, Linear, Mac, Op, Shape, Units
from hwsim.ir.mac_vector import Add, Rescale, Table

OPS: dict[str, type[Op]] = {op.type: op for op in (Linear, Add, Table, Rescale, Neighbours, Normalise, Readout)}
Level = Literal["node", "graph"]


@dataclass(frozen=True, eq=False)
class GraphCodes:
    """A batch of graphs, one after the other.

    Attributes:
        x: int64 [nodes, features], input codes.
        start: int64 [nodes + 1]; neighbours of node i stand in places start[i] … start[i + 1] − 1 of `neighbour`.
        neighbour: int64, node numbers counted over the batch.
        sizes: int64 [graphs]: nodes of each graph, 1 or more.
    """

    x: np.ndarray
    start: np.ndarray
    neighbour: np.ndarray
    sizes: np.ndarray

    @property
    def parts(self) -> Parts:
        """The graphs without their codes."""
        return Parts(self.start, self.neighbour, self.sizes)


@register
@dataclass(frozen=True, eq=False)
class GraphMac(Artifact):
    """A graph network of integer operations.

    Attributes:
        input: width and code range of a node's features; `scale` as in `encoded_mac`.
        encodings: the product units; ops name one by index.
        ops: in order of evaluation; op i makes value i + 1.
        unit: the statistics unit; None without GraphNorm.
        max_nodes, max_degree: nodes a graph and neighbours a node, at most.
        n_classes: > 0 when the class is the argmax of the output (lowest index wins ties).
        output_scale: a real output is code · scale; 0 when unknown.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "graph_mac"
    spec_version: ClassVar[int] = 1

    input: Input
    encodings: tuple[Encoding, ...]
    ops: tuple[Op, ...]
    unit: GraphNormUnit | None
    max_nodes: int
    max_degree: int
    n_classes: int = 0
    output_scale: float = 0.0
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if not self.ops or len(self.input.shape) != 1 or self.input.shape[0] < 1 or self.input.lo > self.input.hi:
            got = f"{len(self.ops)} ops, input {list(self.input.shape)}, codes {self.input.lo}…{self.input.hi}"
            raise ArtifactError.of("graph_mac", got, "an op, an input [features], lo ≤ hi", "Export it again.")
        if not 1 <= self.max_nodes < 1 << 20 or not 0 <= self.max_degree < 1 << 20:
            got = f"max_nodes {self.max_nodes}, max_degree {self.max_degree}"
            raise ArtifactError.of("graph_mac", got, "1…2^20 nodes, 0…2^20 neighbours", "Mend the limits.")
        for name, scale in (("input scale", self.input.scale), ("output_scale", self.output_scale)):
            if not 0 <= scale < np.inf:
                raise ArtifactError.of(name, scale, "0 (unknown) or a positive number", "Mend the scale.")
        level, shape = self.levels[-1], self.shapes[-1]
        if self.n_classes and (level != "graph" or shape != (self.n_classes,)):
            got = f"{self.n_classes} for an output of {level}s of width {list(shape)}"
            raise ArtifactError.of("n_classes", got, "0 or the width of an output a graph", "Mend it.")

    @cached_property
    def _typed(self) -> tuple[tuple[Shape, ...], tuple[Bounds, ...], tuple[Level, ...]]:
        """Width, range and level of every value, checked op by op."""
        units = Units(
            tuple(e.x_range for e in self.encodings),
            tuple(e.w_range for e in self.encodings),
            tuple(int(np.abs(e.table).max()) for e in self.encodings),
        )
        limits = Limits(self.max_nodes, self.max_degree, self.unit)
        shapes: list[Shape] = [tuple(self.input.shape)]
        bounds: list[Bounds] = [(self.input.lo, self.input.hi)]
        levels: list[Level] = ["node"]
        for i, op in enumerate(self.ops):
            where = f"op {i} ({op.type})"
            if len(op.inputs) != op.n_inputs or not all(0 <= v <= i for v in op.inputs):
                want = f"{op.n_inputs} values of 0…{i}"
                raise ArtifactError.of(f"{where}: inputs", list(op.inputs), want, "Mend the inputs.")
            had = {levels[v] for v in op.inputs}
            if len(had) > 1 or (isinstance(op, GraphOp) and had != {"node"}):
                got = f"rows of {' and of '.join(f'{one}s' for one in sorted(had))}"
                raise ArtifactError.of(f"{where}: inputs", got, "rows of nodes, or all of graphs", "Sort the ops.")
            ins, ranges = [shapes[v] for v in op.inputs], [bounds[v] for v in op.inputs]
            if isinstance(op, GraphOp):
                shape, bound = ins[0], op.check_graph(where, ins, ranges, limits)
            else:
                shape, bound = op.check(where, ins, ranges, units)
            shapes.append(shape)
            bounds.append(bound)
            levels.append(op.level if isinstance(op, GraphOp) else had.pop())
        return tuple(shapes), tuple(bounds), tuple(levels)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Width of every value, as (width,)."""
        return self._typed[0]

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """Range (lo, hi) of every value."""
        return self._typed[1]

    @property
    def levels(self) -> tuple[Level, ...]:
        """Whether a value's rows are nodes or graphs."""
        return self._typed[2]

    def check_codes(self, graphs: GraphCodes) -> GraphCodes:
        """The batch as int64 arrays, checked.

        Raises:
            ShapeError: wrong shapes, dtypes or ranges, an empty graph, one beyond the limits, a neighbour elsewhere.
        """
        names = ("x", "start", "neighbour", "sizes")
        arrays = {name: np.asarray(getattr(graphs, name)) for name in names}
        for name, array in arrays.items():
            if array.dtype.kind not in "iub":
                raise ShapeError.of(f"{name} dtype", array.dtype, "integers", "Convert it.")
        x, start, other, sizes = (arrays[name].astype(np.int64) for name in names)
        check_shape("x", x.shape, "[nodes, features]", (None, self.input.shape[0]))
        check_shape("start", start.shape, "[nodes + 1]", (len(x) + 1,))
        if x.size and not self.input.lo <= x.min() <= x.max() <= self.input.hi:
            got, want = f"{x.min()}…{x.max()}", f"{self.input.lo}…{self.input.hi}"
            raise ShapeError.of("x: a code is out of range", got, want, "Clip or quantise.")
        if sizes.sum() != len(x) or (len(sizes) and not 1 <= sizes.min() <= sizes.max() <= self.max_nodes):
            got = f"{min(sizes, default=0)}…{max(sizes, default=0)} nodes a graph, {sizes.sum()} in all"
            want = f"1…{self.max_nodes} nodes a graph, {len(x)} in all"
            raise ShapeError.of("sizes", got, want, "Leave empty graphs out; export for larger ones.")
        degree = np.diff(start)
        if start[0] != 0 or start[-1] != len(other) or degree.min(initial=0) < 0:
            raise ShapeError.of("start", "no CSR", "0, ascending, to the end of neighbour", "Mend the rows.")
        if degree.max(initial=0) > self.max_degree:
            most = int(degree.max())
            raise ShapeError.of("neighbours of a node", most, f"at most {self.max_degree}", "Export for more.")
        graph = np.repeat(np.arange(len(sizes)), sizes)
        inside = (other >= 0) & (other < len(x))
        if not inside.all() or (graph[other] != np.repeat(graph, degree)).any():
            raise ShapeError.of("neighbour", "a node of another graph", "the node's own graph", "Mend the numbers.")
        return GraphCodes(x, start, other, sizes)

    def evaluate(self, graphs: GraphCodes, mac: Mac) -> Iterator[np.ndarray]:
        """Every op's output in order, int64 [nodes or graphs, width], with `mac` as product unit."""
        graphs = self.check_codes(graphs)
        values, parts = [graphs.x], graphs.parts
        for op in self.ops:
            xs = [values[v] for v in op.inputs]
            values.append(op.run_graph(xs, parts, self.unit) if isinstance(op, GraphOp) else op.run(xs, mac))
            yield values[-1]

    def reference(self, x: Any) -> np.ndarray:
        """Output codes int64 [graphs, width] for `GraphCodes`, every product read from the encoding's table."""
        return deque(self.evaluate(x, self.table_mac), maxlen=1)[0]

    def table_mac(self, x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        """int64 [T, N]: Σ_k T(x[t, k], w[n, k]), one term after the other."""
        return table_mac(self.encodings[unit], x, w)

    def classify(self, outputs: np.ndarray) -> np.ndarray:
        """Class int64 [graphs] = argmax of the output codes, lowest index on ties."""
        if not self.n_classes:
            raise ArtifactError.of("the network has no classes", "n_classes 0", "> 0", "Read the codes instead.")
        return np.asarray(outputs).argmax(axis=-1)

    def cost(self) -> Cost:
        """Multiply-accumulates a node and a graph, weight bits."""
        linear = [(op, self.levels[i + 1]) for i, op in enumerate(self.ops) if isinstance(op, Linear)]
        macs = {level: sum(op.weights.size for op, where in linear if where == level) for level in ("node", "graph")}
        stored = sum(op.weights.size * self.encodings[op.encoding].w_bits for op, _ in linear)
        return Cost(
            {"macs_per_node": macs["node"], "macs_per_graph": macs["graph"], "weight_bits": stored},
            {
                "macs_per_node": "Σ k · n over matrix products on rows of nodes",
                "macs_per_graph": "Σ k · n over matrix products on rows of graphs",
                "weight_bits": "Σ weights · w_bits",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays ``op<i>.<field>``, ``encoding<i>.<field>`` and ``unit.<field>``, and a JSON-able header."""
        tensors: Tensors = {}
        units = [describe_part(encoding, f"encoding{i}.", tensors) for i, encoding in enumerate(self.encodings)]
        ops = [describe_op(op, f"op{i}.", tensors) for i, op in enumerate(self.ops)]
        unit = None if self.unit is None else describe_part(self.unit, "unit.", tensors)
        header: Header = {"input": {**dataclasses.asdict(self.input), "shape": list(self.input.shape)}, "ops": ops}
        header |= {"encodings": units, "unit": unit, "max_nodes": self.max_nodes, "max_degree": self.max_degree}
        return tensors, {
            **header, "n_classes": self.n_classes, "output_scale": self.output_scale, "meta": dict(self.meta)
        }  # fmt: skip

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        units = rebuild_encodings(header, tensors)
        ops = tuple(rebuild_op(spec, f"op{i}.", tensors, OPS) for i, spec in enumerate(header["ops"]))
        unit = None if header["unit"] is None else GraphNormUnit.from_tensors(under("unit.", tensors), header["unit"])
        one = Input(**{**header["input"], "shape": tuple(header["input"]["shape"])})
        limits = header["max_nodes"], header["max_degree"]
        return cls(one, units, ops, unit, *limits, header["n_classes"], header["output_scale"], dict(header["meta"]))
