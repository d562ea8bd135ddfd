"""A cell library as typed data: cells, pins, functions, flip-flops, delay and energy tables, in fixed units.

Units everywhere: time ps, capacitance fF, energy fJ, leakage nW, area µm² (what the file states; ASAP7 states
areas that are scaled down by 4² against its drawing). Liberty has energies in its capacitance unit times V².
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hwsim.ir.errors import ArtifactError
from rtl.synth.cells.logic import MAX_INPUTS, names_of, truth_table
from rtl.synth.cells.tables import Scale, Table, Templates
from rtl.synth.cells.text import Group, parse_groups

_TO_PS = {"s": 1e12, "ms": 1e9, "us": 1e6, "ns": 1e3, "ps": 1.0, "fs": 1e-3}
_TO_FF = {"f": 1e15, "mf": 1e12, "uf": 1e9, "nf": 1e6, "pf": 1e3, "ff": 1.0}
_TO_NW = {"w": 1e9, "mw": 1e6, "uw": 1e3, "nw": 1.0, "pw": 1e-3, "fw": 1e-6}


@dataclass(frozen=True)
class Arc:
    """Delay from `related` to the pin that owns the arc, or a constraint against it.

    Attributes:
        sense: positive_unate, negative_unate or non_unate.
        type: combinational, rising_edge, setup_rising, …
        tables: cell_rise, cell_fall, rise_transition, fall_transition, rise_constraint, fall_constraint.
    """

    related: str
    sense: str
    type: str
    tables: Mapping[str, Table]


@dataclass(frozen=True)
class Energy:
    """Internal energy of one edge of a pin, when `when` holds; `related` names the pin that caused it, or ""."""

    related: str
    when: str
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True)
class Pin:
    """A signal pin: direction ``input`` or ``output``, load in fF, function text of an output."""

    name: str
    direction: str
    capacitance_ff: float
    function: str | None
    clock: bool
    arcs: tuple[Arc, ...]
    energies: tuple[Energy, ...]


@dataclass(frozen=True)
class FlipFlop:
    """``ff`` group: state and inverted state names, next state, clock, asynchronous clear and preset."""

    state: str
    inverse: str
    next_state: str
    clocked_on: str
    clear: str = ""
    preset: str = ""


@dataclass(frozen=True, eq=False)
class Cell:
    """A library cell.

    Attributes:
        leakage_nw: the cell's own figure, or the mean of its states.
        sequential: it has a state that is not a flip-flop's (latch, clock gate), so it can not be simulated here.
    """

    name: str
    area_um2: float
    leakage_nw: float
    pins: Mapping[str, Pin]
    flip_flop: FlipFlop | None = None
    sequential: bool = False
    dont_use: bool = False

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Input pins, in file order."""
        return tuple(name for name, pin in self.pins.items() if pin.direction == "input")

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Output pins with a function, in file order."""
        return tuple(name for name, pin in self.pins.items() if pin.direction == "output" and pin.function is not None)

    @cached_property
    def combinational(self) -> bool:
        """Every output is a function of at most six input pins."""
        plain = self.flip_flop is None and not self.sequential and bool(self.outputs)
        return plain and all(set(names_of(self.pins[out].function or "")) <= set(self.inputs) for out in self.outputs)

    def table(self, output: str) -> tuple[tuple[str, ...], int]:
        """(pins read, truth table) of an output; an output of a flip-flop reads its state names."""
        text = self.pins[output].function or "0"
        names = names_of(text)
        return names, truth_table(text, names)


@dataclass(frozen=True, eq=False)
class Library:
    """Cells of one process corner.

    Attributes:
        name: short name (``sky130hd``) or the file's own.
        voltage: supply in V.
        sources: names of the files merged. sha256: of their contents.
    """

    name: str
    voltage: float
    cells: Mapping[str, Cell]
    sources: tuple[str, ...] = ()
    sha256: str = ""

    def cell(self, name: str) -> Cell:
        """A cell by name; raises `ArtifactError` with the library's name."""
        if name not in self.cells:
            raise ArtifactError.of(f"cell of {self.name}", name, f"one of {len(self.cells)} cells", "Map again.")
        return self.cells[name]

    def merged(self, other: Library) -> Library:
        """Cells of both; the first one's voltage. Raises `ArtifactError` when the voltages differ."""
        if abs(self.voltage - other.voltage) > 1e-9:
            raise ArtifactError.of(
                f"voltage of {other.name}", other.voltage, self.voltage, "Merge files of one corner."
            )
        return replace(self, cells={**self.cells, **other.cells}, sources=self.sources + other.sources)


def parse_library(text: str, name: str = "") -> Library:
    """A library from Liberty text.

    Args:
        text: contents of the file.
        name: short name; the file's own when empty.

    Raises:
        ArtifactError: not a Liberty file, an unknown unit, a cell without area, a table of the wrong size.
    """
    root = parse_groups(text, name or "Liberty text")
    name = name or root.arguments
    scale, templates = _scale(root, name), _templates(root)
    voltage = _voltage(root, name)
    cells = {}
    for group in root.inner("cell"):
        cells[group.arguments] = _cell(group, root, scale, templates)
    return Library(name, voltage, cells, (name,))


