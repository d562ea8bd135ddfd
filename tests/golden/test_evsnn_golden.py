"""One lesson of the spiking core, worked by hand (the example of ``docs/evsnn-chip.md``).

T = 4, f = 3, two lanes. Input 1 fires at tick 1. Hidden neuron 0: S = 4, M = 4, D(0) = 16 − 4 − 32 = −20, slope 12:
τ = 2. Neuron 1: S = M = 1, D(0) = −29, slope 9, D(3) = −2: silent. z = (5, −5)·(8 − 2) = (30, −30).

Softmax: u = (0, 60 >> 2 = 15), exp = (255, round(255·e^(−15/32)) = 160), sum 415, p = (⌊65280/415⌋, ⌊40960/415⌋) =
(157, 98); label 1: e = (−157, 158). err_0 = 5·(−157) − 5·158 = −1575.

Below: err' = −1575·2^5 = −50400 (3 + 8 − 16 = −5), q = 8 + 4 = 12, m = 3, ⌊12·256/8⌋ − 256 = 128, reciprocal
round(65536/384) = 171, e = round(−50400·171·8 / 2^11) = ⌊−8618400/256 + ½⌋ = −33665, P = 4 + 2 − 1 = 5.

Galois steps of the seeds 6 and 9 (32 bits, mask of taps 32, 22, 2, 1 = 0x80200003): 6 → 3, then 3 → 1 ⊕ mask =
0x80200002; 9 → 4 ⊕ mask = 0x80200007.
"""

from __future__ import annotations

import numpy as np

from hwsim.evsnn.learning import learn
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet
from hwsim.testing.naive_evsnn import run_core


def lesson() -> SpikingNet:
    first = Layer(Dense(np.array([[6, 3], [4, 1]], np.int16), fraction=3).with_shadow(), Population("window", 2))
    last = Layer(Dense(np.array([[5, -5], [1, 1]], np.int16), fraction=3).with_shadow(), Population("readout", 2))
    rule = Plasticity("std", (6, 4), 2, seeds=np.array([6, 9], np.uint64))
    return SpikingNet(2, 4, (first, last), True, rule, n_classes=2)


def test_a_lesson_by_hand():
    net = lesson()
    events = Events(np.array([1]), np.array([1]), np.array([0, 1]))
    after, result = learn(net, events, np.array([1]))
    assert result.outputs.tolist() == [[30, -30]]
    # readout, P = 8 − 2 = 6, r = state mod 16: lane 0 r = 3, lane 1 r = 7
    w = [5 * 256 + 128 + (-157 * 6 + 3) // 16, -5 * 256 + 128 + (158 * 6 + 7) // 16]
    assert after.layers[1].synapse.shadow.tolist() == [w, [384, 384]]
    # hidden, r = 0x80200002 mod 64 = 2
    moved = 4 * 256 + 128 + (-33665 * 5 + 2) // 64
    assert after.layers[0].synapse.shadow.tolist() == [[6 * 256 + 128, 3 * 256 + 128], [moved, 256 + 128]]
    assert after.plasticity.seeds.tolist() == [0x80200002, 0x80200007]
    assert (result.sample_cycles.tolist(), result.learn_cycles.tolist()) == ([55], [37])
    naive = run_core(net, np.array([[-1, 1]]), [1])
    assert naive.shadows == [layer.synapse.shadow.tolist() for layer in after.layers]
    assert naive.cycles == [(18, 37)]
