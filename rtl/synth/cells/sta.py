"""Static timing over Liberty delay tables: latest arrival and slew of every net, rising and falling apart.

Model: ideal clock of given slew; every sink pin adds a fixed wire capacitance to its net (no wire resistance, no
placement); worst slew and worst arrival are merged apart, as timers do by default. A path starts at a clock edge or
an input (arrival 0) and ends at a register (setup time added) or an output.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import sqrt

import numba as nb
import numpy as np

from hwsim.ir.errors import UsageError
from rtl.synth.cells.graph import Graph, build_graph
from rtl.synth.cells.library import Arc, Library
from rtl.synth.cells.netlist import CellNetlist
from rtl.synth.cells.roles import find_gate
from rtl.synth.cells.still import still_nets
from rtl.synth.cells.tables import Table

# Wire capacitance a sink pin: 1 fF for each µm of √(area of the smallest NAND2). That is 0.9 fF in Nangate 45 nm, the
# figure of the project's first measurements, and stands for 0.18 fF/µm × a wire of 5.6 gate widths.
WIRE_FF_PER_UM = 1.0
_EDGES = ("rise", "fall")


@dataclass(frozen=True)
class Conditions:
    """What the netlist does not say.

    Attributes:
        wire_ff: wire capacitance a sink pin in fF; None for `default_wire_ff` of the library.
        input_slew_ps, clock_slew_ps: transition time of inputs and of the clock.
        output_load_ff: load of every output port beside its wire.
        still: input ports that hold still while the design works; no path starts at them, nor at registers that only
            load from them (`rtl.synth.cells.still`).
    """

    wire_ff: float | None = None
    input_slew_ps: float = 0.0
    clock_slew_ps: float = 0.0
    output_load_ff: float = 0.0
    still: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Timing:
    """Result of `analyse`.

    Attributes:
        critical_path_ps: longest path, setup time included: the shortest clock period.
        path: (instance or port, pin, arrival in ps) along it.
        arrival_ps, slew_ps: [n_nets, 2], rise and fall; −inf where nothing arrives.
        load_ff: [n_nets]. edge_delay_ps: [n_edges] of the graph, mean of both edges. q_delay_ps: clock to output.
        graph: the gates.
    """

    critical_path_ps: float
    path: tuple[tuple[str, str, float], ...]
    arrival_ps: np.ndarray
    slew_ps: np.ndarray
    load_ff: np.ndarray
    edge_delay_ps: np.ndarray
    q_delay_ps: np.ndarray
    graph: Graph
    conditions: Conditions = field(default_factory=Conditions)


def default_wire_ff(library: Library) -> float:
    """Wire capacitance a sink pin, fF: `WIRE_FF_PER_UM` × √(area of the smallest NAND2 or NOR2)."""
    gate = find_gate(library, 0x7, 2) or find_gate(library, 0x1, 2)
    if gate is None:
        raise UsageError.of(
            f"library {library.name}", "no NAND2 or NOR2", "wire_ff to be given", "Set Conditions.wire_ff."
        )
    return WIRE_FF_PER_UM * sqrt(gate.area_um2)


def wire_of(library: Library, conditions: Conditions) -> float:
    """Wire capacitance a sink pin in fF: the one given, or the library's default."""
    return default_wire_ff(library) if conditions.wire_ff is None else conditions.wire_ff


def net_loads(netlist: CellNetlist, conditions: Conditions) -> np.ndarray:
    """Load of every net in fF: capacitances of its sink pins, one wire piece a sink, output ports."""
    wire = wire_of(netlist.library, conditions)
    load = np.zeros(netlist.n_nets)
    for k, kind in enumerate(netlist.kinds):
        base = netlist.offsets[:-1][netlist.kind == k]
        for j, pin in enumerate(kind.pins.values()):
            nets = netlist.nets[base + j]
            if pin.direction == "input":
                np.add.at(load, nets[nets >= 0], pin.capacitance_ff + wire)
    for nets in netlist.outputs.values():
        np.add.at(load, nets, conditions.output_load_ff + wire)
    return load


