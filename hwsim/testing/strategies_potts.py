"""hypothesis strategies for Potts problems."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.potts import Potts
from hwsim.testing.strategies import generators


@st.composite
def pottses(draw: Any, max_nodes: int = 7, max_states: int = 4) -> Potts:
    """Small integer Potts problems of any density, with any counters."""
    rng = draw(generators())
    n, k = draw(st.integers(1, max_nodes)), draw(st.integers(1, max_states))
    u, v = np.triu_indices(n, 1)
    kept = rng.random(len(u)) < draw(st.sampled_from((0.0, 0.4, 1.0)))
    edges = np.stack([u[kept], v[kept]], axis=1).astype(np.int32)
    counter = rng.integers(-9, 10, (k, k))
    return Potts(
        rng.integers(-9, 10, (n, k)), edges, rng.integers(-9, 10, (len(edges), k, k)), counter + counter.T,
        draw(st.integers(0, 5)), draw(st.sampled_from((1.0, 0.125))), draw(st.sampled_from((0.0, -3.5))),
        rng.integers(0, k, (draw(st.integers(0, 3)), n)).astype(np.int8),
    )  # fmt: skip
