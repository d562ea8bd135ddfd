"""Event-driven simulators fire as our float kernel on the network of the speed table, made small."""

import numpy as np
import pytest

from benches.evsnn import simulators
from hwsim.evsnn import FloatChip
from hwsim.ir.events import Events

STEPS, BETA, THETA = 40, 0.9, 6.0


@pytest.mark.parametrize("name", simulators.NAMES)
def test_a_simulator_counts_our_spikes(name):
    pytest.importorskip(name)
    rng = np.random.default_rng(5)
    x = rng.random((STEPS, 30)) < 0.2
    weights = [rng.normal(0.5, 1, (30, 20)), rng.normal(0.5, 1, (20, 6))]
    _, spikes = simulators.measure(name, x, weights, BETA, THETA, rounds=2)
    own = FloatChip([w.astype(np.float32) for w in weights], BETA, THETA, STEPS).run(Events.from_raster(x[None]))
    ours = own.spikes[0] + int(own.counts.sum())
    assert ours > 50
    assert abs(spikes - ours) <= (0 if name == "nest" else 0.02 * ours)
