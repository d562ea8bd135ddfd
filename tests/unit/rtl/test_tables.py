"""Pure parts of the generators: bit planes, ROM text, names of Verilator's C++ members."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.errors import UsageError
from rtl.cosim.driver import lane_bytes, member
from rtl.lib.verilog import Port, SourceCollector, VerilogDesign
from rtl.neuralut.layers import planes, rom_verilog


@given(st.integers(1, 8), st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_planes_and_text_hold_the_table(address_bits: int, bits: int, seed: int):
    table = np.random.default_rng(seed).integers(0, 1 << bits, 1 << address_bits).astype(np.uint16)
    for i, plane in enumerate(planes(table, bits)):
        assert [(plane >> a) & 1 for a in range(len(table))] == ((table >> i) & 1).tolist()
    text = rom_verilog("rom", table, address_bits, bits)
    read = {int(i): int(digits, 16) for i, digits in re.findall(rf"T(\d+) = {len(table)}'h([0-9a-f]+);", text)}
    assert read == dict(enumerate(planes(table, bits)))


def test_rom_text_by_hand():
    assert rom_verilog("inverter", np.array([3, 2, 1, 0], np.uint8), 2, 2) == (
        "module inverter (\n"
        "  input wire [1:0] a,\n"
        '  (* rom_style = "distributed" *) output wire [1:0] q\n'
        ");\n"
        "  localparam [3:0] T0 = 4'h5;\n"
        "  localparam [3:0] T1 = 4'h3;\n"
        "  assign q[0] = T0[a];\n"
        "  assign q[1] = T1[a];\n"
        "endmodule\n"
    )


def test_ports_and_names():
    assert member("inp__payload") == "inp___05Fpayload"
    assert [lane_bytes(Port("x", "in", 1, bits)) for bits in (1, 8, 9, 16, 17, 32, 33, 64)] == [1, 1, 2, 2, 4, 4, 8, 8]
    with pytest.raises(UsageError, match="Verilog name: got 'a b'"):
        VerilogDesign("a b", {}, ())


def test_two_files_of_one_name_must_agree():
    collector = SourceCollector("top")
    collector.add_file("rom.v", "one")
    collector.add_file("rom.v", "one")
    with pytest.raises(UsageError, match=r"two Verilog files of one name: got rom\.v"):
        collector.add_file("rom.v", "two")
