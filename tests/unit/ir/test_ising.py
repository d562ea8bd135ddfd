"""`ising` and `mimo_ising`: files, rules, energies, and that the structured form expands exactly."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.ising import Ising
from hwsim.ir.mimo_ising import MimoIsing, minus_log_rom
from hwsim.testing import naive
from hwsim.testing.conformance import SETTINGS, ArtifactConformance
from hwsim.testing.strategies import generators, isings, mimo_isings

I8, I32 = np.int8, np.int32
TRIANGLE = Ising(
    np.array([-1, 0, 2]),
    np.array([[0, 1], [0, 2], [1, 2]], I32),
    np.array([1, 1, -3]),
    0.5,
    -1.0,
    np.array([[0.0, 1.0], [1.0, 0.4], [2.0, 1.0]]),
    np.array([[1, -1, 1]], I8),
    ("a", "b", "c"),
    {"from": "test"},
)
AXES = MimoIsing(
    np.array([[2, 1], [1, 3]], I32),
    np.array([6, -2]),
    2,
    np.array([[1, 1, 1, 1], [-1, 1, -1, 1]], I8),
    np.array([1, 2], np.uint32),
    np.array([3, 0], np.uint8),
    np.array([2, 0], np.uint8),
)


def spins(draw, n):
    return 2 * draw(generators()).integers(0, 2, (5, n)) - 1


class TestIsing(ArtifactConformance):
    artifacts = isings()

    def inputs(self, draw, artifact):
        return spins(draw, artifact.n)

    def naive(self, artifact, sample):
        return naive.ising_energy(artifact, sample)

    def broken(self):
        t = TRIANGLE
        for changes, message in [
            ({"h": np.zeros(3, I32)}, r"ising\.h: got int32 \[3\], expected int64 \[any\]"),
            ({"edges": np.array([[0, 1], [0, 3], [1, 2]], I32)}, r"ising\.edges: got \[0, 3\], expected 0 ≤ u < v < 3"),
            ({"edges": np.array([[0, 1], [0, 2], [2, 1]], I32)}, r"ising\.edges: got \[2, 1\]"),
            ({"edges": np.array([[0, 1], [0, 1], [1, 2]], I32)}, r"ising\.edges: got edges out of order"),
            ({"J": np.array([1, 1])}, r"ising\.J: got int64 \[2\], expected int64 \[3\]"),
            ({"J": np.array([2**62, 1, 1])}, r"ising energies: .* expected below 2\^62"),
            ({"scale": 0.0}, r"ising\.scale and offset: got scale 0\.0"),
            ({"offset": np.nan}, r"ising\.scale and offset: .* offset nan"),
            ({"schedule": t.schedule[::-1].copy()}, r"ising\.schedule: .* expected rising times"),
            ({"schedule": np.array([[0.0, 1.5]])}, r"ising\.schedule: .* 0 ≤ s ≤ 1"),
            ({"initial": np.zeros((1, 3), I8)}, r"ising\.initial: got other values"),
            ({"initial": np.ones((1, 2), I8)}, r"ising\.initial: got int8 \[1, 2\], expected int8 \[any, 3\]"),
            ({"names": ("a", "a", "b")}, r"ising\.names: got 3 names, expected 3 unique or none"),
        ]:
            yield t, changes, message


class TestMimoIsing(ArtifactConformance):
    artifacts = mimo_isings()

    def inputs(self, draw, artifact):
        return spins(draw, artifact.n_spins)

    def naive(self, artifact, sample):
        return naive.mimo_energy(artifact, sample)

    def broken(self):
        for changes, message in [
            ({"bits_per_axis": 5}, r"mimo_ising\.bits_per_axis: got 5, expected 1…4"),
            ({"bits_per_axis": 1}, r"mimo_ising\.seeds: got int8 \[2, 4\], expected int8 \[any, 2\]"),
            ({"matched": np.zeros(3, np.int64)}, r"mimo_ising\.gram: got int32 \[2, 2\], expected int32 \[3, 3\]"),
            ({"gram": np.array([[2, 1], [0, 3]], I32)}, r"mimo_ising\.gram: got no Gram matrix"),
            ({"gram": np.array([[-2, 1], [1, 3]], I32)}, r"mimo_ising\.gram: got no Gram matrix"),
            ({"seeds": np.zeros((2, 4), I8)}, r"mimo_ising\.seeds: got other values"),
            ({"rng_seeds": np.array([1], np.uint32)}, r"mimo_ising\.rng_seeds: got uint32 \[1\]"),
            ({"rng_seeds": np.array([1, 0], np.uint32)}, r"mimo_ising\.rng_seeds: got 0"),
            ({"exponents": np.array([32, 0], np.uint8)}, r"mimo_ising\.exponents: got 32, expected 0…31"),
            ({"mantissas": np.array([1], np.uint8)}, r"mimo_ising\.exponents: got uint8 \[2\], expected uint8 \[1\]"),
            ({"matched": np.array([2**61, 0])}, r"mimo_ising energies: .* below 2\^62"),
            ({"scale": -1.0}, r"mimo_ising\.scale and offset"),
        ]:
            yield AXES, changes, message


@SETTINGS
@given(data=st.data())
def test_the_structured_form_expands_exactly(data):
    problem = data.draw(mimo_isings())
    expanded, x = problem.expand(), spins(data.draw, problem.n_spins)
    ours = problem.scale * problem.reference(x) + problem.offset
    assert (expanded.scale * expanded.reference(x) + expanded.offset).tolist() == ours.tolist()
    assert [naive.mimo_points(problem, row) for row in x] == problem.points(x).tolist()


def test_the_threshold_rom_is_eight_bits_and_falls():
    rom = minus_log_rom()
    assert rom[0] == 200  # −ln(1/512) · 32 = 199.6
    assert rom[-1] == 0
    assert (np.diff(rom) <= 0).all()
    # the mean of −ln(u) is 1 = 2^5 steps; rounding and 256 midpoints keep it within 1 %
    assert abs(rom.mean() / 32 - 1) < 0.01
