"""Rates of the array model beside SCALE-Sim's; printed, never asserted. Run by ``make perf``.

SCALE-Sim 3.0.0 on the first layer below: 27 954 array cycles, 64×64, weight stationary, at 3.4 k cycles/s.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from hwsim.encodingnet.array import ArrayModel, estimate
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.encodings import exact, truncated
from hwsim.encodingnet.shapes import resnet18
from hwsim.ir.arch.encodingnet import EncodingnetArch

pytestmark = pytest.mark.perf
SCALE_SIM = 3400.0  # array cycles/s
ARRAYS = {
    "systolic": (exact(8, 8), EncodingnetArch(style="systolic")),
    "exact heap": (exact(8, 8), EncodingnetArch(style="heap")),
    "truncated popcount": (truncated(8, 8, 6), EncodingnetArch(style="popcount")),
}


def median_cpu_s(function, rounds: int = 5) -> float:
    function()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return float(np.median(times))


@pytest.mark.parametrize("name", ARRAYS)
def test_resnet18_from_statistics(name):
    encoding, arch = ARRAYS[name]
    seconds = median_cpu_s(lambda: estimate(resnet18(), encoding, arch))
    cycles = estimate(resnet18(), encoding, arch).cycles
    rate = cycles / seconds
    print(f"\n{name}: ResNet-18 {seconds:.3f} s CPU, {rate / 1e6:.1f} M cycles/s, {rate / SCALE_SIM:.0f} × SCALE-Sim")
    assert cycles == sum(arch.gemm_cycles(layer.t, layer.k, layer.n) for layer in resnet18())


@pytest.mark.parametrize("level", ["none", "sums"])
@pytest.mark.parametrize("name", ARRAYS)
def test_one_layer_with_every_value(name, level):
    encoding, arch = ARRAYS[name]
    rng, model = np.random.default_rng(0), ArrayModel(encoding, arch)
    x, w = rng.integers(-128, 128, (2916, 576)), rng.integers(-128, 128, (64, 576))
    seconds = median_cpu_s(lambda: simulate(x, w, encoding, toggles=level, model=model))
    run = simulate(x, w, encoding, toggles=level, model=model)
    rate = run.cycles / seconds
    print(f"\n{name}, toggles {level}: {rate / 1e3:.0f} k cycles/s, {rate / SCALE_SIM:.0f} × SCALE-Sim ({run.backend})")
    assert run.outputs.shape == (2916, 64)
