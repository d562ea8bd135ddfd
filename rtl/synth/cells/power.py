"""Power from toggles: Liberty energy tables, ½CV² of pins and wires, clock pins, leakage; by part and by group.

For every change of a net its driver pays ½CV² (C: sink pins and wire, V: supply) and the table of its output pin,
read at the slew of the causing input and at the load, mean of rising and falling; every sink pin pays its own table.
Tables of one pin that differ by a condition are weighted by the probability of that condition (signals taken as
independent, with the measured shares of ones); several causing pins by how often each toggles. Where a table of an
output already grows by ½V² a fF — it holds the load's energy, as those of IHP's flip-flops do — that part is taken off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hwsim.ir.errors import UsageError
from rtl.synth.cells.graph import Graph, build_graph
from rtl.synth.cells.library import Cell, Energy
from rtl.synth.cells.logic import MAX_INPUTS, names_of, truth_table
from rtl.synth.cells.netlist import CellNetlist
from rtl.synth.cells.simulate import Activity
from rtl.synth.cells.sta import Timing, analyse, wire_of
from rtl.synth.cells.tables import Table

PARTS = ("register", "clock", "combinational", "leakage")
_FJ_MHZ = 1e-6  # fJ a cycle × MHz → mW
_INSTANCE = re.compile(r"^(?:\$flatten)?([A-Za-z_]\w*?)(?:_?\d+|\[\d+\])*\.")


@dataclass(frozen=True)
class PowerReport:
    """Power of a netlist at one clock, in mW.

    Attributes:
        total_mw: all of it, with glitches when they were simulated.
        no_glitch_mw: with every net changing at most once a cycle.
        glitch_mw: what glitches add, None when they were not simulated.
        register_mw, clock_mw, combinational_mw: dynamic parts of `total_mw`: flip-flops and the nets they drive, clock
            pins and clock wire, the rest. leakage_mw: of all cells.
        groups: the four parts by group of instances.
        clock_mhz, wire_ff: clock, wire capacitance a sink pin. energy_fj: mean energy a cycle, leakage left out.
    """

    total_mw: float
    no_glitch_mw: float
    glitch_mw: float | None
    register_mw: float
    clock_mw: float
    combinational_mw: float
    leakage_mw: float
    groups: Mapping[str, Mapping[str, float]]
    clock_mhz: float
    wire_ff: float
    energy_fj: float


@dataclass(frozen=True, eq=False)
class Energies:
    """Energy of one toggle in fJ.

    Attributes:
        driver: [n_nets], ½CV² and the driver's output pin. sink: [n_pins], an input pin's own table; 0 elsewhere.
        clock: [n_cells], of a whole clock cycle at the clock pin of a register, its wire and pin load included.
    """

    driver: np.ndarray
    sink: np.ndarray
    clock: np.ndarray


@dataclass(frozen=True, eq=False)
class _Context:
    """What the tables are read with."""

    netlist: CellNetlist
    slew: np.ndarray  # [n_nets], mean of both edges, ps
    load: np.ndarray  # [n_nets], fF
    share: np.ndarray  # [n_nets], probability of 1
    rate: np.ndarray  # [n_nets], toggles
    half_v2: float  # V²/2
    clock: int  # net


def power_mw(
    netlist: CellNetlist,
    activity: Activity,
    clock_mhz: float,
    *,
    timing: Timing | None = None,
    groups: Mapping[str, str] | None = None,
) -> PowerReport:
    """Power of simulated streams.

    Args:
        netlist: the simulated netlist.
        activity: from `simulate_cells`; with glitch toggles these are what is charged.
        clock_mhz: clock frequency.
        timing: slews, loads and wire capacitance; `analyse(netlist)` when None.
        groups: pattern (`re.search` in the instance name) by group name, first match wins; None groups by the
            top-level instance without its number (``pe_17.…`` is ``pe``); see `group_of_cells` for the others.

    Raises:
        UsageError: a clock that is not positive, or an activity of another netlist.
    """
    if not clock_mhz > 0:
        raise UsageError.of("clock_mhz", clock_mhz, "a positive frequency", "Give the clock in MHz.")
    if activity.graph.netlist is not netlist:
        raise UsageError.of("activity", "of another netlist", f"one of {netlist.top}", "Simulate this netlist.")
    timing = timing or analyse(netlist, graph=activity.graph)
    energies = toggle_energies(netlist, activity, timing)
    labels, of_cell = group_of_cells(netlist, groups, activity.graph)
    plain = _by_part(netlist, activity, activity.toggles, energies, of_cell, len(labels))
    toggles = activity.toggles if activity.glitch_toggles is None else activity.glitch_toggles
    charged = _by_part(netlist, activity, toggles, energies, of_cell, len(labels))
    leakage = np.zeros(len(labels))
    np.add.at(leakage, of_cell, np.array([kind.leakage_nw for kind in netlist.kinds])[netlist.kind] * 1e-6)
    mw = charged * clock_mhz * _FJ_MHZ
    table = {
        label: {**{part: float(mw[i, k]) for k, part in enumerate(PARTS[:3])}, "leakage": float(leakage[i])}
        for i, label in enumerate(labels)
        if mw[i].any() or leakage[i]
    }
    total, quiet = float(mw.sum() + leakage.sum()), float(plain.sum() * clock_mhz * _FJ_MHZ + leakage.sum())
    return PowerReport(
        total_mw=total,
        no_glitch_mw=quiet,
        glitch_mw=None if activity.glitch_toggles is None else total - quiet,
        register_mw=float(mw[:, 0].sum()),
        clock_mw=float(mw[:, 1].sum()),
        combinational_mw=float(mw[:, 2].sum()),
        leakage_mw=float(leakage.sum()),
        groups=table,
        clock_mhz=clock_mhz,
        wire_ff=wire_of(netlist.library, timing.conditions),
        energy_fj=float(charged.sum()),
    )


def group_of_cells(
    netlist: CellNetlist, groups: Mapping[str, str] | None, graph: Graph | None = None
) -> tuple[list[str], np.ndarray]:
    """(group names, int32 [n_cells] group of every instance); the last group, ``inputs``, has no instance.

    Mappers forget the names of plain gates. A gate without a group of its own whose readers, through such gates, all
    lie in one group X goes to ``before X``: in a flat column of AND gates and a heap of adders, the encoder.
    """
    patterns = {name: re.compile(pattern) for name, pattern in (groups or {}).items()}
    rest = "top" if groups is None else "other"
    labels = {rest: 0}
    found = np.zeros(netlist.n_cells, dtype=np.int32)
    for i, name in enumerate(netlist.names):
        label = next((group for group, pattern in patterns.items() if pattern.search(name)), None)
        if label is None and groups is None and (instance := _INSTANCE.match(name)):
            label = instance[1]
        found[i] = labels.setdefault(label or rest, len(labels))
    _infer(graph or build_graph(netlist), found, labels)
    return [*labels, "inputs"], found


def _infer(graph: Graph, found: np.ndarray, labels: dict[str, int]) -> None:
    """Give gates of group 0 the group ``before X`` of their readers, from the outputs back."""
    names = list(labels)
    reader: dict[int, int] = dict.fromkeys(graph.data.tolist(), 0)  # net → group of its readers, 0 when they differ
    for nets in graph.netlist.outputs.values():
        reader |= dict.fromkeys(nets.tolist(), 0)
    offsets, fan_in = graph.offsets.tolist(), graph.fan_in.tolist()
    cells, outs, own = graph.cell.tolist(), graph.out.tolist(), found.tolist()
    for g in range(graph.n_gates - 1, -1, -1):
        group = own[cells[g]] or reader.get(outs[g], 0)
        if not own[cells[g]] and group:
            found[cells[g]] = labels.setdefault(f"before {names[group]}", len(labels))
        for net in fan_in[offsets[g] : offsets[g + 1]]:
            reader[net] = group if reader.get(net, group) == group else 0


def toggle_energies(netlist: CellNetlist, activity: Activity, timing: Timing) -> Energies:
    """Energy of one toggle of every net and pin, and of a clock cycle of every register."""
    graph = activity.graph
    share = activity.ones / max(1, activity.cycles)
    if graph.clock >= 0:
        share[graph.clock] = 0.5
    half_v2 = 0.5 * netlist.library.voltage**2
    slew = np.where(np.isfinite(timing.arrival_ps).any(axis=1), timing.slew_ps.mean(axis=1), 0.0)
    if graph.clock >= 0:
        slew[graph.clock] = timing.conditions.clock_slew_ps
    context = _Context(netlist, slew, timing.load_ff, share, activity.toggles + 1e-9, half_v2, graph.clock)
    driver = half_v2 * timing.load_ff
    sink = np.zeros(len(netlist.nets))
    clock = np.zeros(netlist.n_cells)
    wire = wire_of(netlist.library, timing.conditions)
    for k, kind in enumerate(netlist.kinds):
        cells = np.flatnonzero(netlist.kind == k)
        for j, pin in enumerate(kind.pins.values()):
            at = netlist.offsets[cells] + j
            nets = netlist.nets[at]
            real = nets >= 0
            if pin.direction == "output" and pin.function is not None:
                energy = _output_energy(context, kind, cells[real], nets[real], pin.energies)
                np.add.at(driver, nets[real], energy)
            elif pin.direction == "input":
                energy = _input_energy(context, kind, cells[real], nets[real], pin.energies)
                is_clock = nets[real] == graph.clock
                sink[at[real][~is_clock]] = energy[~is_clock]
                load = half_v2 * (pin.capacitance_ff + wire)
                clock[cells[real][is_clock]] += 2 * (energy[is_clock] + load)
    return Energies(driver, sink, clock)


def _by_part(
    netlist: CellNetlist, activity: Activity, toggles: np.ndarray, energies: Energies, of_cell: np.ndarray, n: int
) -> np.ndarray:
    """fJ a cycle [n_groups, 3]: register, clock, combinational."""
    graph, out = activity.graph, np.zeros((n, 3))
    rate = toggles / max(1, activity.cycles)
    if graph.clock >= 0:
        rate[graph.clock] = 0.0  # charged at the registers
    part = np.where(netlist.is_register, 0, 2)
    driver = graph.driver
    inside = driver >= 0
    np.add.at(out, (of_cell[driver[inside]], part[driver[inside]]), (rate * energies.driver)[inside])
    outside = (rate * energies.driver)[~inside]
    out[n - 1, 2] += float(outside[2:].sum()) if len(outside) > 2 else 0.0
    owner = np.repeat(np.arange(netlist.n_cells), np.diff(netlist.offsets))
    connected = netlist.nets >= 0
    np.add.at(out, (of_cell[owner[connected]], part[owner[connected]]),
              rate[netlist.nets[connected]] * energies.sink[connected])  # fmt: skip
    np.add.at(out[:, 1], of_cell, energies.clock)
    return out


@dataclass(frozen=True)
class _Group:
    """Tables of one cause and condition; supplies that are listed apart belong together."""

    related: str
    when: str
    tables: list[Energy] = field(default_factory=list)


def _grouped(energies: tuple[Energy, ...]) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for energy in energies:
        groups.setdefault((energy.related, energy.when), _Group(energy.related, energy.when)).tables.append(energy)
    return list(groups.values())


def _output_energy(
    context: _Context, kind: Cell, cells: np.ndarray, nets: np.ndarray, energies: tuple[Energy, ...]
) -> np.ndarray:
    """Table energy of one toggle of an output pin, fJ [cells]; several causes weighted by their toggles."""
    groups = _grouped(energies)
    clocks = names_of(kind.flip_flop.clocked_on) if kind.flip_flop else None
    causes = [name for name in dict.fromkeys(g.related for g in groups) if clocks is None or name in clocks]
    total, weight = np.zeros(len(cells)), np.zeros(len(cells))
    for cause in causes:
        source = _pin_net(context, kind, cells, cause)
        slew = np.where(source >= 0, context.slew[source], 0.0)
        mine = [g for g in groups if g.related == cause]
        share, energy = np.zeros(len(cells)), np.zeros(len(cells))
        for group in mine:
            p = _probability(context, kind, cells, group.when, len(mine)) + 1e-12
            share += p
            energy += p * sum(_mean(e, slew, context.load[nets], context.half_v2) for e in group.tables)
        w = np.where(source >= 0, context.rate[source], 1e-9)
        total += w * energy / share
        weight += w
    return total / np.where(weight > 0, weight, 1.0)


def _input_energy(
    context: _Context, kind: Cell, cells: np.ndarray, nets: np.ndarray, energies: tuple[Energy, ...]
) -> np.ndarray:
    """Table energy of one toggle of an input pin, fJ [cells].

    Conditions of a gate's input are the states in which its output stays: where they are given, the table without a
    condition is their average for simpler tools and is not added; at a register it stands for the states left.
    """
    groups = _grouped(energies)
    given = [g for g in groups if g.when]
    total, left = np.zeros(len(cells)), np.ones(len(cells))
    for group in given:
        p = _probability(context, kind, cells, group.when, len(given))
        left -= p
        total += p * sum(_mean(e, context.slew[nets], np.zeros(len(nets)), 0.0) for e in group.tables)
    if not given or kind.flip_flop is not None:
        for group in (g for g in groups if not g.when):
            rest = np.maximum(left, 0.0)
            total += rest * sum(_mean(e, context.slew[nets], np.zeros(len(nets)), 0.0) for e in group.tables)
    return total


def _pin_net(context: _Context, kind: Cell, cells: np.ndarray, pin: str) -> np.ndarray:
    """Net of a named pin of instances, −1 where there is none."""
    order = list(kind.pins)
    if pin not in order:
        return np.full(len(cells), -1)
    return context.netlist.nets[context.netlist.offsets[cells] + order.index(pin)]


def _mean(energy: Energy, slew: np.ndarray, load: np.ndarray, half_v2: float) -> np.ndarray:
    """Mean of the rising and the falling table, less the load's energy where the tables hold it."""
    tables = [table for table in (energy.rise, energy.fall) if table is not None]
    if not tables:
        return np.zeros(len(slew))
    value = np.mean([table.at(slew, load) for table in tables], axis=0)
    if half_v2 and np.mean([_slope(table) for table in tables]) > 0.5 * half_v2:
        value = value - half_v2 * load
    return value


