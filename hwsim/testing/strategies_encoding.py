"""Hypothesis strategies for encodings and operand codes that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.encodingnet.gatebuilder import GateBuilder, copy_gates
from hwsim.ir.encoding import Encoding
from hwsim.testing.strategies import gate_netlists, generators


@st.composite
def encodings(draw: Any, max_bits: int = 4) -> Encoding:
    """Random gates of any fan-in over operands of 1…max_bits bits, any signs, levels, weights and fractions."""
    a, b = draw(st.integers(1, max_bits)), draw(st.integers(1, max_bits))
    inner = draw(gate_netlists(a + b, 12))
    rng = draw(generators())
    builder = GateBuilder(a + b)  # the same gates, read by randomly chosen operand bits
    gates = builder.build(copy_gates(builder, inner, rng.integers(0, a + b, inner.n_inputs).tolist()))
    reach = draw(st.sampled_from((3, 200, 1 << 20, 1 << 36)))
    x_levels, w_levels = (rng.normal(size=1 << n) if draw(st.integers(0, 3)) == 0 else None for n in (a, b))
    return Encoding(
        gates, a, b,
        rng.integers(-reach, reach + 1, gates.n_outputs),
        int(rng.integers(-reach, reach + 1)),
        draw(st.integers(0, 20)), draw(st.booleans()), draw(st.booleans()), x_levels, w_levels,
    )  # fmt: skip


@st.composite
def operands(draw: Any, encoding: Encoding, max_rows: int = 7, max_terms: int = 140) -> tuple[np.ndarray, np.ndarray]:
    """Codes x [T, K] and w [N, K], either possibly empty, in any integer type that holds them."""
    rng = draw(generators())
    t, n, k = (draw(st.integers(0, limit)) for limit in (max_rows, max_rows, max_terms))
    (x_lo, x_hi), (w_lo, w_hi) = encoding.x_range, encoding.w_range
    dtype = draw(st.sampled_from((np.int16, np.int32, np.int64)))
    return rng.integers(x_lo, x_hi + 1, (t, k)).astype(dtype), rng.integers(w_lo, w_hi + 1, (n, k)).astype(dtype)
