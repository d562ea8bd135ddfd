"""`potts`: files, rules, energies and costs."""

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.potts import Potts
from hwsim.testing import naive_potts
from hwsim.testing.conformance import ArtifactConformance
from hwsim.testing.strategies_potts import pottses

I8, I32 = np.int8, np.int32
PATH = Potts(
    np.zeros((3, 2), np.int64),
    np.array([[0, 1], [1, 2]], I32),
    np.array([[[-1, 1], [1, -1]], [[-3, 3], [3, -3]]]),
    np.array([[2, 0], [0, 2]]),
    2,
    0.5,
    -1.0,
    np.array([[0, 1, 1]], I8),
    {"from": "test"},
)


class TestPotts(ArtifactConformance):
    artifacts = pottses()

    def inputs(self, draw, artifact):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        return rng.integers(0, artifact.states, (5, artifact.n))

    def naive(self, artifact, sample):
        return naive_potts.potts_energy(artifact, sample)

    def broken(self):
        for changes, message in [
            ({"h": np.zeros((3, 2), I32)}, r"potts\.h: got int32 \[3, 2\], expected int64 \[any, any\]"),
            ({"h": np.zeros((3, 0), np.int64)}, r"potts\.h: got 0 states, expected 1…127"),
            ({"edges": np.array([[0, 1], [1, 3]], I32)}, r"potts\.edges: got \[1, 3\], expected 0 ≤ u < v < 3"),
            ({"edges": np.array([[0, 1], [0, 1]], I32)}, r"potts\.edges: got edges out of order"),
            ({"tables": np.zeros((2, 2, 3), np.int64)}, r"potts\.tables: got int64 \[2, 2, 3\]"),
            ({"counter": np.array([[0, 1], [0, 0]])}, r"potts\.counter: .* expected a symmetric matrix"),
            ({"counter_shift": 31}, r"potts\.counter_shift: got 31, expected 0…30"),
            ({"counter": np.full((2, 2), 2**61)}, r"potts energies: .* below 2\^62"),
            ({"initial": np.array([[0, 1, 2]], I8)}, r"potts\.initial: got other values, expected labels 0…1"),
            ({"scale": -1.0}, r"potts\.scale and offset"),
        ]:
            yield PATH, changes, message


def test_costs_counted_by_hand():
    cost = PATH.cost().values
    assert (cost["couplers"], cost["weight_bits"], cost["coupler_bits"]) == (2, 3, 6)  # −3…3 in 3 bits, one a coupler
    assert (cost["counters"], cost["counter_bits"]) == (2, 4)  # 0…3 in two bits each
    assert cost["dense_coupler_bits"] == 9
    assert cost["additions_per_update"] == 2 * (4 / 3 + 2)
