"""Compressor trees in hardware: a `hwsim.ir.compressor.CompressorTree` out of full- and half-adder instances.

A tree is a Verilog module of its own, whose adders are instances of ``full_adder`` (a, b, c → s, co) and
``half_adder`` (a, b → s, co). Both stand in ``adders.v`` beside the design, so that a cell flow can map them to a
library's own adder cells. Without a platform that takes files (Amaranth's simulator) a tree is plain logic.
"""

from __future__ import annotations

from amaranth import Cat, Const, Instance, Module, Signal, Value

from hwsim.ir.compressor import FULL, HALF, HALF_ONE, ONE_BIT, CompressorTree

ADDERS_FILE = "adders.v"
ADDERS = """module full_adder (input wire a, input wire b, input wire c, output wire s, output wire co);
  assign s = a ^ b ^ c;
  assign co = (a & b) | (c & (a ^ b));
endmodule

module half_adder (input wire a, input wire b, output wire s, output wire co);
  assign s = a ^ b;
  assign co = a & b;
endmodule
"""


def n_rows(tree: CompressorTree) -> int:
    """Rows that a tree leaves: 1 or 2."""
    return 2 if (tree.rows[1] != -1).any() else 1


def compress(m: Module, tree: CompressorTree, bits: Value, platform: object, group: str, name: str) -> Value:
    """Put a tree into `m`; its rows, the first one lowest: `n_rows`·`tree.width` bits.

    Args:
        bits: the signals that `tree.bit_source` numbers.
        platform: of the elaboration; takes the module ``<top>_<group>``, once for equal trees.
        group: of the module and of the names in it.
        name: of the instance and of its output signal.
    """
    rows = Signal(tree.width * n_rows(tree), name=f"{name}_rows")
    if hasattr(platform, "add_file"):
        module = f"{platform.top}_{group}"  # type: ignore[attr-defined]
        platform.add_file(f"{module}.v", tree_verilog(module, tree, len(bits), group))
        platform.add_file(ADDERS_FILE, ADDERS)
        m.submodules[name] = Instance(module, i_bits=bits, o_rows=rows)
    else:
        m.d.comb += rows.eq(Cat(*_logic(m, tree, bits, name)[: n_rows(tree)]))
    return rows


def tree_verilog(module: str, tree: CompressorTree, n_signals: int, group: str) -> str:
    """A tree as a Verilog-2001 module: `bits` in, `rows` out; signals ``<group>_s<i>``, ``<group>_c<i>``."""
    names = [
        f"{'~' if flip else ''}bits[{source}]" for source, flip in zip(tree.bit_source, tree.bit_invert, strict=True)
    ]
    lines = []
    for i, (kind, read) in enumerate(zip(tree.kinds, tree.reads, strict=True)):
        s, co = f"{group}_s{i}", f"{group}_c{i}"
        operands = [names[int(q)] for q in read if q >= 0]
        lines.append(f"  wire {s}, {co};")
        if kind in (FULL, HALF):
            cell, short = ("full_adder", "fa") if kind == FULL else ("half_adder", "ha")
            pins = ", ".join(f".{pin}({value})" for pin, value in zip("abc", operands, strict=False))
            lines.append(f"  {cell} {group}_{short}{i} ({pins}, .s({s}), .co({co}));")
        else:
            lines.append(f"  assign {s} = ~({' ^ '.join(operands)});")
            lines.append(f"  assign {co} = {' | '.join(operands)};")
        names += [s, co]
    picked = [int(q) for row in reversed(tree.rows[: n_rows(tree)]) for q in reversed(row)]
    rows = ", ".join(names[q] if q >= 0 else f"1'b{int(q == ONE_BIT)}" for q in picked)
    head = [
        "/* verilator lint_off UNUSEDSIGNAL */ // carries out of the last position are dropped: sums are modulo 2^W",
        f"module {module} (", f"  input wire [{n_signals - 1}:0] bits,", f"  output wire [{len(picked) - 1}:0] rows",
        ");",
    ]  # fmt: skip
    return "\n".join([*head, *lines, f"  assign rows = {{{rows}}};", "endmodule", ""])


def _logic(m: Module, tree: CompressorTree, bits: Value, name: str) -> list[Value]:
    """The two rows in plain Amaranth."""
    known: list[Value] = [
        ~bits[int(source)] if flip else bits[int(source)]
        for source, flip in zip(tree.bit_source, tree.bit_invert, strict=True)
    ]
    for i, (kind, read) in enumerate(zip(tree.kinds, tree.reads, strict=True)):
        total = Signal(2, name=f"{name}_{i}")
        m.d.comb += total.eq(sum((known[int(q)] for q in read if q >= 0), Const(int(kind >= HALF_ONE), 1)))
        known += [total[0], total[1]]
    return [Cat(known[int(q)] if q >= 0 else Const(int(q == ONE_BIT), 1) for q in row) for row in tree.rows]
