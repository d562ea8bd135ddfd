"""Our detectors beside Sionna's (NVIDIA, PyTorch), on the same vectors: decided symbols, soft bits, error rates.

Runs where ``pip install 'hwsim[sionna]'`` was done. Sionna's constellations have unit energy and its Gray labels
count bits from the positive side; decided symbols are compared as points, soft bits where the labels are ours.
"""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.xresq import Detection, Problems, detector, generate
from hwsim.xresq.modulation import Modulation, slice_levels, to_real

mimo = pytest.importorskip("sionna.phy.mimo", reason="sionna-no-rt is an optional extra")
torch = pytest.importorskip("torch")
VECTORS = 300


def tensors(p: Problems) -> list:
    """(y, H, noise covariance) as Sionna takes them: unit-energy symbols, double precision."""
    r = p.received
    unit = np.sqrt(r.mod.symbol_energy)
    covariance = r.n0[:, None, None] * np.eye(r.n_r)
    return [torch.from_numpy(a.astype(np.complex128)).cpu() for a in (r.y, r.H * unit, covariance)]


def levels_of(mod: Modulation, indices) -> np.ndarray:
    """Levels int8 [batch, n] of Sionna's symbol numbers [batch, users]."""
    from sionna.phy.mapping import Constellation

    points = Constellation("qam", mod.bits_per_symbol, precision="double", device="cpu").points.numpy()
    return slice_levels(mod, to_real(mod, points[indices.numpy()] * np.sqrt(mod.symbol_energy)))


def common(mod: Modulation) -> dict:
    return {"constellation_type": "qam", "num_bits_per_symbol": mod.bits_per_symbol, "precision": "double",
            "device": "cpu"}  # fmt: skip


def symbols(p: Problems, made) -> np.ndarray:
    return levels_of(p.received.mod, made(*tensors(p)))


def drawn(mod: str, users: int, antennas: int, snr_db: float, vectors: int = VECTORS) -> Problems:
    return generate(mod, users, antennas, snr_db, vectors, np.random.default_rng(3))


@pytest.mark.parametrize(("mod", "users", "antennas", "snr_db"), [("qpsk", 5, 5, 8.0), ("16qam", 3, 4, 14.0)])
def test_sphere_decoding_is_exact_maximum_likelihood(mod, users, antennas, snr_db):
    p = drawn(mod, users, antennas, snr_db)
    options = {"output": "symbol", "demapping_method": "maxlog", "num_streams": users, "hard_out": True}
    exact = mimo.MaximumLikelihoodDetector(**options, **common(p.received.mod))
    ours = detector("sphere")(p.received)
    assert np.array_equal(ours.levels, symbols(p, exact))
    assert (ours.levels != p.levels).any()  # the noise is strong enough for errors, and they are the same ones


@pytest.mark.parametrize(("name", "equalizer"), [("zf", "zf"), ("mmse", "lmmse")])
def test_linear_detectors_decide_the_same_symbols(name, equalizer):
    p = drawn("16qam", 4, 6, 16.0)
    options = {"equalizer": equalizer, "output": "symbol", "demapping_method": "maxlog", "hard_out": True}
    assert np.array_equal(
        detector(name)(p.received).levels, symbols(p, mimo.LinearDetector(**options, **common(p.received.mod)))
    )


def test_soft_bits_of_a_complete_list_are_the_max_log_ones():
    """QPSK, where both labels agree: all 4^3 vectors as candidates give exact max-log LLRs, with the other sign."""
    p = drawn("qpsk", 3, 4, 8.0)
    options = {"output": "bit", "demapping_method": "maxlog", "num_streams": 3}
    theirs = mimo.MaximumLikelihoodDetector(**options, **common(p.received.mod))(*tensors(p)).numpy()
    ours: Detection = detector("kbest")(p.received, k=64)
    assert np.allclose(ours.llr(clip=1e6).reshape(theirs.shape), theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["ep", "kbest"])
def test_error_rates_are_no_worse(name):
    """16 × 16, 16-QAM: Sionna's order of users and damping differ, so rates are compared, not answers.

    Ours may exceed theirs by 3σ of a sum of vectors' errors: σ² = Σ (difference of the two in a vector)².
    """
    p = drawn("16qam", 16, 16, 20.0, 400)
    mod = p.received.mod
    if name == "ep":
        made = mimo.EPDetector("symbol", mod.bits_per_symbol, hard_out=True, precision="double", device="cpu")
        ours = detector("ep")(p.received)
    else:
        made = mimo.KBestDetector("symbol", 16, 16, hard_out=True, **common(mod))
        ours = detector("kbest")(p.received, k=16)
    wrong = [(x != p.levels).sum(axis=1) for x in (ours.levels, symbols(p, made))]
    difference = wrong[0].astype(float) - wrong[1]
    assert wrong[1].sum() > 20
    assert difference.sum() <= 3 * np.sqrt((difference**2).sum())
