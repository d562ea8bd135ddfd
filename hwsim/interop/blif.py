"""BLIF, the netlist format that ABC, yosys and VPR read: `GateNetlist` to text and back.

Written: ``.model``, ``.inputs``, ``.outputs``, one ``.names`` a node with its on-set (or its off-set where that
is shorter), ``.end``. Read: combinational models of ``.names`` with up to six inputs each, cubes with ``-``,
on-set or off-set, in any order; latches, subcircuits and several models are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwsim.ir.errors import ArtifactError
from hwsim.ir.gates import CONST0, CONST1, MAX_FAN_IN, GateNetlist


def input_names(netlist: GateNetlist) -> tuple[str, ...]:
    """Names of the inputs; ``i0…`` when it has none."""
    return netlist.input_names or tuple(f"i{k}" for k in range(netlist.n_inputs))


def output_names(netlist: GateNetlist) -> tuple[str, ...]:
    """Names of the outputs; ``o0…`` when it has none."""
    return netlist.output_names or tuple(f"o{k}" for k in range(netlist.n_outputs))


def to_blif(netlist: GateNetlist, model: str = "netlist") -> str:
    """BLIF text of a netlist.

    Example:
        >>> import numpy as np
        >>> a = np.array
        >>> xor = GateNetlist(2, a([0, 2], np.int32), a([0, 1], np.int32), a([6], np.uint64), a([2], np.int32))
        >>> print(to_blif(xor, "xor").replace(chr(10), "|"))
        .model xor|.inputs i0 i1|.outputs o0|.names i0 i1 n0|10 1|01 1|.names n0 o0|1 1|.end|
    """
    ins, outs = input_names(netlist), output_names(netlist)
    taken = {*ins, *outs}
    prefix = "n"
    while any(f"{prefix}{i}" in taken for i in range(netlist.n_nodes)):
        prefix += "n"
    names = [*ins, *(f"{prefix}{i}" for i in range(netlist.n_nodes))]
    lines = [f".model {model}", ".inputs " + " ".join(ins), ".outputs " + " ".join(outs)]
    for i in range(netlist.n_nodes):
        sources = netlist.fan_in[netlist.offsets[i] : netlist.offsets[i + 1]].tolist()
        lines.append(" ".join([".names", *(names[s] for s in sources), names[netlist.n_inputs + i]]))
        lines += _cover(int(netlist.tables[i]), len(sources))
    for name, signal in zip(outs, netlist.outputs.tolist(), strict=True):
        if signal in (CONST0, CONST1):
            lines += [f".names {name}"] + ["1"] * (signal == CONST1)
        elif names[signal] != name:
            lines += [f".names {names[signal]} {name}", "1 1"]
    return "\n".join([*lines, ".end", ""])


def _cover(table: int, n: int) -> list[str]:
    size = 1 << n
    value = 1 if table.bit_count() * 2 <= size else 0
    if n == 0:
        return ["1"] if table & 1 else []
    rows = [a for a in range(size) if (table >> a & 1) == value]
    if not rows:  # constant 1: the off-set is empty, and so is the cover, which would mean 0
        return ["-" * n + " 1"] if value == 0 else []
    return ["".join(str(a >> j & 1) for j in range(n)) + f" {value}" for a in rows]


def from_blif(text: str) -> GateNetlist:
    """Netlist of a BLIF model; node order is topological, names are kept, nodes that no output needs are not.

    Raises:
        ArtifactError: a construct that is not read, a signal without a driver, or a loop.
    """
    ins: list[str] = []
    outs: list[str] = []
    nodes: dict[str, tuple[list[str], int]] = {}
    current: tuple[str, list[str], list[tuple[str, str]]] | None = None
    for number, words in _statements(text):
        if words[0].startswith("."):
            if current is not None:
                nodes[current[0]] = current[1], _table(*current)
                current = None
            if words[0] == ".inputs":
                ins += words[1:]
            elif words[0] == ".outputs":
                outs += words[1:]
            elif words[0] == ".names":
                current = _names(words, number, nodes, ins)
            elif words[0] not in (".model", ".end"):
                raise _bad(number, words[0], ".model, .inputs, .outputs, .names and .end")
        elif current is None:
            raise _bad(number, " ".join(words), "a cube after .names")
        else:
            current[2].append((words[0], words[1]) if len(words) == 2 else ("", words[0]))
    if current is not None:
        nodes[current[0]] = current[1], _table(*current)
    return _assemble(ins, outs, nodes)


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) without comments, continued lines joined."""
    held = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = held + line.split("#", 1)[0]
        if line.rstrip().endswith("\\"):
            held = line.rstrip()[:-1] + " "
            continue
        held = ""
        if words := line.split():
            yield number, words