class _Pool:
    """Tables of all arcs in flat arrays, for the kernel."""

    def __init__(self) -> None:
        self.index: dict[int, int] = {}
        self.tables: list[Table] = []

    def of(self, table: Table | None) -> int:
        if table is None:
            return -1
        if id(table) not in self.index:
            self.index[id(table)] = len(self.tables)
            self.tables.append(table)
        return self.index[id(table)]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [n_tables, 3]: offset, rows, columns; flat numbers: slews, loads, values)."""
        heads, flat, at = [], [], 0
        for table in self.tables:
            parts = np.concatenate([table.slew_ps, table.load_ff, table.values.ravel()])
            heads.append((at, len(table.slew_ps), len(table.load_ff)))
            flat.append(parts)
            at += len(parts)
        return np.array(heads, np.int64).reshape(-1, 3), np.concatenate(flat or [np.zeros(0)])


_SENSE = {"positive_unate": 0, "negative_unate": 1}


def _arc_rows(arcs: list[Arc], order: dict[str, int], pool: _Pool) -> list[tuple[int, ...]]:
    """(input pin, sense, four tables) of the arcs of one output."""
    rows = []
    for arc in arcs:
        t = arc.tables
        tables = (t.get("cell_rise"), t.get("cell_fall"), t.get("rise_transition"), t.get("fall_transition"))
        rows.append((order[arc.related], _SENSE.get(arc.sense, 2), *(pool.of(table) for table in tables)))
    return rows


def _is_delay(arc: Arc) -> bool:
    return arc.type in ("combinational", "combinational_rise", "combinational_fall") and bool(arc.tables)


def analyse(netlist: CellNetlist, conditions: Conditions | None = None, graph: Graph | None = None) -> Timing:
    """Arrival times of a netlist.

    Args:
        netlist: from `map_cells`.
        conditions: wire, slews and loads.
        graph: of the same netlist, when it is there already.

    Raises:
        UsageError: an output pin without delay tables.
    """
    conditions = conditions or Conditions()
    graph = graph or build_graph(netlist)
    load = net_loads(netlist, conditions)
    pool = _Pool()
    starts, rows = _gate_arcs(graph, pool)
    arrival = np.full((netlist.n_nets, 2), -np.inf)
    slew = np.zeros((netlist.n_nets, 2))
    for nets in netlist.inputs.values():
        arrival[nets], slew[nets] = 0.0, conditions.input_slew_ps
    q_delay = _launch(graph, load, conditions, arrival, slew)
    if conditions.still:
        arrival[still_nets(graph, conditions.still)] = -np.inf
    heads, flat = pool.arrays()
    source = np.full((netlist.n_nets, 2), -1, np.int64)
    edge_delay = np.zeros(len(graph.fan_in))
    _propagate(
        graph.out, graph.offsets, graph.fan_in, starts, rows, heads, flat, load, arrival, slew, source, edge_delay
    )
    ends = _endpoints(graph, conditions, arrival, slew)
    worst = max(ends, default=(0.0, 0, 0, "", ""))
    path = _path(graph, arrival, source, worst) if ends else ()
    return Timing(max(worst[0], 0.0), path, arrival, slew, load, edge_delay, q_delay, graph, replace(conditions))


def critical_path_ps(netlist: CellNetlist, conditions: Conditions | None = None) -> float:
    """Shortest clock period of a netlist in ps; see `analyse`."""
    return analyse(netlist, conditions).critical_path_ps


def _gate_arcs(graph: Graph, pool: _Pool) -> tuple[np.ndarray, np.ndarray]:
    """CSR of delay arcs a gate: rows of (edge of the gate, sense, four tables)."""
    netlist = graph.netlist
    known: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    starts, rows = [0], []
    edge_pin, offsets = graph.edge_pin.tolist(), graph.offsets.tolist()
    for g, (cell, pin) in enumerate(zip(graph.cell.tolist(), graph.pin.tolist(), strict=True)):
        kind = netlist.kinds[netlist.kind[cell]]
        key = (int(netlist.kind[cell]), pin)
        if key not in known:
            order = {name: i for i, name in enumerate(kind.pins)}
            arcs = [arc for arc in list(kind.pins.values())[pin].arcs if _is_delay(arc)]
            known[key] = _arc_rows(arcs, order, pool)
            if kind.inputs and not arcs and offsets[g + 1] > offsets[g]:
                raise UsageError.of(
                    f"cell {kind.name}", "no delay tables", "cell_rise, cell_fall", "Use a full library."
                )
        edges = {p: k for k, p in enumerate(edge_pin[offsets[g] : offsets[g + 1]])}
        rows += [(edges[row[0]], *row[1:]) for row in known[key] if row[0] in edges]
        starts.append(len(rows))
    return np.array(starts, np.int64), np.array(rows, np.int64).reshape(-1, 6)


def _launch(
    graph: Graph, load: np.ndarray, conditions: Conditions, arrival: np.ndarray, slew: np.ndarray
) -> np.ndarray:
    """Arrival and slew of register outputs; returns clock-to-output delays (mean of both edges), ps."""
    delays = np.zeros(len(graph.q_net))
    netlist = graph.netlist
    kinds = netlist.kind[graph.register[graph.q_register]] if len(graph.q_net) else np.zeros(0, np.int32)
    for kind, pin in {(int(k), int(p)) for k, p in zip(kinds, graph.q_pin, strict=True)}:
        chosen = np.flatnonzero((kinds == kind) & (graph.q_pin == pin))
        nets = graph.q_net[chosen]
        arcs = [
            a for a in list(netlist.kinds[kind].pins.values())[pin].arcs if a.type in ("rising_edge", "falling_edge")
        ]
        for arc in arcs:
            for e, edge in enumerate(_EDGES):
                if f"cell_{edge}" in arc.tables:
                    delay = arc.tables[f"cell_{edge}"].at(conditions.clock_slew_ps, load[nets])
                    arrival[nets, e] = np.maximum(arrival[nets, e], delay)
                    change = arc.tables[f"{edge}_transition"].at(conditions.clock_slew_ps, load[nets])
                    slew[nets, e] = np.maximum(slew[nets, e], change)
        if not arcs:
            raise UsageError.of(
                f"cell {netlist.kinds[kind].name}", "no clock-to-output table", "rising_edge arcs", "Mend it."
            )
        delays[chosen] = arrival[nets].mean(axis=1)
    return delays


End = tuple[float, int, int, str, str]


def _endpoints(graph: Graph, conditions: Conditions, arrival: np.ndarray, slew: np.ndarray) -> list[End]:
    """(time with setup, net, edge, instance or port, pin) of the worst edge of every end of a path."""
    netlist = graph.netlist
    ends: list[End] = []
    kinds = netlist.kind[graph.register] if len(graph.register) else np.zeros(0, np.int32)
    for kind in set(kinds.tolist()):
        cell = netlist.kinds[kind]
        chosen = np.flatnonzero(kinds == kind)
        pin = list(cell.pins.values())[graph.data_pin[chosen[0]]]
        for e, edge in enumerate(_EDGES):
            nets = graph.data[chosen]
            setup = np.zeros(len(chosen))
            for arc in pin.arcs:
                if arc.type.startswith("setup") and (table := arc.tables.get(f"{edge}_constraint")):
                    setup = np.maximum(setup, table.at(slew[nets, e], conditions.clock_slew_ps))
            total = arrival[nets, e] + setup
            if len(total):
                w = int(total.argmax())
                ends.append((float(total[w]), int(nets[w]), e, netlist.names[graph.register[chosen[w]]], pin.name))
    for name, nets in netlist.outputs.items():
        for bit, net in enumerate(nets.tolist()):
            e = int(arrival[net].argmax())
            ends.append((float(arrival[net, e]), net, e, f"{name}[{bit}]", ""))
    return [end for end in ends if np.isfinite(end[0])]


def _path(graph: Graph, arrival: np.ndarray, source: np.ndarray, end: End) -> tuple[tuple[str, str, float], ...]:
    """Instances from the start of a path to its end."""
    netlist = graph.netlist
    time, net, edge, name, pin = end
    steps = [(name, pin, time)]
    gate_of = {int(out): g for g, out in enumerate(graph.out.tolist())}
    while True:
        driver = graph.driver[net]
        if driver < 0:
            port = next((p for p, nets in netlist.inputs.items() if net in nets), "constant")
            steps.append((port, "", float(arrival[net, edge])))
            break
        g = gate_of.get(net)
        index = graph.pin[g] if g is not None else graph.q_pin[int(np.flatnonzero(graph.q_net == net)[0])]
        steps.append(
            (netlist.names[driver], list(netlist.kinds[netlist.kind[driver]].pins)[index], float(arrival[net, edge]))
        )
        if g is None or source[net, edge] < 0:
            break
        net, edge = int(source[net, edge] // 2), int(source[net, edge] % 2)
    return tuple(reversed(steps))


@nb.njit(cache=True, inline="always")
def _lookup(heads: np.ndarray, flat: np.ndarray, table: int, slew: float, load: float) -> float:
    """Bilinear value of one table, linear outside its grid."""
    at, rows, columns = heads[table]
    i, u = 0, 0.0
    if rows > 1:
        while i < rows - 2 and flat[at + i + 1] <= slew:
            i += 1
        u = (slew - flat[at + i]) / (flat[at + i + 1] - flat[at + i])
    j, v = 0, 0.0
    base = at + rows
    if columns > 1:
        while j < columns - 2 and flat[base + j + 1] <= load:
            j += 1
        v = (load - flat[base + j]) / (flat[base + j + 1] - flat[base + j])
    value = base + columns + i * columns + j
    right = 1 if columns > 1 else 0
    down = columns if rows > 1 else 0
    low = flat[value] * (1 - v) + flat[value + right] * v
    high = flat[value + down] * (1 - v) + flat[value + down + right] * v
    return low * (1 - u) + high * u


@nb.njit(cache=True)
def _propagate(out, offsets, fan_in, starts, rows, heads, flat, load, arrival, slew, source, edge_delay):
    """Arrival and slew of every gate's output, and the mean delay of every input edge.

    `rows`: (input edge, sense 0 positive, 1 negative, 2 both; rise and fall delay, rise and fall transition table).
    """
    for g in range(len(out)):
        net = out[g]
        for k in range(starts[g], starts[g + 1]):
            edge, sense = rows[k, 0], rows[k, 1]
            source_net = fan_in[offsets[g] + edge]
            total, count = 0.0, 0
            for e in range(2):
                if rows[k, 2 + e] < 0:
                    continue
                for s in range(2):
                    if (sense == 0 and s != e) or (sense == 1 and s == e) or arrival[source_net, s] == -np.inf:
                        continue
                    delay = _lookup(heads, flat, rows[k, 2 + e], slew[source_net, s], load[net])
                    total += delay
                    count += 1
                    if arrival[source_net, s] + delay > arrival[net, e]:
                        arrival[net, e] = arrival[source_net, s] + delay
                        source[net, e] = 2 * source_net + s
                    change = _lookup(heads, flat, rows[k, 4 + e], slew[source_net, s], load[net])
                    if change > slew[net, e]:
                        slew[net, e] = change
            if count and total / count > edge_delay[offsets[g] + edge]:
                edge_delay[offsets[g] + edge] = total / count
