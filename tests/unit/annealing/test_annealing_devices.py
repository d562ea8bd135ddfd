"""Published annealers and what may be changed of them: curves, limits, constructor arguments, noise."""

from __future__ import annotations

import numpy as np
import pytest
from dwave.system.coupling_groups import coupling_groups

from hwsim.annealing import IDEAL, Noise, QPUSimulator, devices
from hwsim.annealing.devices import device
from hwsim.ir.errors import UsageError


@pytest.mark.parametrize("name", devices())
def test_published_devices(name):
    published = device(name)
    s = np.linspace(0, 1, 101)
    a, b = published.a(s), published.b(s)
    assert (np.diff(a) < 0).all()
    assert (np.diff(b) > 0).all()
    crossing = s[np.argmax(b > a)]
    expected = {
        "Advantage_system4": 0.2785, "Advantage_system6": 0.2870, "Advantage2_system1": 0.2653,
        "Advantage2_system2": 0.2342, "Advantage2_system4": 0.2433,
    }[name]  # fmt: skip
    assert abs(crossing - expected) <= 0.011


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "DW_2000Q"}, r"device: got 'DW_2000Q', expected one of Advantage_system4"),
        ({"model": "magic"}, r"model: got 'magic', expected one of svmc-tf"),
        ({"sweeps_per_us": 0}, r"sweeps_per_us: got 0, expected a finite number above 0"),
        ({"topology_type": "torus", "topology_shape": [2]}, r"topology type: got 'torus', expected one of chimera"),
        ({"topology_type": "pegasus", "topology_shape": [2, 3]}, r"shape of topology pegasus: got \[2, 3\]"),
        ({"topology_type": "zephyr"}, r"topology_shape: got none, expected a shape for zephyr"),
    ],
)
def test_constructor_rules(options, message):
    with pytest.raises(UsageError, match=message):
        QPUSimulator(**options)


def test_noise_rules():
    with pytest.raises(UsageError, match=r"Noise.sigma_h: got -1, expected a finite number ≥ 0"):
        Noise(sigma_h=-1)
    with pytest.raises(UsageError, match=r"expected finite chi, readout ≤ 1"):
        Noise(readout=1.5)


def test_coupling_limits():
    """Sums of J at a qubit (Advantage) and in a group of couplers (Advantage2) bound the scale."""
    advantage = QPUSimulator(topology_type="pegasus", topology_shape=[3], noise=IDEAL, seed=1)
    hub = max(advantage.nodelist, key=lambda q: len(advantage.adjacency[q]))
    star = {(hub, q): -2.0 for q in advantage.adjacency[hub]}
    assert advantage.sample_ising({}, star).info["simulator"]["scale"] == pytest.approx(2.0 * len(star) / 18)
    zephyr = QPUSimulator("Advantage2_system4", topology_shape=[2, 4], noise=IDEAL, seed=1)
    hub = max(zephyr.nodelist, key=lambda q: len(zephyr.adjacency[q]))
    star = {(hub, q): -2.0 for q in zephyr.adjacency[hub]}
    largest = max(sum(hub in edge for edge in g) for g in coupling_groups(zephyr.to_networkx_graph()))
    assert zephyr.sample_ising({}, star).info["simulator"]["scale"] == pytest.approx(max(1.0, 2.0 * largest / 13))
