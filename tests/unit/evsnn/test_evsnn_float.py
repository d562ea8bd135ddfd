"""Float nets and generated bars."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.evsnn.bars import DIRECTIONS, EDGE, SPAN_US, moving_bars
from hwsim.evsnn.floating import FloatChip
from hwsim.interop.aer import bin_events
from hwsim.ir.errors import DataError, ShapeError, UsageError
from hwsim.ir.events import Events


def dense_run(weights, beta, theta, x, compare=">=", reset="zero", readout=False):
    """The same net in float64, step by step."""
    signal = x.astype(float)
    for k, w in enumerate(weights):
        current = signal @ w.astype(float)
        if readout and k == len(weights) - 1:
            return current.sum(axis=1)
        v, out = np.zeros((len(x), w.shape[1])), np.zeros(current.shape)
        for t in range(x.shape[1]):
            v = beta * v + current[:, t]
            s = v > theta if compare == ">" else v >= theta
            v = np.where(s, v - theta if reset == "subtract" else 0, v)
            out[:, t] = s
        signal = out
    return signal.sum(axis=1)


@pytest.mark.parametrize("compare", [">", ">="])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("readout", [False, True])
def test_weights_on_a_grid_give_exact_spikes(compare, reset, readout):
    """Weights in eighths and β = ½: float32 holds every membrane, so spikes agree exactly, thresholds met included."""
    rng = np.random.default_rng(5)
    weights = [rng.integers(-8, 10, shape).astype(np.float32) / 8 for shape in ((30, 70), (70, 9))]
    x = rng.random((3, 8, 30)) < 0.3
    chip = FloatChip(weights, 0.5, 1.0, 8, compare, reset, readout)
    result = chip.run(Events.from_raster(x))
    assert np.array_equal(result.counts, dense_run(weights, 0.5, 1.0, x, compare, reset, readout))
    assert result.syn_fwd == x.sum() * 70 + result.spikes[0] * 9


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(1)
    w = [rng.normal(0.1, 1, (40, 500)).astype(np.float32)]
    events = Events.from_raster(rng.random((2, 5, 40)) < 0.4)
    whole = FloatChip(w, 0.9, 2.0, 5).run(events)
    monkeypatch.setattr("hwsim.evsnn.floating.BLOCK_BYTES", 8000)
    parts = FloatChip(w, 0.9, 2.0, 5)
    assert len(parts._blocks[0]) > 5
    assert np.array_equal(parts.run(events).counts, whole.counts)


def test_bad_float_nets():
    w = np.ones((2, 3), np.float32)
    with pytest.raises(UsageError, match=r"float neurons: got beta 1\.5"):
        FloatChip([w], 1.5, 1.0, 4)
    with pytest.raises(UsageError, match="threshold 0"):
        FloatChip([w], 0.5, 0, 4)
    with pytest.raises(ShapeError, match="weights of layer 1 has the wrong shape"):
        FloatChip([w, w], 0.5, 1.0, 4)
    with pytest.raises(DataError, match="address of sample 0, event 0: got 2"):
        FloatChip([w], 0.5, 1.0, 4).run(Events(np.array([2]), np.array([0]), np.array([0, 1])))


def test_bars_are_reproducible_and_tell_their_direction():
    a, b = moving_bars(64, 3), moving_bars(64, 3)
    assert all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("t", "x", "y", "p", "offsets", "labels"))
    assert np.bincount(a.labels).tolist() == [8] * DIRECTIONS
    found = []
    for k in range(a.samples):
        here = slice(a.offsets[k], a.offsets[k + 1])
        t = a.t[here] - a.t[here].mean()
        angle = np.arctan2((t * a.y[here]).sum(), (t * a.x[here]).sum())  # events move along the bar's way
        found.append(round(angle / (2 * np.pi) * DIRECTIONS) % DIRECTIONS)
    assert (np.array(found) == a.labels).mean() > 0.9
    events = bin_events(a, 32, SPAN_US / 32, EDGE, EDGE)
    assert 100 < len(events) / a.samples < 600
    with pytest.raises(UsageError, match="moving_bars: got 0 samples"):
        moving_bars(0, 1)