def _slope(table: Table) -> float:
    """Growth of a table over its loads, fJ/fF."""
    load = table.load_ff
    if len(load) < 2:
        return 0.0
    return float((table.values[:, -1] - table.values[:, 0]).mean() / (load[-1] - load[0]))


def _probability(context: _Context, kind: Cell, cells: np.ndarray, when: str, groups: int) -> np.ndarray:
    """Probability of a condition on a cell's pins, [cells]; an equal share for conditions of more than six pins."""
    if not when:
        return np.ones(len(cells))
    names = names_of(when)
    if len(names) > MAX_INPUTS:
        return np.full(len(cells), 1.0 / groups)
    shares = [_share(context, kind, cells, name) for name in names]
    table = truth_table(when, names)
    total = np.zeros(len(cells))
    for address in range(1 << len(names)):
        if table >> address & 1:
            product = np.ones(len(cells))
            for j, share in enumerate(shares):
                product = product * (share if address >> j & 1 else 1.0 - share)
            total += product
    return total


def _share(context: _Context, kind: Cell, cells: np.ndarray, pin: str) -> np.ndarray:
    """Share of ones of a pin; an open register output shows the complement of the other one."""
    nets = _pin_net(context, kind, cells, pin)
    share = np.where(nets >= 0, context.share[nets], 0.5)
    if kind.flip_flop is not None and pin in kind.outputs:
        for other in kind.outputs:
            twin = _pin_net(context, kind, cells, other)
            if other != pin:
                share = np.where((nets < 0) & (twin >= 0), 1.0 - context.share[twin], share)
    return share
