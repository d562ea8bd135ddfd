"""A mapped netlist: library cells and nets as arrays, read from yosys' JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.ir.errors import ToolFailedError, UsageError
from rtl.synth.cells.library import Cell, Library
from rtl.synth.cells.polarity import expand

ZERO, ONE = 0, 1  # nets of constants; the rest are numbered from 2


@dataclass(frozen=True, eq=False)
class CellNetlist:
    """Cells of one flat module.

    Attributes:
        library: where the cells are from.
        top: module name.
        names: instance names, hierarchy separated by dots.
        kinds: cells used. kind: int32 [n_cells], index into `kinds`.
        offsets: int64 [n_cells + 1]; pins of cell i are ``nets[offsets[i]:offsets[i+1]]``, in its Liberty file's order.
        nets: int32 [n_pins], net of every pin, −1 where nothing is connected.
        n_nets: nets, the two constants included.
        inputs, outputs: nets of every port, least significant bit first.
        meta: how it was made: script, tool, hash, options, seconds.
    """

    library: Library
    top: str
    names: tuple[str, ...]
    kinds: tuple[Cell, ...]
    kind: np.ndarray
    offsets: np.ndarray
    nets: np.ndarray
    n_nets: int
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_cells(self) -> int:
        return len(self.names)

    @cached_property
    def cells(self) -> dict[str, int]:
        """Instances by cell name."""
        counts = np.bincount(self.kind, minlength=len(self.kinds))
        return {cell.name: int(count) for cell, count in zip(self.kinds, counts, strict=True)}

    @cached_property
    def cell_areas_um2(self) -> np.ndarray:
        """Area of every instance, [n_cells]."""
        return np.array([cell.area_um2 for cell in self.kinds])[self.kind]

    @property
    def area_um2(self) -> float:
        """Sum of the cells' areas: no rows, no routing."""
        return float(self.cell_areas_um2.sum())

    @cached_property
    def is_register(self) -> np.ndarray:
        """bool [n_cells], flip-flops."""
        return np.array([cell.flip_flop is not None for cell in self.kinds], dtype=bool)[self.kind]

    @property
    def flip_flops(self) -> int:
        """Number of flip-flops."""
        return int(self.is_register.sum())

    def instance(self, index: int) -> dict[str, int]:
        """Net of every pin of an instance."""
        nets = self.nets[self.offsets[index] : self.offsets[index + 1]]
        return dict(zip(self.kinds[self.kind[index]].pins, nets.tolist(), strict=True))


def netlist_from_json(
    text: str, top: str, library: Library, meta: Mapping[str, Any] | None = None, kept: Library | None = None
) -> CellNetlist:
    """The netlist of module `top` in yosys' JSON; black-box adders become gates of `kept` (of `library` when None).

    Raises:
        ToolFailedError: not such a file. UsageError: cells that the library does not have were left unmapped.
    """
    try:
        module = expand(json.loads(text)["modules"][top], kept or library)
        ports, cells = module["ports"], module["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailedError.of(
            "yosys wrote an odd netlist", repr(error), f"JSON with module {top}", text[:200]
        ) from error
    cells = {name: cell for name, cell in cells.items() if cell["type"] != "$scopeinfo"}
    strange = sorted({cell["type"] for cell in cells.values()} - set(library.cells))
    if strange:
        raise UsageError.of(
            f"cells of {top} that {library.name} can not make", ", ".join(strange[:8]), "plain logic and D flip-flops",
            "Latches, memories and black boxes have no standard cell here: write flip-flops, or leave them out.",
        )  # fmt: skip
    numbers = _Numbers()
    used = sorted({cell["type"] for cell in cells.values()})
    index = {name: i for i, name in enumerate(used)}
    offsets, nets = [0], []
    for cell in cells.values():
        connected = cell["connections"]
        for pin in library.cells[cell["type"]].pins:
            bits = connected.get(pin, [])
            nets.append(numbers.of(bits[0]) if bits else -1)
        offsets.append(len(nets))
    directions = {"input": {}, "output": {}}  # type: dict[str, dict[str, np.ndarray]]
    for name, port in ports.items():
        directions[port["direction"]][name] = np.array([numbers.of(bit) for bit in port["bits"]], dtype=np.int32)
    return CellNetlist(
        library, top, tuple(name.replace("\\", "") for name in cells), tuple(library.cells[name] for name in used),
        np.array([index[cell["type"]] for cell in cells.values()], dtype=np.int32), np.array(offsets, dtype=np.int64),
        np.array(nets, dtype=np.int32), numbers.count, directions["input"], directions["output"], dict(meta or {}),
    )  # fmt: skip


class _Numbers:
    """Dense net numbers; 0 and 1 are the constants, undefined bits count as 0."""

    def __init__(self) -> None:
        self.known: dict[int | str, int] = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}
        self.count = 2

    def of(self, bit: int | str) -> int:
        number = self.known.get(bit)
        if number is None:
            number = self.known[bit] = self.count
            self.count += 1
        return number
