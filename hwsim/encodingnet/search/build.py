"""From chosen atoms to an encoding: gates of w alone apart, and the constants of a stationary weight.

A gate of several weight bits takes few different functions of x as w varies. Those cases are decided by gates of w
alone (evaluated before the register as weights are loaded, `EncodingnetArch.recode`), which neighbouring bits share:
Booth's one, two and neg come out of it by themselves.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hwsim.encodingnet.encodings import Columns
from hwsim.encodingnet.gatebuilder import GateBuilder, copy_gates
from hwsim.encodingnet.operands import checked_distribution
from hwsim.encodingnet.search.dictionary import Atom
from hwsim.encodingnet.truth import bit_tables
from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import CONST1, MAX_FAN_IN


def add_atom(builder: GateBuilder, atom: Atom, x_bits: int) -> int:
    """Signal of an atom; with three weight bits or more, its cases of w are signals of their own."""
    table, inputs = atom
    n_x = sum(i < x_bits for i in inputs)
    if n_x == 0 or len(inputs) - n_x < 3:
        return builder.gate(table, *inputs)
    rows = [(table >> (w << n_x)) & ((1 << (1 << n_x)) - 1) for w in range(1 << (len(inputs) - n_x))]
    full = (1 << (1 << n_x)) - 1
    even = [row ^ full if row & 1 else row for row in rows]
    kinds = sorted(set(even) - {0})
    odd = [row & 1 for row in rows]
    if n_x + len(kinds) + any(odd) > MAX_FAN_IN:
        return builder.gate(table, *inputs)
    signals = [builder.gate(_mask([e == kind for e in even]), *inputs[n_x:]) for kind in kinds]
    signals += [builder.gate(_mask(odd), *inputs[n_x:])] if any(odd) else []
    out = 0
    for address in range(1 << (n_x + len(signals))):
        x, case = address & ((1 << n_x) - 1), address >> n_x
        value = any((case >> k) & 1 and (kind >> x) & 1 for k, kind in enumerate(kinds))
        out |= (int(value) ^ (case >> len(kinds) & 1)) << address
    return builder.gate(out, *inputs[:n_x], *signals)


def with_constants(
    encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None, fraction: int = 0
) -> Encoding:
    """The moving bits of an encoding, and for each weight code the constant that makes its mean error zero.

    The constants are written as bits of w alone, in two's complement; they cost no adders where weights are stationary.

    Args:
        p_x, p_w: operand distributions [2^a], [2^b]; None for uniform. Codes of w without mass are fitted all the same.
        fraction: the constants are multiples of 2^(−fraction), at least as fine as the encoding's weights.
    """
    fraction = max(fraction, encoding.fraction)
    px = checked_distribution(p_x, encoding.x_bits, "x")
    checked_distribution(p_w, encoding.w_bits, "w")
    bits = bit_tables(encoding)
    moving = (bits != bits[:, :1, :]).any(axis=(1, 2))
    weights = encoding.position_weights[moving] << (fraction - encoding.fraction)
    sums = np.tensordot(weights, np.tensordot(px, bits[moving], (0, 1)), 1)
    wanted = np.rint((px @ encoding.target) * (1 << fraction) - sums).astype(np.int64)
    builder = GateBuilder(encoding.gates.n_inputs)
    outputs = copy_gates(builder, encoding.gates)
    columns = [(outputs[k], int(s)) for k, s in zip(np.flatnonzero(moving), weights, strict=True)]
    written = _written(builder, wanted, range(encoding.x_bits, encoding.gates.n_inputs))
    bias = sum(weight for signal, weight in written if signal == CONST1)
    columns += [(signal, weight) for signal, weight in written if signal >= 0]
    gates = builder.build([signal for signal, _ in columns])
    return dataclasses.replace(
        encoding, gates=gates, position_weights=np.array([s for _, s in columns], np.int64), bias=bias,
        fraction=fraction, meta={**encoding.meta, "constants": "written"},
    )  # fmt: skip


def _written(builder: GateBuilder, values: np.ndarray, inputs: range) -> Columns:
    """(signal, weight) of the two's complement bits of `values` [2^b] as functions of w."""
    low, high = int(values.min()), int(values.max())
    width = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
    places = [(k, 1 << k) for k in range(width)] + ([(width, -(1 << width))] if low < 0 else [])
    return [(builder.function(((values >> k) & 1).astype(np.uint8), list(inputs)), weight) for k, weight in places]


def _mask(values: list) -> int:
    return sum(int(bool(value)) << address for address, value in enumerate(values))
