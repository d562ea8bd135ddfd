"""Channels have the powers and correlations they claim; bad input is refused before any work."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.xresq.channel import Received, complex_gram, correlated, count_errors, generate, n0_of_snr
from hwsim.xresq.modulation import modulation, to_complex


def test_snr_is_received_power_over_noise_at_one_antenna():
    p = generate("64qam", 8, 10, 13.0, 3000, np.random.default_rng(0))
    signal = np.matmul(p.received.H, to_complex(p.received.mod, p.levels)[:, :, None])[:, :, 0]
    noise = p.received.y - signal
    measured = (np.abs(signal) ** 2).mean() / (np.abs(noise) ** 2).mean()
    # 30 000 antenna samples: the power ratio's relative deviation is about √(2/30 000) + channel spread, below 2 %
    assert 10 * np.log10(measured) == pytest.approx(13.0, abs=0.2)
    assert n0_of_snr("64qam", 8, 13.0) == pytest.approx((np.abs(noise) ** 2).mean(), rel=0.03)


def test_kronecker_correlation_is_exponential():
    H = correlated(3, 4, 20_000, np.random.default_rng(1), rho_t=0.7, rho_r=0.4)
    rows = np.einsum("brt,bru->tu", H, H.conj()).real / (3 * len(H))
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    assert rows == pytest.approx(0.7**lag, abs=0.02)  # 5 σ: σ ≤ 1/√60 000 = 0.004
    columns = np.einsum("brt,bst->rs", H, H.conj()).real / (4 * len(H))
    lag = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    assert columns == pytest.approx(0.4**lag, abs=0.02)


@pytest.mark.parametrize(("mod", "users"), [("16qam", 3), ("bpsk", 4), ("qpsk", 60)])
def test_products_of_the_batch(mod, users):
    p = generate(mod, users, users + 1, 10.0, 2, np.random.default_rng(2))
    r = p.received
    assert complex_gram(r.H) == pytest.approx(np.matmul(r.H.conj().transpose(0, 2, 1), r.H))
    assert np.array_equal(r.gram, r.gram.conj().transpose(0, 2, 1))
    H = np.concatenate([r.H.real, r.H.imag], axis=1)
    if r.mod.axes == 2:
        H = np.concatenate([H, np.concatenate([-r.H.imag, r.H.real], axis=1)], axis=2)
    y = np.concatenate([r.y.real, r.y.imag], axis=1)
    assert r.gram_real == pytest.approx(np.matmul(H.transpose(0, 2, 1), H))
    assert r.matched_real == pytest.approx(np.einsum("brn,br->bn", H, y))
    energy = ((y - np.einsum("brn,bn->br", H, p.levels.astype(float))) ** 2).sum(axis=1)
    assert r.energies(p.levels[:, None])[:, 0] == pytest.approx(energy)
    part = r.part(np.array([1]))
    assert np.array_equal(part.gram, r.gram[1:])
    assert np.array_equal(part.y, r.y[1:])


def test_the_same_generator_gives_the_same_batch():
    a, b = (generate("16qam", 3, 4, 10.0, 5, np.random.default_rng(9)) for _ in range(2))
    assert a.received.y.tobytes() == b.received.y.tobytes()
    assert (count_errors(a, b.levels) == 0).all()


def test_bad_input_is_refused():
    H, y = np.ones((3, 2), complex), np.ones(3, complex)
    bad = y.copy()
    bad[1] = np.nan
    cases = [
        (H, bad, 1.0, ShapeError, r"y: got NaN or infinity, expected finite numbers"),
        (np.full((3, 2), np.inf), y, 1.0, ShapeError, "H: got NaN or infinity"),
        (H, y[:2], 1.0, ShapeError, r"y has the wrong shape: got \[1, 2\].*\[batch, Nr\]"),
        (H.T, np.ones(2), 1.0, ShapeError, "2 antennas for 3 users, expected Nr ≥ Nt"),
        (np.ones(3), y, 1.0, ShapeError, "H has the wrong shape"),
        (H, y, 0.0, UsageError, "n0: got 0.0, expected N0 > 0"),
        (H * [1, 0], y, 1.0, ShapeError, r"singular channel: got column \[batch, user\] = \[0, 1\] is 0"),
    ]
    for channel, received, n0, error, text in cases:
        with pytest.raises(error, match=text):
            Received(channel, received, n0, modulation("qpsk"))
    with pytest.raises(ShapeError, match="levels has the wrong shape"):
        Received(H, y, 1.0, "qpsk").energies(np.ones((1, 4)))
    with pytest.raises(UsageError, match="antennas: got 5 users, 4 antennas"):
        generate("qpsk", 5, 4, 10.0, 1, np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"rho_t: got 1.0, expected 0 ≤ ρ < 1"):
        generate("qpsk", 2, 4, 10.0, 1, np.random.default_rng(0), rho_t=1.0)
