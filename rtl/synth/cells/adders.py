"""Verilog that ties adder modules to a library: ``full_adder`` (a, b, c → s, co), ``half_adder`` (a, b → s, co).

Three ways to build them: the library's own adder cell, the smallest fixed form out of its gates, or plain equations
that the mapper takes apart with everything around them.
"""

from __future__ import annotations

from rtl.synth.cells.library import Library
from rtl.synth.cells.polarity import FULL, HALF
from rtl.synth.cells.roles import Adder, Gate, find_adder, find_gate

SUPPORT = """module full_adder(input a, input b, input c, output s, output co);
  wire p = a ^ b;
  assign s = p ^ c;
  assign co = (a & b) | (p & c);
endmodule
module half_adder(input a, input b, output s, output co);
  assign s = a ^ b;
  assign co = a & b;
endmodule
"""
_FAIL = """module {name}({ports});
{constants}
  wire _TECHMAP_FAIL_ = {any};
{body}
endmodule
"""
_FA_PORTS, _HA_PORTS = "input a, input b, input c, output s, output co", "input a, input b, output s, output co"
# yosys' own compressor cells ($fa, in its multipliers) on full-adder cells; `_80_` goes before its default rule
_WORD = """(* techmap_celltype = "$fa" *)
module _80_fa_cells(A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar i;
  generate for (i = 0; i < WIDTH; i = i + 1) begin:bits
    full_adder fa (.a(A[i]), .b(B[i]), .c(C[i]), .s(Y[i]), .co(X[i]));
  end endgenerate
endmodule
"""


def word_map() -> str:
    """Techmap rule for yosys' ``$fa``: one ``full_adder`` a bit."""
    return _WORD


def cell_map(library: Library) -> str:
    """Techmap rules for the library's adder cells; empty when it has none.

    An adder with a constant input is left to the mapper, which makes less than a cell of it.
    """
    parts = []
    for name, ports, inputs in (("full_adder", _FA_PORTS, "abc"), ("half_adder", _HA_PORTS, "ab")):
        adder = find_adder(library, len(inputs))
        if adder is not None:
            parts.append(_module(name, ports, inputs, _cell_body(adder, inputs, find_gate(library, 0x1, 1))))
    return "".join(parts)


def form_map(library: Library) -> str:
    """Techmap rules for the smallest fixed forms: XOR XOR for the sum; AND-OR-INVERT, majority, NAND or multiplexer."""
    full, half = _full_form(library), _half_form(library)
    text = _module("full_adder", _FA_PORTS, "abc", full[0]) if full else ""
    return text + (_module("half_adder", _HA_PORTS, "ab", half[0]) if half else "")


def box_map() -> str:
    """Techmap rules to black boxes, which `rtl.synth.cells.polarity` turns into gates after the mapper."""
    full = f"  {FULL} _TECHMAP_REPLACE_ (.a(a), .b(b), .c(c), .s(s), .co(co));"
    half = f"  {HALF} _TECHMAP_REPLACE_ (.a(a), .b(b), .s(s), .co(co));"
    return _module("full_adder", _FA_PORTS, "abc", full) + _module("half_adder", _HA_PORTS, "ab", half)


def adder_map(library: Library, style: str) -> str:
    """Techmap rules of a style; none for ``"gates"``."""
    if style == "inverting":
        return box_map()
    return {"cell": cell_map, "form": form_map, "gates": lambda _: ""}[style](library)


def adder_areas(library: Library) -> dict[str, float | None]:
    """Area in µm² of one full and half adder: as a cell (None without one) and in the smallest fixed form."""
    full, half = find_adder(library, 3), find_adder(library, 2)
    full_form, half_form = _full_form(library), _half_form(library)
    return {
        "full_cell": full.area_um2 if full else None, "full_form": full_form[1] if full_form else None,
        "half_cell": half.area_um2 if half else None, "half_form": half_form[1] if half_form else None,
    }  # fmt: skip


def _module(name: str, ports: str, inputs: str, body: str) -> str:
    constants = "\n".join(f"  parameter _TECHMAP_CONSTMSK_{pin}_ = 0;" for pin in inputs)
    any_constant = " | ".join(f"_TECHMAP_CONSTMSK_{pin}_" for pin in inputs)
    return _FAIL.format(name=name, ports=ports, constants=constants, any=any_constant, body=body)


