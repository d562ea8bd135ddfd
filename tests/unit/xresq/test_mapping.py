"""The Ising problem is ‖y − Hx‖² to rounding, in every form, for every constellation."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.errors import UsageError
from hwsim.testing.naive_mimo import maximum_likelihood
from hwsim.xresq import mapping
from hwsim.xresq.channel import generate
from hwsim.xresq.chip import problem_from
from hwsim.xresq.modulation import levels_of_spins, modulation, spins_of_levels, to_complex

SMALL = [("bpsk", 8, 8), ("qpsk", 5, 6), ("16qam", 3, 4), ("64qam", 2, 3), ("256qam", 2, 2)]
WIDE = {"gram_bits": 16, "field_bits": 31, "energy_bits": 32, "mantissa_bits": 8, "exponent_bits": 5}


def every_state(n: int) -> np.ndarray:
    return (2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1).astype(np.int8)


@pytest.mark.parametrize(("mod", "users", "antennas"), SMALL)
def test_energies_equal_the_residual_over_all_states(mod, users, antennas):
    p = generate(mod, users, antennas, 12.0, 2, np.random.default_rng(4))
    r, b = p.received, 1
    states = every_state(r.mod.spins(users))
    x = levels_of_spins(r.mod, states)
    truth = r.part(np.array([b])).energies(x[None])[0]
    dense = mapping.dense_ising(r, b)
    assert np.abs(dense.energies(states) - truth).max() < 1e-9
    assert np.array_equal(dense.J, dense.J.T)
    assert (np.diag(dense.J) == 0).all()
    bqm = mapping.dimod_bqm(r, b)
    assert np.abs(bqm.energies((states, range(len(states[0])))) - truth).max() < 1e-9
    gram, z, power = mapping.structured_problem(r, b)
    a = x.astype(float)
    assert np.abs((a * (a @ gram)).sum(axis=1) - 2 * a @ z + power - truth).max() < 1e-9
    energy, best = maximum_likelihood(r.H[b].tolist(), r.y[b].tolist(), r.mod.points.tolist(), r.mod.axes)
    assert truth.min() == pytest.approx(energy, abs=1e-9)
    assert to_complex(r.mod, x[truth.argmin()]) == pytest.approx(np.array(best))


def test_256_qam_takes_eight_spins_a_user():
    assert mapping.spins_per_user(modulation("256qam")) == 8
    p = generate("256qam", 2, 2, 30.0, 1, np.random.default_rng(0))
    assert len(mapping.dense_ising(p.received).h) == 16


def test_the_large_build_agrees_with_the_definition():
    p = generate("16qam", 50, 50, 20.0, 1, np.random.default_rng(5))
    dense = mapping.dense_ising(p.received)
    states = np.random.default_rng(6).choice(np.array([-1, 1], np.int8), (20, 200))
    truth = p.received.energies(levels_of_spins(p.received.mod, states)[None])[0]
    assert dense.energies(states) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(("mod", "users", "antennas"), SMALL)
def test_the_integer_forms_are_close_and_agree_with_each_other(mod, users, antennas):
    p = generate(mod, users, antennas, 12.0, 1, np.random.default_rng(7))
    r = p.received
    states = every_state(r.mod.spins(users))
    truth = r.energies(levels_of_spins(r.mod, states)[None])[0]
    ir = mapping.ising_ir(r, bits=30, initial=states[:2])
    assert ir.reference(states) * ir.scale + ir.offset == pytest.approx(truth, rel=1e-5, abs=1e-4)
    H, y = r.H[0], r.y[0]
    if r.mod.axes == 1:
        H, y = np.concatenate([H.real, H.imag]), np.concatenate([y.real, y.imag])
    arch = XresqArch(n=r.n, bits_per_axis=r.mod.bits_per_axis, replicas=1, lanes=1, **WIDE)
    chip = problem_from(H, y, float(r.n0[0]), spins_of_levels(r.mod, p.levels), r.mod.bits_per_axis, arch)
    assert chip.reference(states) * chip.scale + chip.offset == pytest.approx(truth, rel=2e-3, abs=0.2)
    wide = chip.expand()
    expanded = wide.reference(states) * wide.scale + wide.offset
    assert expanded == pytest.approx(chip.reference(states) * chip.scale + chip.offset, rel=1e-12, abs=1e-9)


def test_ri_mimo_adds_a_field_towards_the_mmse_answer():
    p = generate("16qam", 3, 4, 10.0, 1, np.random.default_rng(8))
    plain, pulled = mapping.dense_ising(p.received), mapping.dense_ising(p.received, ri=0.5)
    s = mapping.mmse_spins(p.received)[0]
    states = every_state(12)
    penalty = 0.5 * ((states - s) ** 2).sum(axis=1)
    assert pulled.energies(states) == pytest.approx(plain.energies(states) + penalty)


def test_bad_options_are_refused():
    p = generate("16qam", 2, 2, 10.0, 1, np.random.default_rng(8))
    with pytest.raises(UsageError, match=r"instance: got 1, expected 0…0"):
        mapping.dense_ising(p.received, 1)
    with pytest.raises(UsageError, match="ri: got -1"):
        mapping.dense_ising(p.received, ri=-1)
