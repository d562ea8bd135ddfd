"""Detectors against brute force, closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.testing.naive_mimo import maximum_likelihood, residual
from hwsim.xresq import DETECTORS, Received, count_errors, detect, detector, generate
from hwsim.xresq.linear import mmse_estimate, zf_estimate
from hwsim.xresq.message import amp_estimate, ep_estimate, posterior, state_evolution
from hwsim.xresq.modulation import modulation, to_complex, to_real
from hwsim.xresq.tree import factorise, fsd, kbest, mmse_sic, sphere

SYSTEMS = st.sampled_from([("bpsk", 5, 5), ("bpsk", 6, 7), ("qpsk", 3, 3), ("qpsk", 4, 5), ("16qam", 2, 2),
                           ("16qam", 2, 4), ("64qam", 1, 2), ("256qam", 1, 1)])  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(SYSTEMS, st.floats(-5, 25), st.integers(0, 2**31), st.sampled_from([0.0, 0.8]))
def test_the_sphere_decoder_is_exhaustive_search(system, snr_db, seed, rho):
    p = generate(*system, snr_db, 1, np.random.default_rng(seed), rho_t=rho)
    r = p.received
    energy, best = maximum_likelihood(r.H[0].tolist(), r.y[0].tolist(), r.mod.points.tolist(), r.mod.axes)
    d = sphere(r)
    assert d.energy[0] == pytest.approx(energy, rel=1e-9, abs=1e-9)
    assert d.counters["exact"].all()
    assert to_complex(r.mod, d.levels[0]) == pytest.approx(np.array(best))


@pytest.mark.parametrize(("mod", "users"), [("bpsk", 4), ("16qam", 3), ("qpsk", 50)])
def test_linear_detectors_are_their_closed_forms(mod, users):
    p = generate(mod, users, users + 2, 12.0, 3, np.random.default_rng(1))
    r = p.received
    es, noise = (1.0, r.n0[0] / 2) if mod == "bpsk" else (r.mod.symbol_energy, r.n0[0])
    for b in range(3):
        H, y = r.H[b], r.y[b]
        gram, z = H.conj().T @ H, H.conj().T @ y
        if mod == "bpsk":
            gram, z = gram.real, z.real
        zero_forced = np.linalg.solve(gram, z)
        assert zf_estimate(r).mean[b] == pytest.approx(to_real(r.mod, zero_forced))
        inverse = np.linalg.inv(gram + noise / es * np.eye(users))
        bias = 1 - noise / es * np.diag(inverse).real
        assert mmse_estimate(r).mean[b] == pytest.approx(to_real(r.mod, inverse @ z / bias))


def test_the_variances_of_linear_estimates_are_those_of_their_errors():
    p = generate("16qam", 4, 6, 14.0, 4000, np.random.default_rng(2))
    for estimate in (zf_estimate(p.received), mmse_estimate(p.received)):
        scaled = (estimate.mean - p.levels) / np.sqrt(estimate.variance)
        # 32 000 unit-variance terms: the mean square deviates by √(2/32 000) = 0.8 %; 5 σ
        assert (scaled**2).mean() == pytest.approx(1.0, abs=0.04)


def test_the_sorted_factor_reproduces_the_gram_matrix():
    p = generate("16qam", 5, 6, 14.0, 1, np.random.default_rng(3))
    factor, target, order = factorise(p.received, 0, 0.3)
    gram = p.received.gram_real[0] + 0.3 * np.eye(10)
    assert factor.T @ factor == pytest.approx(gram[np.ix_(order, order)])
    assert factor.T @ target == pytest.approx(p.received.matched_real[0][order])
    assert sorted(order) == list(range(10))
    assert (order[1::2] - order[::2] == 5).all()


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_finds_a_clear_answer_and_its_energy(name):
    p = generate("16qam", 3, 8, 30.0, 6, np.random.default_rng(4))
    d = detector(name)(p.received)
    assert (count_errors(p, d.levels) == 0).all()
    r = p.received
    naive = [residual(r.H[b].tolist(), r.y[b].tolist(), to_complex(r.mod, d.levels[b]).tolist()) for b in range(6)]
    assert d.energy == pytest.approx(np.array(naive))
    assert np.array_equal(d.bits, p.bits)
    assert d.spins.shape == (6, 12)
    assert (np.diff(d.energies, axis=1) >= 0).all()


@pytest.mark.parametrize("mod", ["bpsk", "qpsk", "64qam"])
@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_takes_every_constellation(name, mod):
    p = generate(mod, 4, 9, 33.0, 8, np.random.default_rng(5))
    # AMP is for large systems: with four users one of 192 bits is its own error
    assert count_errors(p, detector(name)(p.received).levels).sum() <= (2 if name == "amp" else 0)


def test_better_search_is_never_worse():
    p = generate("16qam", 4, 5, 14.0, 200, np.random.default_rng(6))
    r = p.received
    exact = sphere(r).energy
    wide = kbest(r, k=256).energy
    for d in (mmse_sic(r), fsd(r), kbest(r, k=4)):
        assert (d.energy >= exact - 1e-9).all()
    assert (fsd(r).energy <= mmse_sic(r).energy + 1e-9).all()  # the cancelled path is one of its paths
    assert (wide <= kbest(r, k=1).energy + 1e-9).mean() > 0.99


def test_kbest_with_all_survivors_is_exhaustive():
    p = generate("16qam", 2, 2, 8.0, 30, np.random.default_rng(7))
    assert kbest(p.received, k=256).energy == pytest.approx(sphere(p.received).energy)


def test_threads_do_not_change_a_bit():
    p = generate("16qam", 4, 5, 14.0, 20, np.random.default_rng(8))
    for name in ("mmse_sic", "fsd", "kbest", "sphere", "quamax", "xresq", "paramax"):
        one, three = (detector(name)(p.received, threads=t) for t in (1, 3))
        assert one.candidates.tobytes() == three.candidates.tobytes()


def test_ep_matches_exact_marginals_of_one_user():
    r = generate("16qam", 1, 3, 8.0, 5, np.random.default_rng(9)).received
    # one user, orthogonal axes: the cavity is the matched filter whatever the prior
    matched = r.matched_real / np.repeat(r.gram.real[:, :, 0], 2, axis=1)
    assert ep_estimate(r).mean == pytest.approx(matched, abs=1e-6)


def test_amp_follows_state_evolution():
    p = generate("16qam", 256, 256, 18.0, 4, np.random.default_rng(10))
    predicted = state_evolution(p.received.mod, 18.0)
    estimate = amp_estimate(p.received)
    # 2048 axes; finite-size corrections are a few percent at this size
    assert ((estimate.mean - p.levels) ** 2).mean() == pytest.approx(predicted.noise_variance, rel=0.15)
    optimum = state_evolution(p.received.mod, 18.0, start=0.0)
    assert optimum.noise_variance == pytest.approx(predicted.noise_variance, rel=1e-6)


def test_the_posterior_is_bayes():
    p, mean, variance = posterior(modulation("qpsk"), np.array([0.5]), np.array([1.0]))
    assert p[0, 1] / p[0, 0] == pytest.approx(np.exp(2 * 0.5))
    assert mean[0] == pytest.approx(np.tanh(0.5))
    assert variance[0] == pytest.approx(1 - np.tanh(0.5) ** 2)


def test_llr_signs_and_magnitudes():
    # one user, QPSK: (E(b=1) − E(b=0))/N0 = −4 Re(h*y)/N0 on the in-phase axis, −4 Im(h*y)/N0 on the other
    r = Received(np.array([[[2.0 + 0j]]]), np.array([[1.0 - 3.0j]]), 4.0, "qpsk")
    d = detector("sphere")(r)
    assert d.llr(clip=100.0) == pytest.approx(np.array([[-4 * 2 * 1 / 4, 4 * 2 * 3 / 4]]))
    assert d.bits.tolist() == [[1, 0]]
    assert d.llr(clip=1.0).tolist() == [[-1.0, 1.0]]


def test_llr_agrees_with_all_candidates_listed():
    p = generate("16qam", 2, 3, 10.0, 20, np.random.default_rng(11))
    full = kbest(p.received, k=256)  # every vector
    assert full.energies.shape == (20, 256)
    exact = full.llr(clip=1e9, neighbours=False)
    listed = detector("xresq")(p.received, levels=4, reads=8).llr(clip=1e9)
    hard = detector("sphere")(p.received).bits
    assert ((exact < 0) == (hard == 1)).all()
    assert ((listed < 0) == (hard == 1)).all()
    assert (np.abs(listed) >= np.abs(exact) - 1e-6).all()  # a shorter list lacks some rivals
    assert np.median(np.abs(listed) - np.abs(exact)) < 1e-6
    with pytest.raises(UsageError, match="clip: got 0"):
        full.llr(clip=0)


def test_singular_channels_and_bad_options_are_refused():
    H = np.ones((1, 3, 2), complex)
    y = np.ones((1, 3), complex)
    for name in ("zf", "sphere"):
        with pytest.raises(ShapeError, match=r"singular channel: got pivot ratio .*Use mmse, ep or an annealer"):
            detect(H, y, 0.1, "qpsk", name)
    assert detect(H, y, 0.1, "qpsk", "mmse").levels.shape == (1, 4)
    with pytest.raises(UsageError, match=r"detector: got 'magic', expected one of zf, mmse"):
        detect(H, y, 0.1, "qpsk", "magic")
    with pytest.raises(UsageError, match="k: got 0"):
        detect(H, y, 0.1, "qpsk", "kbest", k=0)
    with pytest.raises(UsageError, match="sorting: got 'no'"):
        detect(H, y, 0.1, "qpsk", "fsd", sorting="no")
    with pytest.raises(UsageError, match="threads: got 0"):
        detect(H, y, 0.1, "qpsk", "fsd", threads=0)


def test_a_search_that_is_cut_short_says_so():
    p = generate("16qam", 12, 12, 8.0, 3, np.random.default_rng(12))
    d = sphere(p.received, max_nodes=50)
    assert (d.counters["exact"] == 0).any()
    assert (d.energy <= mmse_sic(p.received).energy + 1e-9).all()
