"""`gate_netlist`: a Boolean network in SSA order, every node a small truth table.

A node reads up to six earlier signals; signals 0..n_inputs−1 are the inputs, signal n_inputs + i is node i.
With K ≤ 2 it is an AND/OR/XOR graph, with K ≤ 6 a LUT6-mapped netlist: one kind for both.
Specification and a worked example: ``docs/ir/gate_netlist.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape

MAX_FAN_IN = 6
CONST0, CONST1 = -1, -2  # allowed among `outputs` only; nodes never read constants


@register
@dataclass(frozen=True, eq=False)
class GateNetlist(Artifact):
    """Boolean SSA graph of nodes with at most six inputs.

    Attributes:
        n_inputs: number of input bits.
        offsets: int32 [n_nodes + 1], node i reads ``fan_in[offsets[i]:offsets[i+1]]``.
        fan_in: int32 [n_edges], earlier signals; the first one is bit 0 of the table address.
        tables: uint64 [n_nodes], bit a = output for address a; bits from 2^fan_in on are zero.
        outputs: int32 [n_outputs], signal index, or −1 for constant 0, −2 for constant 1.
        input_names, output_names: unique names, or empty for ``i0…`` and ``o0…``.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "gate_netlist"
    spec_version: ClassVar[int] = 1

    n_inputs: int
    offsets: np.ndarray
    fan_in: np.ndarray
    tables: np.ndarray
    outputs: np.ndarray
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def n_nodes(self) -> int:
        return len(self.tables)

    @property
    def n_outputs(self) -> int:
        return len(self.outputs)

    @cached_property
    def levels(self) -> np.ndarray:
        """int32 [n_nodes], longest path in nodes from the inputs to each node (first node level: 1)."""
        level = np.zeros(self.n_inputs + self.n_nodes, dtype=np.int32)
        for i in range(self.n_nodes):
            sources = self.fan_in[self.offsets[i] : self.offsets[i + 1]]
            level[self.n_inputs + i] = 1 + (int(level[sources].max()) if len(sources) else 0)
        return level[self.n_inputs :]

    @property
    def depth(self) -> int:
        """Levels on the longest path to an output; 0 when outputs are inputs or constants."""
        nodes = self.outputs[self.outputs >= self.n_inputs] - self.n_inputs
        return int(self.levels[nodes].max()) if len(nodes) else 0

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        for name, dtype in (("offsets", np.int32), ("fan_in", np.int32), ("tables", np.uint64), ("outputs", np.int32)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise ArtifactError.of(f"gate_netlist.{name}", type(array), f"{np.dtype(dtype)} vector", "Convert it.")
        self._check_graph()
        self._check_outputs()

    def _check_graph(self) -> None:
        """Offsets grow in steps of at most six, sources come earlier, tables are no longer than 2^fan_in."""
        sizes = np.diff(self.offsets)
        ends = len(self.offsets) == self.n_nodes + 1 and self.offsets[0] == 0 and self.offsets[-1] == len(self.fan_in)
        if not ends or (sizes < 0).any() or (sizes > MAX_FAN_IN).any():
            raise ArtifactError.of(
                "gate_netlist.offsets",
                f"{len(self.offsets)} values",
                f"{self.n_nodes + 1} growing values, steps of 0..{MAX_FAN_IN}",
                "Rebuild the CSR offsets.",
            )
        owner = np.repeat(np.arange(self.n_nodes), sizes)
        late = (self.fan_in < 0) | (self.fan_in >= self.n_inputs + owner)
        if late.any():
            node = int(owner[late.argmax()])
            raise ArtifactError.of(
                f"node {node} reads a signal that is not defined before it",
                int(self.fan_in[late.argmax()]),
                f"0..{self.n_inputs + node - 1}",
                "Sort the nodes topologically.",
            )
        small = sizes < 6
        if (self.tables[small] >> (np.uint64(1) << sizes[small].astype(np.uint64))).any():
            raise ArtifactError.of(
                "a truth table is longer than 2^fan_in", "set bits beyond it", "zeros there", "Mask the table."
            )

    def _check_outputs(self) -> None:
        """Outputs name a signal or a constant; names are unique and complete, or absent."""
        top = self.n_inputs + self.n_nodes - 1
        if self.outputs.size and (int(self.outputs.min()) < CONST1 or int(self.outputs.max()) > top):
            got = f"{self.outputs.min()}..{self.outputs.max()}"
            raise ArtifactError.of("gate_netlist.outputs", got, f"-2..{top}", "Mend the output list.")
        for names, count, what in (
            (self.input_names, self.n_inputs, "input_names"),
            (self.output_names, self.n_outputs, "output_names"),
        ):
            if names and (len(names) != count or len(set(names)) != count):
                raise ArtifactError.of(
                    f"gate_netlist.{what}", f"{len(names)} names", f"{count} unique names or none", "Mend the names."
                )

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Output bits uint8 [batch, n_outputs] for input bits [batch, n_inputs]."""
        x = np.asarray(x)
        check_shape("x", x.shape, "[batch, n_inputs]", (None, self.n_inputs))
        if x.dtype.kind not in "iub" or (x.size and (x.min() < 0 or x.max() > 1)):
            raise ShapeError.of("x is not Boolean", x.dtype, "0 and 1 in an integer dtype", "Unpack codes to bits.")
        signal = np.zeros((len(x), self.n_inputs + self.n_nodes), dtype=np.uint8)
        signal[:, : self.n_inputs] = x
        for i in range(self.n_nodes):
            sources = self.fan_in[self.offsets[i] : self.offsets[i + 1]]
            address = (signal[:, sources].astype(np.uint64) << np.arange(len(sources), dtype=np.uint64)).sum(
                axis=1, dtype=np.uint64
            )
            signal[:, self.n_inputs + i] = (self.tables[i] >> address) & np.uint64(1)
        out = np.zeros((len(x), self.n_outputs), dtype=np.uint8)
        real = self.outputs >= 0
        out[:, real] = signal[:, self.outputs[real]]
        out[:, self.outputs == CONST1] = 1
        return out

    def cost(self) -> Cost:
        """Node count, nodes with at most five inputs, and depth."""
        sizes = np.diff(self.offsets)
        return Cost(
            {"nodes": self.n_nodes, "nodes_le5": int((sizes <= 5).sum()), "depth": self.depth},
            {
                "nodes": "one LUT6 a node (fan-in ≤ 6)",
                "nodes_le5": "nodes with ≤ 5 inputs; two of them can share a fractured LUT6 (LUT6_2)",
                "depth": "nodes on the longest input-to-output path",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays by field name and a JSON-able header."""
        tensors: Tensors = {name: getattr(self, name) for name in ("offsets", "fan_in", "tables", "outputs")}
        header: Header = {
            "n_inputs": self.n_inputs,
            "input_names": list(self.input_names),
            "output_names": list(self.output_names),
            "meta": dict(self.meta),
        }
        return tensors, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        return cls(
            header["n_inputs"], tensors["offsets"], tensors["fan_in"], tensors["tables"], tensors["outputs"],
            tuple(header["input_names"]), tuple(header["output_names"]), dict(header["meta"]),
        )  # fmt: skip
