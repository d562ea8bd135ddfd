"""The same codes without AVX-512, without any vector unit beyond the base x86-64 set, and without a compiler."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# All widths a kernel treats differently: packed and plain inputs, one and two bytes of address, sums, 9-bit codes.
SCRIPT = """
import numpy as np
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer, code_dtype
from hwsim.neuralut import simulate
from hwsim.neuralut.codegen import unsupported
assert unsupported(), "this run was meant to do without permutes"
rng = np.random.default_rng(0)
for n_in, bits, fan_in, out in [(70, 2, 6, 2), (5, 4, 3, 4), (9, 1, 16, 8), (3, 8, 1, 8), (4, 3, 3, 9)]:
    first = LutLayer(rng.integers(0, n_in, (7, fan_in)).astype(np.int32),
                     rng.integers(0, 1 << out, (7, 1 << bits * fan_in)).astype(code_dtype(out)), bits, out)
    add = SumLayer(np.array([0, 2, 5], np.int32), np.array([0, 1, 2, 3, 6], np.int32), np.array([1, -3], np.int32),
                   -20, 30, out)
    network = LutNetwork(n_in, bits, (first, add), n_classes=2)
    for batch in (1, 64, 130):
        codes = rng.integers(0, 1 << bits, (batch, n_in))
        result = simulate(network, codes)
        assert result.backend == "numba" and result.notes, result
        np.testing.assert_array_equal(result.outputs, network.reference(codes))
        np.testing.assert_array_equal(result.classes, network.classify(result.outputs))
"""


def run(**environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_plain_python():
    run(NUMBA_DISABLE_JIT="1")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names x86-64 processors")
@pytest.mark.parametrize(("cpu", "features"), [("x86-64", ""), ("haswell", "+avx2")])
def test_older_processors(cpu, features):
    run(NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features)