def _cell_body(adder: Adder, inputs: str, inverter: Gate | None) -> str:
    pins = [f".{pin}({net})" for pin, net in zip(adder.inputs, inputs, strict=True)]
    lines = []
    for pin, net, inverted in ((adder.sum, "s", adder.sum_inverted), (adder.carry, "co", adder.carry_inverted)):
        pins.append(f".{pin}({'n' + net if inverted else net})")
        if inverted and inverter is not None:
            lines += [f"  wire n{net};", _use(inverter, f"i{net}", f"n{net}", net)]
    return "\n".join([*lines, f"  {adder.cell} _TECHMAP_REPLACE_ ({', '.join(pins)});"])


def _use(gate: Gate, name: str, *nets: str) -> str:
    """Instance of a gate: inputs in the order of its table, then the output."""
    pins = ", ".join(f".{pin}({net})" for pin, net in zip((*gate.pins, gate.output), nets, strict=True))
    return f"  {gate.cell} {name} ({pins});"


def _gates(library: Library) -> dict[str, Gate | None]:
    tables = {"inv": (0x1, 1), "nand": (0x7, 2), "and": (0x8, 2), "nor": (0x1, 2), "xor": (0x6, 2), "xnor": (0x9, 2),
              "maj": (0xE8, 3), "nmaj": (0x17, 3), "aoi22": (0x0777, 4), "mux": (0xCA, 3)}  # fmt: skip
    return {name: find_gate(library, table, inputs) for name, (table, inputs) in tables.items()}


def _smallest(forms: list[tuple[list[Gate | None], str]]) -> tuple[str, float] | None:
    """Body and area of the smallest form whose gates all exist; None when none can be built."""
    built = [(sum(g.area_um2 for g in gates if g), body) for gates, body in forms if all(gates)]
    if not built:
        return None
    area, body = min(built)
    return body, area


def _full_form(library: Library) -> tuple[str, float] | None:
    g = _gates(library)
    exclusive = g["xor"] or g["xnor"]  # two XNOR in a row are two XOR in a row, but p is inverted between them
    plain = g["xor"]
    forms: list[tuple[list[Gate | None], str]] = []

    def add(gates: list[Gate | None], sums: list[Gate | None], lines: list[tuple[str, tuple[str, ...]]]) -> None:
        every = [*sums, *gates]
        if all(every):
            uses: list[tuple[Gate | None, tuple[str, ...]]] = [(sums[0], ("a", "b", "p")), (sums[1], ("p", "c", "s"))]
            uses += [(gate, nets) for gate, (_, nets) in zip(gates, lines, strict=True)]
            wires = {net for _, nets in uses for net in nets} - set("abcs") - {"co"}
            text = "".join(f"  wire {net};\n" for net in sorted(wires))
            forms.append(
                (every, text + "\n".join(_use(gate, f"u{i}", *nets) for i, (gate, nets) in enumerate(uses) if gate))
            )

    add([g["maj"]], [exclusive, exclusive], [("maj", ("a", "b", "c", "co"))])
    add([g["nmaj"], g["inv"]], [exclusive, exclusive], [("nmaj", ("a", "b", "c", "n")), ("inv", ("n", "co"))])
    add([g["aoi22"], g["inv"]], [plain, plain], [("aoi22", ("a", "b", "p", "c", "n")), ("inv", ("n", "co"))])
    add([g["nand"]] * 3, [plain, plain], [("", ("a", "b", "n")), ("", ("p", "c", "m")), ("", ("n", "m", "co"))])
    add([g["mux"]], [plain, plain], [("mux", ("a", "c", "p", "co"))])
    return _smallest(forms)


def _half_form(library: Library) -> tuple[str, float] | None:
    g = _gates(library)
    forms: list[tuple[list[Gate | None], str]] = []
    if xor := g["xor"]:
        top = _use(xor, "u0", "a", "b", "s")
        if gate := g["and"]:
            forms.append(([xor, gate], f"{top}\n{_use(gate, 'u1', 'a', 'b', 'co')}"))
        if (nand := g["nand"]) and (inv := g["inv"]):
            body = f"  wire n;\n{top}\n{_use(nand, 'u1', 'a', 'b', 'n')}\n{_use(inv, 'u2', 'n', 'co')}"
            forms.append(([xor, nand, inv], body))
    return _smallest(forms)
