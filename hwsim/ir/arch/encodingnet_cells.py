"""Where an encoding's gates live: at the array's edge, at the weight port, or in every cell.

A gate that reads one operand alone may be evaluated once before that operand's register (`EncodingnetArch.recode`);
the register then holds the *cell code*: the signals that the other gates, or the outputs, still read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import GateNetlist


@dataclass(frozen=True)
class CellPlan:
    """Signals of `Encoding.gates` by place; nodes in evaluation order.

    Attributes:
        x_code, w_code: signals that the activation and the weight register hold, in order.
        x_nodes, w_nodes: nodes (signal numbers) evaluated before these registers.
        cell_nodes: nodes evaluated in every cell.
    """

    x_code: tuple[int, ...]
    w_code: tuple[int, ...]
    x_nodes: tuple[int, ...]
    w_nodes: tuple[int, ...]
    cell_nodes: tuple[int, ...]


def sources(gates: GateNetlist, signal: int) -> list[int]:
    """Signals that node `signal` reads; [] for an input."""
    node = signal - gates.n_inputs
    return [] if node < 0 else gates.fan_in[gates.offsets[node] : gates.offsets[node + 1]].tolist()


def plan(encoding: Encoding, recode: Iterable[str] = ()) -> CellPlan:
    """Place every live gate of an encoding.

    Example (a gate of w alone moves in front of the weight register):
        >>> import numpy as np
        >>> gates = GateNetlist(4, np.array([0, 2, 4], np.int32), np.array([2, 3, 0, 4], np.int32),
        ...     np.array([6, 8], np.uint64), np.array([5], np.int32))
        >>> plan(Encoding(gates, 2, 2, np.array([1])), ("w",))
        CellPlan(x_code=(0,), w_code=(4,), x_nodes=(), w_nodes=(4,), cell_nodes=(5,))
    """
    gates, a = encoding.gates, encoding.x_bits
    live = _live(gates)
    side = {i: "x" if i < a else "w" for i in range(gates.n_inputs)}
    for s in live:
        read = {side[q] for q in sources(gates, s)}
        side[s] = read.pop() if len(read) == 1 else "both"
    recode = set(recode)
    early = [s for s in live if side[s] in recode]
    cell = [s for s in live if side[s] not in recode]
    needed = {q for s in cell for q in sources(gates, s)} | {int(o) for o in gates.outputs if o >= 0}
    held = [s for s in range(gates.n_inputs + gates.n_nodes) if s in needed and (s < gates.n_inputs or s in early)]
    return CellPlan(
        tuple(s for s in held if side[s] == "x"), tuple(s for s in held if side[s] == "w"),
        tuple(s for s in early if side[s] == "x"), tuple(s for s in early if side[s] == "w"), tuple(cell),
    )  # fmt: skip


def cell_codes(encoding: Encoding, held: tuple[int, ...], side: str) -> np.ndarray:
    """Register contents uint64 [2^bits] of every operand pattern: bit i is signal ``held[i]``."""
    gates, bits = encoding.gates, encoding.x_bits if side == "x" else encoding.w_bits
    pattern = np.arange(1 << bits)
    value = np.zeros((len(pattern), gates.n_inputs + gates.n_nodes), np.uint8)
    first = 0 if side == "x" else encoding.x_bits
    value[:, first : first + bits] = (pattern[:, None] >> np.arange(bits)) & 1
    for s in range(gates.n_inputs, value.shape[1]):
        read = sources(gates, s)
        address = (value[:, read].astype(np.int64) << np.arange(len(read))).sum(axis=1)
        value[:, s] = (gates.tables[s - gates.n_inputs] >> address.astype(np.uint64)) & np.uint64(1)
    code = np.zeros(len(pattern), np.uint64)
    for i, s in enumerate(held):
        code |= value[:, s].astype(np.uint64) << np.uint64(i)
    return code


def _live(gates: GateNetlist) -> list[int]:
    """Nodes that an output reads, directly or not, in evaluation order."""
    seen: set[int] = set()
    stack = [int(o) for o in gates.outputs if o >= gates.n_inputs]
    while stack:
        signal = stack.pop()
        if signal not in seen:
            seen.add(signal)
            stack += [q for q in sources(gates, signal) if q >= gates.n_inputs]
    return sorted(seen)
