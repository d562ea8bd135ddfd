"""Hypothesis strategies for encodings and the arrays that they run on."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.arch.encodingnet import CUTS, EncodingnetArch
from hwsim.ir.encoding import Encoding
from hwsim.testing.strategies import gate_netlists, generators


@st.composite
def encodings(draw: Any, max_bits: int = 3) -> Encoding:
    """Any gates over narrow operands, any position weights, bias and signs; each operand is read by a wide bit."""
    gates = draw(gate_netlists(max_inputs=2 * max_bits, max_nodes=10, max_fan_in=4).filter(_has_operands))
    x_bits = draw(st.integers(max(1, gates.n_inputs - max_bits), min(max_bits, gates.n_inputs - 1)))
    weights = draw(generators()).integers(-40, 41, gates.n_outputs + 2)
    outputs = np.concatenate([gates.outputs, [0, x_bits]]).astype(np.int32)  # a bare x and a bare w
    gates = type(gates)(gates.n_inputs, gates.offsets, gates.fan_in, gates.tables, outputs)
    signs = draw(st.booleans()), draw(st.booleans())
    return Encoding(gates, x_bits, gates.n_inputs - x_bits, weights, draw(st.integers(-50, 50)), 0, *signs)


@st.composite
def encodingnet_archs(draw: Any, max_side: int = 4) -> EncodingnetArch:
    """Small weight-stationary arrays of any style that runs any encoding."""
    style = draw(st.sampled_from(sorted(CUTS)))
    cuts = draw(st.none() | st.lists(st.sampled_from(CUTS[style]), unique=True).map(tuple))
    recode = draw(st.sampled_from(((), ("w",), ("x",), ("x", "w"))))
    sides = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    adder = draw(st.sampled_from(("plus", "ripple")))
    return EncodingnetArch(*sides, style=style, mac="fused", recode=recode, cuts=cuts, adder=adder)


def _has_operands(gates: Any) -> bool:
    return gates.n_inputs >= 2
