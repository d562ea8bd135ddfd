"""Building a `gate_netlist` gate by gate: constants fold, equal gates are shared, unread gates vanish.

A signal is an int: an input, a node, or `CONST0` / `CONST1`. Every gate is a truth table over earlier signals; bit a of
the table is the output for address a, whose bit j is source j (as in ``docs/ir/gate_netlist.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.gates import CONST0, CONST1, MAX_FAN_IN, GateNetlist

AND, OR, XOR, NOT = 0b1000, 0b1110, 0b0110, 0b01
MUX = 0b11001010  # sources (zero, one, select)


class GateBuilder:
    """A netlist in the making.

    Args:
        n_inputs: input bits, ≥ 1.

    Example:
        >>> g = GateBuilder(2)
        >>> g.gate(AND, 0, 1) == g.gate(AND, 1, 0), g.gate(XOR, 0, 0), g.gate(AND, 1, CONST1)
        (True, -1, 1)
        >>> g.build([g.gate(OR, 0, 1)]).cost().values
        {'nodes': 1, 'nodes_le5': 1, 'depth': 1}
    """

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self._nodes: list[tuple[int, tuple[int, ...]]] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}

    def gate(self, table: int, *sources: int) -> int:
        """Signal of the gate with this truth table over `sources`.

        Raises:
            UsageError: more than six distinct sources that matter, or a source that does not exist yet.
        """
        top = self.n_inputs + len(self._nodes)
        if wrong := [s for s in sources if not CONST1 <= s < top]:
            raise UsageError.of("a gate reads a missing signal", wrong[0], f"-2..{top - 1}", "Build its source first.")
        table, sources = reduced(table, sources)
        if not sources:
            return CONST1 if table & 1 else CONST0
        if table == 0b10 and len(sources) == 1:
            return sources[0]
        if len(sources) > MAX_FAN_IN:
            raise UsageError.of("gate fan-in", len(sources), f"at most {MAX_FAN_IN}", "Split the gate.")
        key = (table, sources)
        if key not in self._known:
            self._known[key] = top
            self._nodes.append(key)
        return self._known[key]

    def function(self, table: Sequence[int] | np.ndarray, sources: Sequence[int]) -> int:
        """Signal of any Boolean function: `table` [2^k] over k `sources` (source 0 is address bit 0), k unlimited.

        Up to six sources make one gate; above, the function is split by the last two sources into a 4:1 multiplexer
        of shared cofactors.
        """
        bits = np.asarray(table, dtype=np.uint8)
        if (bits == bits[0]).all():
            return CONST1 if bits[0] else CONST0
        if len(sources) <= MAX_FAN_IN:
            return self.gate(int(np.packbits(bits, bitorder="little").view(f"u{max(1, len(bits) // 8)}")[0]), *sources)
        quarters = [self.function(part, sources[:-2]) for part in bits.reshape(4, -1)]
        return self.gate(_mux4(), *quarters, *sources[-2:])

    def build(self, outputs: Sequence[int], meta: dict[str, str] | None = None) -> GateNetlist:
        """The netlist of the gates that `outputs` read, directly or not."""
        live: set[int] = set()
        for node in range(self.n_inputs + len(self._nodes) - 1, self.n_inputs - 1, -1):
            if node in live or node in outputs:
                live.add(node)
                live.update(self._nodes[node - self.n_inputs][1])
        kept = [i for i in range(len(self._nodes)) if i + self.n_inputs in live]
        renamed = {i + self.n_inputs: self.n_inputs + k for k, i in enumerate(kept)}
        nodes = [self._nodes[i] for i in kept]
        fan_in = [renamed.get(s, s) for _, sources in nodes for s in sources]
        return GateNetlist(
            self.n_inputs,
            np.cumsum([0, *(len(sources) for _, sources in nodes)]).astype(np.int32),
            np.array(fan_in, dtype=np.int32),
            np.array([table for table, _ in nodes], dtype=np.uint64),
            np.array([renamed.get(s, s) for s in outputs], dtype=np.int32),
            meta=dict(meta or {}),
        )


def copy_gates(builder: GateBuilder, gates: GateNetlist, inputs: Sequence[int] | None = None) -> list[int]:
    """Add all gates of a netlist to `builder`; the signals of its outputs.

    Args:
        inputs: signals that take the place of the netlist's inputs; None keeps their numbers.
    """
    signal = list(range(gates.n_inputs) if inputs is None else inputs)
    for i in range(gates.n_nodes):
        sources = gates.fan_in[gates.offsets[i] : gates.offsets[i + 1]]
        signal.append(builder.gate(int(gates.tables[i]), *(signal[int(s)] for s in sources)))
    return [signal[o] if o >= 0 else int(o) for o in gates.outputs]


def _mux4() -> int:
    """Truth table of a 4:1 multiplexer over (d0, d1, d2, d3, s0, s1)."""
    return sum(((a >> (a >> 4)) & 1) << a for a in range(64))


def reduced(table: int, sources: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The same function over distinct, sorted, real sources, each of which matters."""
    names = sorted({s for s in sources if s >= 0})
    value = {CONST0: 0, CONST1: 1}
    place = {s: j for j, s in enumerate(names)}
    bits = []
    for a in range(1 << len(names)):
        value_of = [value[s] if s < 0 else (a >> place[s]) & 1 for s in sources]
        bits.append((table >> sum(v << j for j, v in enumerate(value_of))) & 1)
    for j in range(len(names) - 1, -1, -1):
        low = [b for a, b in enumerate(bits) if not (a >> j) & 1]
        if low == [b for a, b in enumerate(bits) if (a >> j) & 1]:
            bits, names = low, names[:j] + names[j + 1 :]
    return sum(b << a for a, b in enumerate(bits)), tuple(names)
