"""Reading Liberty: functions, units, tables, roles of cells, and where files are looked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.errors import ArtifactError, DataError
from rtl.synth.cells import library_files, load_library, parse_library
from rtl.synth.cells.adders import adder_areas, cell_map, form_map
from rtl.synth.cells.logic import names_of, truth_table
from rtl.synth.cells.polarity import inverting_area
from rtl.synth.cells.roles import find_adder, find_gate, usable
from rtl.synth.cells.write import liberty_text

from .tiny_cells import TINY, tiny

REAL = ("sky130hd", "sg13g2", "osu018", "asap7", "nangate45")


@pytest.mark.parametrize(
    ("text", "names", "table"),
    [
        ("!A", "A", 0b01),
        ("A'", "A", 0b01),
        ("(A B)'", "AB", 0b0111),
        ("A*B+C", "ABC", 0b11111000),
        ("A&!B | !A&B", "AB", 0b0110),
        ("A^B C", "ABC", 0b01100000),  # XOR before AND
        ("!(A+B)''", "AB", 0b0001),
        ("1", "", 1),
        ("0", "A", 0),
    ],
)
def test_functions(text: str, names: str, table: int) -> None:
    assert truth_table(text, tuple(names)) == table


@given(st.recursive(st.sampled_from("ABCD01"), lambda inner: st.tuples(st.sampled_from("*+^!"), inner, inner)))
def test_functions_against_python(tree: object) -> None:
    def text(node: object) -> str:
        if isinstance(node, str):
            return node
        op, left, right = node  # type: ignore[misc]
        return f"!({text(left)})" if op == "!" else f"({text(left)}){op}({text(right)})"

    names = tuple("ABCD")
    python = text(tree).replace("*", "&").replace("+", "|").replace("!", "1^")
    want = sum(
        (eval(python, {n: address >> j & 1 for j, n in enumerate(names)}) & 1) << address  # our own small tree
        for address in range(16)
    )
    assert truth_table(text(tree), names) == want


@pytest.mark.parametrize(
    ("text", "message"),
    [("A $ B", "names, 0, 1"), ("(A", "got its end"), ("A B)", r"got \)"), ("Z", "got Z, expected an expression of A")],
)
def test_function_errors(text: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        truth_table(text, ("A",) if "Z" in text else ("A", "B"))


def test_more_than_six_inputs() -> None:
    with pytest.raises(ArtifactError, match="7 inputs, expected at most 6"):
        truth_table("A", tuple("ABCDEFG"))
    assert names_of("B (A + B)'") == ("B", "A")


def test_tiny_library_in_our_units() -> None:
    library = tiny()
    assert (library.name, library.voltage, len(library.cells)) == ("tiny", 1.0, 14)
    inv = library.cells["INV"]
    assert (inv.area_um2, inv.leakage_nw, inv.pins["A"].capacitance_ff) == (1.0, 1.0, 2.0)
    delay = inv.pins["Y"].arcs[0].tables["cell_rise"]
    assert delay.at(0.0, 0.0) == pytest.approx(10.0)  # ps
    assert delay.at(20.0, 3.0) == pytest.approx(10.0 + 2.0 + 3.0)
    assert delay.at(-10.0, 2000.0) == pytest.approx(10.0 - 1.0 + 2000.0)  # outside: linear
    assert inv.pins["Y"].energies[0].fall is not None
    assert inv.pins["Y"].energies[0].fall.at(0.0, 5.0) == pytest.approx(3.0)  # fJ
    dff = library.cells["DFF"]
    assert dff.flip_flop is not None
    assert (dff.flip_flop.next_state, dff.flip_flop.clocked_on) == ("D", "CLK")
    setup = dff.pins["D"].arcs[0].tables["rise_constraint"]  # file has the clock's slew first
    assert setup.at(10.0, 0.0) == pytest.approx(25.0)
    assert setup.at(0.0, 10.0) == pytest.approx(20.0)
    assert library.cells["LATCH"].sequential


def test_written_library_is_the_library() -> None:
    library = tiny()
    again = parse_library(liberty_text(library, [name for name in library.cells if name != "LATCH"]))
    assert set(again.cells) == set(library.cells) - {"LATCH"}
    for name, cell in again.cells.items():
        assert cell.area_um2 == library.cells[name].area_um2
        assert cell.outputs == library.cells[name].outputs
        for pin in cell.outputs:
            for arc, want in zip(cell.pins[pin].arcs, library.cells[name].pins[pin].arcs, strict=True):
                for key, table in arc.tables.items():
                    assert table.at(30.0, 7.0) == pytest.approx(want.tables[key].at(30.0, 7.0))
    setup = again.cells["DFF"].pins["D"].arcs[0].tables["fall_constraint"]
    assert setup.at(10.0, 0.0) == pytest.approx(35.0)


def test_roles() -> None:
    library = usable(tiny())
    assert "LATCH" not in library.cells
    nor = find_gate(library, 0x1, 2)
    full, half = find_adder(library, 3), find_adder(library, 2)
    assert nor is not None
    assert full is not None
    assert half is not None
    assert (nor.cell, full.cell, full.sum, full.carry, half.cell) == ("NOR2", "FA", "S", "CO", "HA")
    # form: two XOR2, AOI22 and INV; XOR2, NAND2 and INV. Without AOI22: two XOR2 and three NAND2
    assert adder_areas(library) == {"full_cell": 9.0, "full_form": 12.0, "half_cell": 5.0, "half_form": 7.0}
    assert adder_areas(usable(tiny(), ["AOI22"]))["full_form"] == 14.0
    assert inverting_area(library) == 11.0
    assert inverting_area(usable(tiny(), ["NOR2B"])) is None
    assert "FA _TECHMAP_REPLACE_ (.A(a), .B(b), .CI(c), .S(s), .CO(co));" in cell_map(library)
    assert form_map(library).count("XOR2 ") == 3


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("INV", "without an inverter"),
        ("BUF", "without a buffer"),
        ("NAND2|NOR2", "without a NAND2 or NOR2"),
        ("DFF", "without a D flip-flop"),
    ],
)
def test_incomplete_library(drop: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        usable(tiny(), [drop])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('time_unit : "1ns"', 'time_unit : "1fortnight"', "units of library"),
        ("area : 9;", "", "cell FA: got no area"),
        ("library (tiny) {", "cells (tiny) {", "expected library"),
        ("  cell (FA) {", "  cell (FA) { ? ", r"got '\?"),
        ("nom_voltage : 1.0;", "", None),  # the operating conditions still say it
    ],
)
def test_damaged_text(old: str, new: str, message: str | None) -> None:
    text = TINY.read_text()
    assert old in text
    if message is None:
        assert parse_library(text.replace(old, new)).voltage == 1.0
        return
    with pytest.raises(ArtifactError, match=message):
        parse_library(text.replace(old, new))


def test_truncated_and_odd_tables() -> None:
    with pytest.raises(ArtifactError, match=r"in group \w+ \(.*\): got .* expected a Liberty statement"):
        parse_library(TINY.read_text()[:5000])
    text = TINY.read_text().replace('"0.0100, 1.0100", "0.1100, 1.1100"', '"0.0100, 1.0100"', 1)
    with pytest.raises(ArtifactError, match=r"2 values, indices of \[2, 2\]"):
        parse_library(text).cells["INV"].pins["Y"].arcs[0].tables["cell_rise"].at(0, 0)


def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, data = tmp_path / "named", tmp_path / "data"
    for folder in (named, data / "liberty"):
        folder.mkdir(parents=True)
    (named / "mine.lib").write_text(TINY.read_text())
    (data / "liberty" / "sky130hd_tt.lib.gz").write_bytes(gzip.compress(TINY.read_bytes()))
    (data / "liberty" / "README.md").write_text("")
    monkeypatch.setenv("HWSIM_LIBERTY", str(named))
    monkeypatch.setenv("HWSIM_DATA", str(data))
    found = library_files()
    assert found["sky130hd"] == (data / "liberty" / "sky130hd_tt.lib.gz",)
    assert found["mine"] == (named / "mine.lib",)
    assert load_library("sky130hd").cells.keys() == load_library(named / "mine.lib").cells.keys()
    assert load_library("mine").sources == ("mine.lib",)
    with pytest.raises(DataError, match=r"library nowhere(?s:.)*sky130hd(?s:.)*mine"):
        load_library("nowhere")
    monkeypatch.setenv("HWSIM_LIBERTY", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"\$HWSIM_LIBERTY"):
        library_files()


def test_several_files_are_one_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, *cells = TINY.read_text().rstrip().removesuffix("}").split("  cell (")
    for k, stem in enumerate(("asap7_simple", "asap7_seq", "asap7_invbuf")):
        part = head + "".join("  cell (" + cell for cell in cells[k::3]) + "}\n"
        (tmp_path / f"{stem}.lib").write_text(part)
    monkeypatch.setenv("HWSIM_LIBERTY", str(tmp_path))
    assert set(load_library("asap7").cells) == set(tiny().cells)
    text = (tmp_path / "asap7_seq.lib").read_text().replace("voltage : 1.0", "voltage : 0.9")
    (tmp_path / "asap7_seq.lib").write_text(text)
    with pytest.raises(ArtifactError, match=r"voltage of asap7_seq\.lib: got 0\.9, expected 1\.0"):
        load_library("asap7")


def test_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.lib.gz"
    path.write_bytes(gzip.compress(TINY.read_bytes())[:200])
    with pytest.raises(ArtifactError, match=r"x\.lib\.gz: got EOFError"):
        load_library(path)
    with pytest.raises(DataError, match="expected a file"):
        load_library(tmp_path / "none.lib")


@pytest.mark.parametrize("name", REAL)
def test_real_libraries(name: str) -> None:
    if name not in library_files():
        pytest.skip(f"no Liberty file of {name}: set HWSIM_LIBERTY or HWSIM_DATA")
    library = usable(load_library(name))
    for cell in library.cells.values():
        for pin in cell.outputs:
            for arc in cell.pins[pin].arcs:
                for table in arc.tables.values():
                    assert np.isfinite(table.at(20.0, 5.0))
    full = find_adder(library, 3)
    assert (full is None) == (name == "sg13g2")
