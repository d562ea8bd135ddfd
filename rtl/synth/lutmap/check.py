"""Proof by exhaustion that a mapped netlist computes its tables: all addresses, 64 of them in a word."""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from hwsim.ir.errors import EquivalenceError
from hwsim.ir.gates import CONST1, GateNetlist

_PATTERN = np.array(
    [0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000,
     0xFFFFFFFF00000000], dtype=np.uint64,
)  # fmt: skip


@nb.njit(cache=True)
def _lut_word(table, lanes, n):
    """64 lanes of one LUT: Shannon from the table's bits down, ``f = x ? f1 : f0`` for input after input."""
    stage = np.empty(32, np.uint64)
    zero, full = np.uint64(0), ~np.uint64(0)
    if n == 0:
        return full if table & np.uint64(1) else zero
    for i in range(1 << (n - 1)):
        pair = (table >> np.uint64(2 * i)) & np.uint64(3)
        x = lanes[0]
        stage[i] = (x if pair == 2 else ~x) if pair == 1 or pair == 2 else (full if pair == 3 else zero)
    for v in range(1, n):
        x = lanes[v]
        for i in range(1 << (n - 1 - v)):
            stage[i] = (stage[2 * i] & ~x) | (stage[2 * i + 1] & x)
    return stage[0]


@nb.njit(cache=True)
def _cone(n_inputs, offsets, fan_in, outputs, order, mark, stamp):
    """Nodes that `outputs` need, ascending, into `order`; input signals reached get their mark too."""
    top = -1
    for o in outputs:
        if o >= 0:
            mark[o] = stamp
            top = max(top, o)
    count = 0
    for signal in range(top, n_inputs - 1, -1):
        if mark[signal] == stamp:
            order[count] = signal
            count += 1
            for e in range(offsets[signal - n_inputs], offsets[signal - n_inputs + 1]):
                mark[fan_in[e]] = stamp
    for i in range(count // 2):
        order[i], order[count - 1 - i] = order[count - 1 - i], order[i]
    return count


@nb.njit(cache=True)
def _first_difference(n_inputs, offsets, fan_in, tables, order, outputs, place, wanted, care, n):
    """First (address, output bit) where the netlist differs from `wanted`, or (−1, −1); the cone is `order`.

    place[signal] = address bit that input carries, for inputs of the cone.
    """
    value = np.zeros(n_inputs + len(tables), np.uint64)
    lanes = np.zeros(6, np.uint64)
    width = 1 << n
    for word in range(max(1, width >> 6)):
        for signal in range(n_inputs):
            p = place[signal]
            if p >= 6:
                value[signal] = ~np.uint64(0) if word >> (p - 6) & 1 else np.uint64(0)
            elif p >= 0:
                value[signal] = _PATTERN[p]
        for signal in order:
            node = signal - n_inputs
            size = offsets[node + 1] - offsets[node]
            for j in range(size):
                lanes[j] = value[fan_in[offsets[node] + j]]
            value[signal] = _lut_word(tables[node], lanes, size)
        for b in range(len(outputs)):
            o = outputs[b]
            bits = value[o] if o >= 0 else (~np.uint64(0) if o == CONST1 else np.uint64(0))
            for lane in range(min(64, width)):
                a = word * 64 + lane
                if care[a] and (bits >> np.uint64(lane)) & np.uint64(1) != (wanted[a] >> b) & 1:
                    return a, b
    return -1, -1


class Checker:
    """Checks tables against cones of one netlist."""

    def __init__(self, netlist: GateNetlist) -> None:
        self.netlist = netlist
        signals = netlist.n_inputs + netlist.n_nodes
        self._order = np.empty(max(1, netlist.n_nodes), np.int64)
        self._mark = np.zeros(signals, np.int64)
        self._stamp = 0

    def check(
        self,
        outputs: np.ndarray,
        inputs: Sequence[int],
        table: np.ndarray,
        care: np.ndarray | None = None,
        where: str = "table",
    ) -> None:
        """Raise `EquivalenceError` unless the outputs equal the table on every cared address.

        Args:
            outputs: int [bits], netlist signals (or constants) of the table's output bits, lowest first.
            inputs: netlist input of every address bit, lowest first; no input twice.
            table: integers [2^n].
            care: bool [2^n] or None.
            where: name for the message.
        """
        net = self.netlist
        outputs = np.asarray(outputs, np.int64)
        self._stamp += 1
        count = _cone(net.n_inputs, net.offsets, net.fan_in, outputs, self._order, self._mark, self._stamp)
        place = np.full(net.n_inputs, -1, np.int64)
        place[list(inputs)] = np.arange(len(inputs))
        foreign = np.flatnonzero((self._mark[: net.n_inputs] == self._stamp) & (place < 0))
        if len(foreign):
            raise EquivalenceError.of(
                f"{where}: the netlist reads an input that the table does not have",
                f"input {int(foreign[0])}",
                f"inputs {sorted(inputs)}",
                "Map the table again.",
            )
        wanted = np.asarray(table).astype(np.int64)
        if care is None:
            care = np.ones(len(wanted), dtype=bool)
        address, bit = _first_difference(
            net.n_inputs, net.offsets, net.fan_in, net.tables, self._order[:count], outputs, place, wanted, care,
            len(inputs),
        )  # fmt: skip
        if address >= 0:
            raise EquivalenceError.of(
                f"{where}: the mapped netlist differs from its table",
                f"output bit {int(bit)} = {1 - int(wanted[address] >> bit & 1)} at address {int(address)}",
                int(wanted[address] >> bit & 1),
                "This is a defect of the mapper; report it with the table.",
            )


def prove_equal(netlist: GateNetlist, table: np.ndarray, care: np.ndarray | None = None) -> None:
    """Raise `EquivalenceError` unless `netlist` (inputs = address bits) computes `table` on cared addresses."""
    Checker(netlist).check(netlist.outputs, range(netlist.n_inputs), table, care)
