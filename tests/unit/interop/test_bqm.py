"""`Ising` ↔ dimod BQM: exact where it says so, and the bound where it rounds."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.interop import bqm as interop
from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.ising import Ising
from hwsim.testing.strategies import isings

FEW = settings(max_examples=40, deadline=None)


@FEW
@given(isings(), st.integers(-8, 8), st.data())
def test_ising_to_bqm_and_back(ising, exponent, data):
    ising = Ising(ising.h, ising.edges, ising.J, 2.0**exponent, ising.offset, names=ising.names)
    if max([0, *np.abs(ising.h), *np.abs(ising.J)]) >= 2**53:
        with pytest.raises(ArtifactError, match=r"ising for a BQM: got a weight of \d+, expected below 2\^53"):
            interop.to_bqm(ising)
        return
    bqm = interop.to_bqm(ising)
    back = interop.from_bqm(bqm, ising.scale)
    assert (back.h.tolist(), back.edges.tolist(), back.J.tolist()) == (
        ising.h.tolist(), ising.edges.tolist(), ising.J.tolist(),
    )  # fmt: skip
    assert (back.scale, back.offset, back.names) == (ising.scale, ising.offset, ising.names)
    assert interop.rounding(back) == 0.0


@FEW
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from(["SPIN", "BINARY"]), st.sampled_from([0.5, 0.01]))
def test_rounding_is_bounded(n, seed, vartype, scale):
    rng = np.random.default_rng(seed)
    linear = {i: rng.normal() for i in range(n)}
    bqm = dimod.BinaryQuadraticModel(linear, {(i, j): rng.normal() for i in range(n) for j in range(i)}, 0.3, vartype)
    ising = interop.from_bqm(bqm, scale)
    assert ising.names == ()
    exact = dimod.ExactSolver().sample(bqm)
    spins = np.where(exact.record.sample > 0, 1, -1)[:, [list(exact.variables).index(i) for i in range(n)]]
    error = np.abs(ising.reference(spins) * ising.scale + ising.offset - exact.record.energy)
    assert error.max() <= interop.rounding(ising) + 1e-9
    assert interop.rounding(ising) <= scale / 2 * (n + n * (n - 1) / 2) + 1e-9


def test_exact_scale_of_binary_models():
    bqm = dimod.BinaryQuadraticModel({"x": 3.0}, {("x", "y"): -1.0}, 0.0, "BINARY")
    ising = interop.from_bqm(bqm)
    assert (ising.scale, interop.rounding(ising), ising.names) == (0.25, 0.0, ("x", "y"))
    assert ising.reference(np.array([[1, 1]]))[0] * ising.scale + ising.offset == 2.0


def test_no_exact_scale():
    bqm = dimod.BinaryQuadraticModel({0: 0.1, 1: 1e20}, {}, 0.0, "SPIN")
    with pytest.raises(DataError, match="weights that span more than 53 bits, expected multiples of one power of two"):
        interop.from_bqm(bqm)
    with pytest.raises(DataError, match="scale: got -1, expected a finite number above 0"):
        interop.from_bqm(bqm, -1)


def test_files(tmp_path):
    ising = Ising(np.array([1, 0, -4]), np.array([[0, 2]], np.int32), np.array([7]), 0.125, 2.0, names=("a", "b", "c"))
    back = interop.load(interop.save(ising, tmp_path / "x.bqm"))
    assert (back.h.tolist(), back.J.tolist(), back.scale) == ([1, 0, -4], [7], 0.125)
    assert back.names == ising.names
    (tmp_path / "bad").write_bytes(b"no model")
    for name in ("bad", "missing"):
        with pytest.raises(DataError, match=r"BQM file: got .*expected a file of dimod's to_file"):
            interop.load(tmp_path / name)