def _bad(number: int, got: str, expected: str) -> ArtifactError:
    return ArtifactError.of(f"BLIF line {number}", repr(got), expected, "Write a flat combinational model.")


def _names(
    words: list[str], number: int, nodes: dict[str, tuple[list[str], int]], ins: list[str]
) -> tuple[str, list[str], list[tuple[str, str]]]:
    if not 2 <= len(words) <= MAX_FAN_IN + 2:
        raise _bad(number, f"{len(words) - 2} inputs", f"0..{MAX_FAN_IN} inputs and an output")
    if words[-1] in nodes or words[-1] in ins:
        raise _bad(number, words[-1], "one driver a signal")
    return words[-1], words[1:-1], []


def _table(name: str, sources: list[str], cubes: list[tuple[str, str]]) -> int:
    values = {value for _, value in cubes}
    if len(values) > 1 or not values <= {"0", "1"}:
        raise ArtifactError.of(f"BLIF cover of {name}", sorted(values), "only 1 or only 0", "Mend the cover.")
    table = 0
    for cube, _ in cubes:
        if len(cube) != len(sources) or set(cube) - set("01-"):
            raise ArtifactError.of(f"BLIF cube of {name}", cube, f"{len(sources)} of 0, 1, -", "Mend the cover.")
        for a in range(1 << len(sources)):
            if all(bit == "-" or int(bit) == a >> j & 1 for j, bit in enumerate(cube)):
                table |= 1 << a
    full = (1 << (1 << len(sources))) - 1
    return full ^ table if values == {"0"} else table


def _assemble(ins: list[str], outs: list[str], nodes: dict[str, tuple[list[str], int]]) -> GateNetlist:
    order = _topological(ins, outs, nodes)
    constant = {name: CONST1 if nodes[name][1] else CONST0 for name in order if not nodes[name][0]}
    alias: dict[str, str] = {}
    for name in order:  # output buffers vanish: they are how BLIF names an output
        sources, table = nodes[name]
        if name in outs and len(sources) == 1 and table == 2:
            alias[name] = alias.get(sources[0], sources[0])
    kept = [name for name in order if name not in alias and name not in constant]
    signal = {name: k for k, name in enumerate(ins)} | {name: len(ins) + k for k, name in enumerate(kept)}
    rows, tables = [], []
    for name in kept:
        sources, table = nodes[name]
        sources = [alias.get(s, s) for s in sources]
        sources, table = _fold(sources, table, constant)
        rows.append([signal[s] for s in sources])
        tables.append(table)
    signal |= constant
    return GateNetlist(
        len(ins),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32),
        np.array([s for row in rows for s in row], dtype=np.int32),
        np.array(tables, dtype=np.uint64),
        np.array([signal[alias.get(name, name)] for name in outs], dtype=np.int32),
        tuple(ins),
        tuple(outs),
    )


def _fold(sources: list[str], table: int, constant: dict[str, int]) -> tuple[list[str], int]:
    """Without constant inputs, which a `GateNetlist` node can not read."""
    for j in range(len(sources) - 1, -1, -1):
        if sources[j] in constant:
            one = constant[sources[j]] == CONST1
            picked = [a for a in range(1 << len(sources)) if (a >> j & 1) == one]
            table = sum((table >> a & 1) << k for k, a in enumerate(picked))
            sources = sources[:j] + sources[j + 1 :]
    return sources, table


def _topological(ins: list[str], outs: list[str], nodes: dict[str, tuple[list[str], int]]) -> list[str]:
    """Nodes that outputs need, so that each follows its sources."""
    state = dict.fromkeys(ins, 2)  # 1 = on the stack, 2 = done
    order: list[str] = []
    for root in outs:
        stack = [root]
        while stack:
            name = stack[-1]
            if state.get(name) == 2:
                stack.pop()
                continue
            if name not in nodes:
                raise ArtifactError.of("BLIF signal without a driver", name, "an input or .names", "Mend the model.")
            waiting = [s for s in nodes[name][0] if state.get(s) != 2]
            if any(state.get(s) == 1 for s in waiting):
                raise ArtifactError.of("BLIF model with a loop", name, "combinational logic", "Cut the loop.")
            if waiting:
                state[name] = 1
                stack += waiting
            else:
                state[name] = 2
                order.append(name)
                stack.pop()
    return order