def _scale(root: Group, name: str) -> Scale:
    time = re.fullmatch(r"([\d.]+)\s*([a-z]+)", root.attributes.get("time_unit", "1ns").lower())
    power = re.fullmatch(r"([\d.]+)\s*([a-z]+)", root.attributes.get("leakage_power_unit", "1nw").lower())
    cap = re.fullmatch(r"\s*([\d.]+)\s*,\s*\"?([a-z]+)\"?\s*", root.lists.get("capacitive_load_unit", "1,pf").lower())
    if not (time and power and cap) or time[2] not in _TO_PS or power[2] not in _TO_NW or cap[2] not in _TO_FF:
        units = [root.attributes.get("time_unit"), root.attributes.get("leakage_power_unit"),
                 root.lists.get("capacitive_load_unit")]  # fmt: skip
        raise ArtifactError.of(f"units of library {name}", units, "time, power and capacitance units", "Mend the file.")
    return Scale(float(time[1]) * _TO_PS[time[2]], float(cap[1]) * _TO_FF[cap[2]], float(power[1]) * _TO_NW[power[2]])


def _voltage(root: Group, name: str) -> float:
    named = root.attributes.get("default_operating_conditions", "")
    for group in root.inner("operating_conditions"):
        if "voltage" in group.attributes and named in ("", group.arguments):
            return float(group.attributes["voltage"])
    if "nom_voltage" in root.attributes:
        return float(root.attributes["nom_voltage"])
    raise ArtifactError.of(f"library {name}", "no voltage", "operating_conditions or nom_voltage", "Mend the file.")


def _templates(root: Group) -> Templates:
    kinds = ("lu_table_template", "power_lut_template")
    return {group.arguments: group for kind in kinds for group in root.inner(kind)}


def _cell(group: Group, root: Group, scale: Scale, templates: Templates) -> Cell:
    if "area" not in group.attributes:
        raise ArtifactError.of(f"cell {group.arguments}", "no area", "area : number", "Get the Liberty file again.")
    pins = {}
    for pin in group.inner("pin"):
        for name in pin.arguments.split(","):
            pins[name.strip()] = _pin(name.strip(), pin, root, scale, templates)
    flip_flop = None
    for ff in group.inner("ff"):
        names = [part.strip() for part in ff.arguments.split(",")] + [""]
        keys = ("next_state", "clocked_on", "clear", "preset")
        flip_flop = FlipFlop(names[0], names[1], *(ff.attributes.get(key, "") for key in keys))
    odd = bool(group.inner("latch") or group.inner("statetable") or "clock_gating_integrated_cell" in group.attributes)
    dont_use = group.attributes.get("dont_use", "false").lower() == "true"
    area, leakage = float(group.attributes["area"]), _leakage(group, scale)
    return Cell(group.arguments, area, leakage, pins, flip_flop, odd, dont_use)


def _leakage(group: Group, scale: Scale) -> float:
    """``cell_leakage_power``, else the unconditional figure, else the mean over states (supply pins, not ground)."""
    if "cell_leakage_power" in group.attributes:
        return float(group.attributes["cell_leakage_power"]) * scale.leakage_nw
    stated: dict[str, float] = {}
    for item in group.inner("leakage_power"):
        when = item.attributes.get("when", "")
        stated[when] = stated.get(when, 0.0) + float(item.attributes.get("value", 0))
    if not stated:
        return 0.0
    return stated.get("", float(np.mean(list(stated.values())))) * scale.leakage_nw


def _pin(name: str, group: Group, root: Group, scale: Scale, templates: Templates) -> Pin:
    direction = group.attributes.get("direction", "input")
    default = root.attributes.get(f"default_{direction}_pin_cap", "0")
    edges = [float(group.attributes[k]) for k in ("rise_capacitance", "fall_capacitance") if k in group.attributes]
    stated = group.attributes.get("capacitance")
    value = float(stated) if stated is not None else (float(np.mean(edges)) if edges else float(default))
    function = group.attributes.get("function")
    if function is not None and len(names_of(function)) > MAX_INPUTS:
        function = None
    arcs: list[Arc] = []
    for item in group.inner("timing"):
        arcs += _arcs(item, scale, templates)
    energies = [_energy(item, related, scale, templates) for item in group.inner("internal_power")
                for related in (item.attributes.get("related_pin", "").split() or [""])]  # fmt: skip
    clock = group.attributes.get("clock", "false") == "true"
    return Pin(name, direction, value * scale.cap_ff, function, clock, tuple(arcs), tuple(energies))


def _arcs(group: Group, scale: Scale, templates: Templates) -> list[Arc]:
    wanted = ("cell_rise", "cell_fall", "rise_transition", "fall_transition", "rise_constraint", "fall_constraint")
    tables = {g.name: Table(g, templates, scale, "time") for g in group.groups if g.name in wanted}
    sense = group.attributes.get("timing_sense", "non_unate")
    kind = group.attributes.get("timing_type", "combinational")
    return [Arc(pin, sense, kind, tables) for pin in group.attributes.get("related_pin", "").split()]


def _energy(group: Group, related: str, scale: Scale, templates: Templates) -> Energy:
    tables = {g.name: Table(g, templates, scale, "energy") for g in group.groups}
    both = tables.get("power")
    return Energy(
        related, group.attributes.get("when", ""), tables.get("rise_power", both), tables.get("fall_power", both)
    )
