"""Netlists of the tiny library that the cell tests share: yosys' JSON, written by hand."""

from __future__ import annotations

import json
from pathlib import Path

from rtl.synth.cells import CellNetlist, Library, parse_library
from rtl.synth.cells.netlist import netlist_from_json

TINY = Path(__file__).with_name("tiny.lib")


def tiny() -> Library:
    """The library of ``tiny.lib``."""
    return parse_library(TINY.read_text())


def netlist(
    inputs: dict[str, list[int]], outputs: dict[str, list[int]], cells: dict[str, tuple[str, dict[str, int | str]]]
) -> CellNetlist:
    """A netlist from ports (bits are numbers) and cells: name → (type, pin → bit)."""
    ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
    ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
    listed = {
        name: {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
        for name, (kind, pins) in cells.items()
    }
    return netlist_from_json(json.dumps({"modules": {"top": {"ports": ports, "cells": listed}}}), "top", tiny())


def two_registers() -> CellNetlist:
    """a → DFF r → INV → DFF q; bits: clk 2, a 3, r 4, inverted 5, q 6."""
    return netlist(
        {"clk": [2], "a": [3]},
        {"q": [6]},
        {
            "in_0.r": ("DFF", {"CLK": 2, "D": 3, "Q": 4}),
            "$abc$1": ("INV", {"A": 4, "Y": 5}),
            "out_1.q": ("DFF", {"CLK": 2, "D": 5, "Q": 6}),
        },
    )


def net(cells: CellNetlist, port: str) -> int:
    """Net of a one-bit port."""
    return int({**cells.inputs, **cells.outputs}[port][0])


def driven_by(cells: CellNetlist, instance: str, pin: str) -> int:
    """Net at a pin of an instance."""
    return cells.instance(cells.names.index(instance))[pin]
