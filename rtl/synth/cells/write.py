"""A library as plain Liberty text again: only what mappers and timers read, in ps, fF and fJ.

This is how several files become one (ASAP7), how cells that are not to be used disappear, and why a mapper
starts in a second on a file of 13 MB.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rtl.synth.cells.library import Arc, Cell, Library, Pin
from rtl.synth.cells.tables import Table

_HEAD = """library ("{name}") {{
  delay_model : table_lookup;
  time_unit : "1ps";
  voltage_unit : "1V";
  current_unit : "1uA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  nom_voltage : {voltage:g};
  nom_process : 1;
  nom_temperature : 25;
  slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  operating_conditions (typical) {{ process : 1; voltage : {voltage:g}; temperature : 25; }}
  default_operating_conditions : typical;
"""
_TEMPLATE = """  lu_table_template ({name}) {{
    variable_1 : {first};
    variable_2 : {second};
    index_1 ("{rows}");
    index_2 ("{columns}");
  }}
"""
_CONSTRAINTS = ("setup_rising", "setup_falling")


def liberty_text(library: Library, cells: Iterable[str] | None = None) -> str:
    """Liberty text of `cells` (all by default): area, pins, functions, flip-flops, delays, setup times."""
    names = list(library.cells if cells is None else cells)
    templates: dict[tuple[int, int, bool], str] = {}
    body = "".join(_cell(library.cells[name], templates) for name in names)
    head = _HEAD.format(name=library.name, voltage=library.voltage)
    for (rows, columns, constraint), name in templates.items():
        axes = ("constrained_pin_transition", "related_pin_transition") if constraint else (
            "input_net_transition", "total_output_net_capacitance")  # fmt: skip
        head += _TEMPLATE.format(
            name=name, first=axes[0], second=axes[1], rows=_row(np.arange(rows) + 1.0),
            columns=_row(np.arange(columns) + 1.0),
        )  # fmt: skip
    return f"{head}{body}}}\n"


def _cell(cell: Cell, templates: dict[tuple[int, int, bool], str]) -> str:
    lines = [f'  cell ("{cell.name}") {{', f"    area : {cell.area_um2:g};"]
    lines.append(f"    cell_leakage_power : {cell.leakage_nw:g};")
    if ff := cell.flip_flop:
        lines.append(f'    ff ("{ff.state}","{ff.inverse}") {{')
        pairs = (
            ("next_state", ff.next_state),
            ("clocked_on", ff.clocked_on),
            ("clear", ff.clear),
            ("preset", ff.preset),
        )
        lines += [f'      {key} : "{value}";' for key, value in pairs if value]
        lines.append("    }")
    lines += [_pin(pin, templates) for pin in cell.pins.values()]
    return "\n".join([*lines, "  }", ""])


def _pin(pin: Pin, templates: dict[tuple[int, int, bool], str]) -> str:
    lines = [
        f'    pin ("{pin.name}") {{',
        f"      direction : {pin.direction};",
        f"      capacitance : {pin.capacitance_ff:g};",
    ]
    if pin.function is not None:
        lines.append(f'      function : "{pin.function}";')
    if pin.clock:
        lines.append("      clock : true;")
    for arc in pin.arcs:
        constraint = arc.type in _CONSTRAINTS
        if constraint or pin.direction == "output":
            lines += _arc(arc, constraint, templates)
    return "\n".join([*lines, "    }"])


def _arc(arc: Arc, constraint: bool, templates: dict[tuple[int, int, bool], str]) -> list[str]:
    lines = ["      timing () {", f'        related_pin : "{arc.related}";', f"        timing_type : {arc.type};"]
    if not constraint:
        lines.append(f"        timing_sense : {arc.sense};")
    for name, table in arc.tables.items():
        lines += _table(name, table, constraint, templates)
    return [*lines, "      }"]


def _table(name: str, table: Table, constraint: bool, templates: dict[tuple[int, int, bool], str]) -> list[str]:
    slews, loads, values = table.slew_ps, table.load_ff, table.values
    if len(slews) == 1:  # readers want grids of at least two points
        slews, values = np.array([slews[0], slews[0] + 1]), np.repeat(values, 2, axis=0)
    if len(loads) == 1:
        loads, values = np.array([loads[0], loads[0] + 1]), np.repeat(values, 2, axis=1)
    key = (len(slews), len(loads), constraint)
    template = templates.setdefault(key, f"{'check' if constraint else 'delay'}_{len(slews)}x{len(loads)}")
    rows = ", ".join(f'"{_row(row)}"' for row in values)
    return [
        f"        {name} ({template}) {{",
        f'          index_1 ("{_row(slews)}");',
        f'          index_2 ("{_row(loads)}");',
        f"          values ({rows});",
        "        }",
    ]


def _row(values: np.ndarray) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
