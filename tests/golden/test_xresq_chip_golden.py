"""Tiny runs of the annealing detector, worked by hand (``xresq_chip.json``); four axes without interference.

greedy (T = 0, 16-QAM, G_ii = 2, every axis starts at x = 3)
    axis 0, z = 6:  g = 0; weight 2: D = 2·(4 + 0) = 8, weight 1: D = 2; stays, E = 2·9 − 2·6·3 = −18
    axis 1, z = −2: g = −8; weight 2: D = 2·(4 − 8) < 0, x = −1, g = 0; weight 1: D = 2; E = 2 − 4 = −2
    axis 2, z = 0:  g = −6; weight 2: D = 2·(4 − 6) < 0, x = −1, g = 2; weight 1: D = 4; E = 2
    axis 3, z = 3:  g = −3; weight 2: D = 2·(4 − 3) = 2; weight 1: D = 2 − 3 < 0, x = 1; E = 2 − 6 = −4

plateau (T = 4, QPSK, z = 0: every flip costs 0)
    xorshift32 from 1 (Marsaglia): 270369, 67634689, 2647435461, 307599695; low bytes 33, 1, 197, 79;
    −32 ln((byte + ½)/256) = 65, 164, 8, 37; thresholds ⌊…/32⌋ = 2, 5, 0, 1. 0 < threshold: yes, yes, no, yes.
    The energy stays 8, so the seed stays the best state.

Cycles of both, 64-bit words: load 1 (sweeps) + 1 (random state) + 2 (four z) + 1 (seed) + 1 (schedule) + 4 (rows of G);
five parts of 4 slots; 7 + 4 + 5 stages; 2 words of the winner: 10 + 20 + 16 + 2 = 48.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.mimo_ising import MimoIsing
from hwsim.testing.naive_xresq import xresq_run
from hwsim.xresq.chip import simulate

CASES = json.loads(Path(__file__).with_name("xresq_chip.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_states_energies_acceptances_and_cycles(case):
    n = len(case["matched"])
    problem = MimoIsing(
        case["gram_diagonal"] * np.eye(n, dtype=np.int32), np.array(case["matched"], np.int64), case["bits_per_axis"],
        np.array(case["seeds"], np.int8), np.array(case["rng_seeds"], np.uint32),
        np.array(case["mantissas"], np.uint8), np.array(case["exponents"], np.uint8),
    )  # fmt: skip
    arch = XresqArch(n, case["bits_per_axis"], 1, 1, beat_bits=case["beat_bits"])
    result, naive = simulate(problem, arch), xresq_run(problem)
    assert result.energies.tolist() == naive.energies == case["energies"]
    assert result.spins.tolist() == naive.spins == case["spins"]
    assert result.accepts.tolist() == naive.accepts == case["accepts"]
    assert result.winner == naive.winner == case["winner"]
    assert result.cycles == case["cycles"]
