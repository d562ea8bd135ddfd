"""A netlist as gates in topological order: one gate an output pin, truth table and input nets; registers apart.

Timing, toggles and power all walk these arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba as nb
import numpy as np

from hwsim.ir.errors import UsageError
from rtl.synth.cells.library import Cell
from rtl.synth.cells.logic import names_of, truth_table
from rtl.synth.cells.netlist import CellNetlist


@dataclass(frozen=True, eq=False)
class Graph:
    """Gates of a netlist.

    Attributes:
        netlist: where they come from.
        clock: net of the clock, −1 in a combinational netlist.
        cell, pin: int32 [n_gates], instance and pin (index into the cell's pins) whose output a gate is.
        out: int32 [n_gates], net driven. table: uint64 [n_gates], bit a = value at address a.
        offsets: int64 [n_gates + 1]; gate g reads ``fan_in[offsets[g]:offsets[g+1]]``, address bit 0 first.
        fan_in: int32 [n_edges], nets. edge_pin: int32 [n_edges], pin of the same cell.
        register: int32 [n_registers], instances of flip-flops. data: int32, net of the data pin.
        data_pin: int32, that pin. inverted: uint8, the state takes the complement of the data.
        q_register, q_net, q_pin, q_inverted: output pins of registers: position in `register`, net, pin, complement.
        clear, preset: int32 [n_registers], net of the asynchronous control or −1; *_low: active when 0.
    """

    netlist: CellNetlist
    clock: int
    cell: np.ndarray
    pin: np.ndarray
    out: np.ndarray
    table: np.ndarray
    offsets: np.ndarray
    fan_in: np.ndarray
    edge_pin: np.ndarray
    register: np.ndarray
    data: np.ndarray
    data_pin: np.ndarray
    inverted: np.ndarray
    q_register: np.ndarray
    q_net: np.ndarray
    q_pin: np.ndarray
    q_inverted: np.ndarray
    clear: np.ndarray
    clear_low: np.ndarray
    preset: np.ndarray
    preset_low: np.ndarray

    @property
    def n_gates(self) -> int:
        return len(self.out)

    @cached_property
    def driver(self) -> np.ndarray:
        """int32 [n_nets], instance that drives each net, −1 for inputs and constants."""
        driver = np.full(self.netlist.n_nets, -1, dtype=np.int32)
        driver[self.out] = self.cell
        driver[self.q_net] = self.register[self.q_register]
        return driver


@dataclass(frozen=True)
class _Shape:
    """What a cell type contributes: (pin index, inputs' pin indices, table) of every output."""

    outputs: tuple[tuple[int, tuple[int, ...], int], ...]


def _shape(cell: Cell) -> _Shape:
    order = {pin: i for i, pin in enumerate(cell.pins)}
    outputs = []
    for out in cell.outputs:
        names, table = cell.table(out)
        outputs.append((order[out], tuple(order[name] for name in names), table))
    return _Shape(tuple(outputs))


def build_graph(netlist: CellNetlist) -> Graph:
    """Gates and registers of a netlist, sorted.

    Raises:
        UsageError: a loop of gates, a net with two drivers, or more than one clock.
    """
    gates = _gates(netlist)
    registers = _registers(netlist)
    order = _sorted(netlist, gates)
    sizes = np.diff(gates["offsets"])
    starts = gates["offsets"][:-1][order]
    edges = np.concatenate(
        [np.arange(s, s + n) for s, n in zip(starts, sizes[order], strict=True)] or [np.zeros(0, int)]
    )
    offsets = np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64)
    edges = edges.astype(np.int64)
    return Graph(
        netlist=netlist, cell=gates["cell"][order], pin=gates["pin"][order], out=gates["out"][order],
        table=gates["table"][order], offsets=offsets, fan_in=gates["fan_in"][edges], edge_pin=gates["edge_pin"][edges],
        **registers,
    )  # fmt: skip


def _gates(netlist: CellNetlist) -> dict[str, np.ndarray]:
    """Gates in netlist order."""
    cell: list[int] = []
    pin: list[int] = []
    out: list[int] = []
    table: list[int] = []
    offsets, fan_in, edge_pin = [0], [], []
    shapes = [_shape(kind) if kind.flip_flop is None else None for kind in netlist.kinds]
    nets, starts = netlist.nets.tolist(), netlist.offsets.tolist()
    for i, kind in enumerate(netlist.kind.tolist()):
        shape = shapes[kind]
        if shape is None:
            continue
        for out_pin, inputs, function in shape.outputs:
            if nets[starts[i] + out_pin] < 0:
                continue
            cell.append(i)
            pin.append(out_pin)
            out.append(nets[starts[i] + out_pin])
            table.append(function)
            fan_in += [nets[starts[i] + p] for p in inputs]
            edge_pin += inputs
            offsets.append(len(fan_in))
    if fan_in and min(fan_in) < 0:
        raise UsageError.of(f"netlist {netlist.top}", "a gate with an open input", "all inputs connected", "Map again.")
    return {
        "cell": np.array(cell, np.int32), "pin": np.array(pin, np.int32), "out": np.array(out, np.int32),
        "table": np.array(table, np.uint64), "offsets": np.array(offsets, np.int64),
        "fan_in": np.array(fan_in, np.int32), "edge_pin": np.array(edge_pin, np.int32),
    }  # fmt: skip


def _registers(netlist: CellNetlist) -> dict:
    """Register fields of `Graph`."""
    names = ("register", "data", "data_pin", "inverted", "q_register", "q_net", "q_pin", "q_inverted",
             "clear", "clear_low", "preset", "preset_low")  # fmt: skip
    lists: dict[str, list[int]] = {name: [] for name in names}
    clocks: set[tuple[int, bool]] = set()
    for i in np.flatnonzero(netlist.is_register).tolist():
        kind, nets = netlist.kinds[netlist.kind[i]], netlist.instance(i)
        ff = kind.flip_flop
        assert ff is not None
        order = {pin: k for k, pin in enumerate(kind.pins)}
        (data,), (clock,) = names_of(ff.next_state), names_of(ff.clocked_on)
        clocks.add((nets[clock], truth_table(ff.clocked_on, (clock,)) == 1))
        for key, text in (("clear", ff.clear), ("preset", ff.preset)):
            pins = names_of(text)
            lists[key].append(nets[pins[0]] if pins else -1)
            lists[f"{key}_low"].append(int(bool(pins) and truth_table(text, pins[:1]) == 1))
        for out in kind.outputs:
            if nets[out] >= 0:
                inverted = _is_inverted(kind, out)
                for key, value in (("q_register", len(lists["register"])), ("q_net", nets[out]), ("q_pin", order[out]),
                                   ("q_inverted", int(inverted))):  # fmt: skip
                    lists[key].append(value)
        lists["register"].append(i)
        lists["data"].append(nets[data])
        lists["data_pin"].append(order[data])
        lists["inverted"].append(int(truth_table(ff.next_state, (data,)) == 1))
    if len(clocks) > 1:
        raise UsageError.of(f"clocks of {netlist.top}", f"{len(clocks)} clock nets or edges", "one", "Use one clock.")
    small = {"inverted", "q_inverted", "clear_low", "preset_low"}
    arrays = {name: np.array(v, np.uint8 if name in small else np.int32) for name, v in lists.items()}
    return {**arrays, "clock": clocks.pop()[0] if clocks else -1}


def _is_inverted(kind: Cell, out: str) -> bool:
    """The output shows the complement of the state."""
    ff = kind.flip_flop
    assert ff is not None
    names, table = kind.table(out)
    return (names == (ff.inverse,)) != (table == 1)


def _sorted(netlist: CellNetlist, gates: dict[str, np.ndarray]) -> np.ndarray:
    drivers = np.bincount(gates["out"], minlength=netlist.n_nets)
    if (drivers > 1).any():
        raise UsageError.of(f"netlist {netlist.top}", "a net with two drivers", "one driver a net", "Mend the Verilog.")
    order = _topological(gates["out"], gates["offsets"], gates["fan_in"], netlist.n_nets)
    if len(order) < len(gates["out"]):
        left = len(gates["out"]) - len(order)
        raise UsageError.of(
            f"netlist {netlist.top}", f"a loop of gates ({left} gates)", "registers in every loop", "Mend it."
        )
    return order


@nb.njit(cache=True)
def _topological(out: np.ndarray, offsets: np.ndarray, fan_in: np.ndarray, n_nets: int) -> np.ndarray:
    """Kahn's algorithm; shorter than `out` when there is a loop."""
    n = len(out)
    driver = np.full(n_nets, -1, np.int64)
    for g in range(n):
        driver[out[g]] = g
    waiting = np.zeros(n, np.int64)
    starts = np.zeros(n + 1, np.int64)
    for g in range(n):
        for e in range(offsets[g], offsets[g + 1]):
            if driver[fan_in[e]] >= 0:
                waiting[g] += 1
                starts[driver[fan_in[e]] + 1] += 1
    for g in range(n):
        starts[g + 1] += starts[g]
    readers = np.zeros(starts[n], np.int64)
    fill = starts.copy()
    for g in range(n):
        for e in range(offsets[g], offsets[g + 1]):
            d = driver[fan_in[e]]
            if d >= 0:
                readers[fill[d]] = g
                fill[d] += 1
    order = np.zeros(n, np.int64)
    count = 0
    for g in range(n):
        if waiting[g] == 0:
            order[count] = g
            count += 1
    at = 0
    while at < count:
        g = order[at]
        at += 1
        for k in range(starts[g], starts[g + 1]):
            r = readers[k]
            waiting[r] -= 1
            if waiting[r] == 0:
                order[count] = r
                count += 1
    return order[:count]
