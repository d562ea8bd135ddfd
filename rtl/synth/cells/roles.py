"""Which cells of a library may be mapped to, and which of them play a part by name: adders, inverter, flip-flops."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from hwsim.ir.errors import ArtifactError
from rtl.synth.cells.library import Cell, Library
from rtl.synth.cells.logic import names_of, truth_table

# Clock tree, delay, power-domain, tie, spare and tri-state cells: none of them makes plain logic smaller, and mappers
# pick some of them by mistake (delay cells look like buffers, lpflow cells like AND gates).
DONT_USE = (
    r"lpflow|probe|dly|clkinv|clkbuf|CLKBUF|CKINV|HB\d|macro|antenna|decap|fill|tap|(?:^|_)tie|TIE|conb|sighold"
    r"|keeper|einv|ebuf|TBUF|_edf|_sdf|SDF|DLH|DLL|ICG"
)
_XOR3, _XNOR3, _MAJ3, _NMAJ3 = 0x96, 0x69, 0xE8, 0x17
_XOR2, _XNOR2, _AND2, _NAND2, _NOR2 = 0x6, 0x9, 0x8, 0x7, 0x1


@dataclass(frozen=True)
class Adder:
    """A full or half adder cell: its pins in order, and whether sum and carry come inverted."""

    cell: str
    inputs: tuple[str, ...]
    sum: str
    carry: str
    sum_inverted: bool
    carry_inverted: bool
    area_um2: float


@dataclass(frozen=True)
class Gate:
    """The smallest one-output cell with a wanted function: pins in the order of the wanted table's address bits."""

    cell: str
    pins: tuple[str, ...]
    output: str
    area_um2: float


def usable(library: Library, dont_use: Sequence[str] = ()) -> Library:
    """The cells that a mapper gets: combinational ones and plain D flip-flops, less those that are not to be used.

    Args:
        dont_use: more patterns (`re.search` in the cell's name) beside `DONT_USE` and the file's own marks.

    Raises:
        ArtifactError: no inverter, buffer, NAND or NOR gate, or flip-flop is left.
    """
    pattern = re.compile("|".join([DONT_USE, *dont_use]))
    cells = {name: cell for name, cell in library.cells.items()
             if not cell.dont_use and not pattern.search(name) and (_plain(cell) or _d_flip_flop(cell))}  # fmt: skip
    kept = replace(library, cells=cells)
    gate = find_gate(kept, _NAND2, 2) or find_gate(kept, _NOR2, 2)
    needed = {
        "an inverter": find_gate(kept, 0x1, 1), "a buffer": find_gate(kept, 0x2, 1), "a NAND2 or NOR2": gate,
        "a D flip-flop": any(cell.flip_flop for cell in cells.values()),
    }  # fmt: skip
    for what, there in needed.items():  # ABC stops without a buffer, though it uses none
        if not there:
            raise ArtifactError.of(
                f"library {library.name}", f"{len(cells)} usable cells without {what}", "a complete library",
                "Pass all of its Liberty files, or loosen dont_use.",
            )  # fmt: skip
    return kept


def _plain(cell: Cell) -> bool:
    return cell.combinational and 1 <= len(cell.inputs) <= 6


def _d_flip_flop(cell: Cell) -> bool:
    """One data pin, a clock, perhaps asynchronous controls."""
    if cell.flip_flop is None or cell.sequential or not cell.outputs:
        return False
    return len(names_of(cell.flip_flop.next_state)) == 1 and len(names_of(cell.flip_flop.clocked_on)) == 1


def find_gate(library: Library, table: int, inputs: int) -> Gate | None:
    """Smallest cell with that truth table (address bit j = pin j), or None."""
    best: Gate | None = None
    for cell in library.cells.values():
        if not cell.combinational or len(cell.outputs) != 1 or len(cell.inputs) != inputs:
            continue
        if best is not None and cell.area_um2 >= best.area_um2:
            continue
        output = cell.outputs[0]
        for pins in permutations(cell.inputs):
            if truth_table(cell.pins[output].function or "0", pins) == table:
                best = Gate(cell.name, pins, output, cell.area_um2)
                break
    return best


def find_adder(library: Library, inputs: int) -> Adder | None:
    """Smallest full (`inputs` 3) or half adder (2) cell, inverters for inverted outputs counted; None without one."""
    xor, xnor, carry, ncarry = (_XOR3, _XNOR3, _MAJ3, _NMAJ3) if inputs == 3 else (_XOR2, _XNOR2, _AND2, _NAND2)
    inverter = find_gate(library, 0x1, 1)
    best: Adder | None = None
    for cell in library.cells.values():
        if not cell.combinational or len(cell.outputs) != 2 or len(cell.inputs) != inputs:
            continue
        tables = {out: truth_table(cell.pins[out].function or "0", cell.inputs) for out in cell.outputs}
        sums = [out for out, table in tables.items() if table in (xor, xnor)]
        carries = [out for out, table in tables.items() if table in (carry, ncarry)]
        if not (sums and carries):
            continue
        inverted = tables[sums[0]] == xnor, tables[carries[0]] == ncarry
        area = cell.area_um2 + sum(inverted) * (inverter.area_um2 if inverter else 0.0)
        if best is None or area < best.area_um2:
            best = Adder(cell.name, cell.inputs, sums[0], carries[0], *inverted, area)
    return best
