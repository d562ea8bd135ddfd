"""Event files: round trips, hand-made bytes, and files that are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.evsnn.chip import Chip
from hwsim.evsnn.loihi import load_nmnist_net
from hwsim.interop import aer
from hwsim.ir.errors import DataError, UsageError
from hwsim.testing.strategies_spiking import events_of, net_inputs, spiking_nets

DATA = Path(os.environ.get("HWSIM_DATA", "/nowhere"))


def recording(t, x=None, y=None, p=None, offsets=None, labels=()):
    n = len(t)
    ints = [np.zeros(n, np.int32) if a is None else np.array(a, np.int32) for a in (x, y, p)]
    return aer.Recording(np.array(t, np.int64), *ints, np.array(offsets or [0, n]), np.array(labels, np.int64))


def test_forty_bits_by_hand(tmp_path):
    """x 5, y 7, polarity 1, t = 0x012345 µs."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes([5, 7, 0x81, 0x23, 0x45]))
    r = aer.read_bin(path)
    assert (r.x.tolist(), r.y.tolist(), r.p.tolist(), r.t.tolist()) == ([5], [7], [1], [0x012345])
    aer.write_bin(r, tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == path.read_bytes()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40))
def test_bin_round_trip(seed, n, tmp_path_factory):
    rng = np.random.default_rng(seed)
    r = recording(np.sort(rng.integers(0, 2**23, n)), *(rng.integers(0, k, n) for k in (256, 256, 2)))
    path = tmp_path_factory.mktemp("bin") / "a.bin"
    aer.write_bin(r, path)
    again = aer.read_bin(path)
    assert all(np.array_equal(getattr(again, k), getattr(r, k)) for k in ("t", "x", "y", "p", "offsets"))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_event_files_round_trip(data):
    import tempfile

    net = data.draw(spiking_nets())
    events = events_of(net, data.draw(net_inputs(net)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.aer"
        aer.save(events, path, net.n_inputs, net.steps)
        again, n_inputs, steps = aer.load(path)
    assert (n_inputs, steps) == (net.n_inputs, net.steps)
    for name in ("address", "time", "offsets", "values"):
        a, b = getattr(events, name), getattr(again, name)
        assert (a is None and b is None) or np.array_equal(a, b)


def test_binning_merges_and_drops():
    r = recording([0, 400, 999, 1000, 2500], [1, 1, 2, 1, 1], [0] * 5, [0, 0, 1, 0, 0])
    events = aer.bin_events(r, 2, 1000.0, height=1, width=3)
    assert (events.address.tolist(), events.time.tolist()) == ([1, 5, 1], [0, 0, 1])
    with pytest.raises(DataError, match="step of sample 0, event 4: got 2, expected 0…1"):
        aer.bin_events(r, 2, 1000.0, 1, 3, late="refuse")


def test_bad_files_name_the_place(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(12))
    with pytest.raises(DataError, match=r"a\.bin is cut short: got 12 bytes, 2 beyond event 2"):
        aer.read_bin(path)
    path.write_bytes(bytes([0, 0, 0, 0, 9, 0, 0, 0, 0, 8]))
    with pytest.raises(DataError, match="time of sample 0, event 1: got 8 µs after 9 µs"):
        aer.read_bin(path)
    with pytest.raises(DataError, match=r"event file: got .*No such file"):
        aer.read_bin(tmp_path / "none.bin")
    with pytest.raises(DataError, match="x of sample 0, event 1: got 34, expected 0…33"):
        aer.bin_events(recording([0, 1], [0, 34]), 5)
    with pytest.raises(DataError, match="p of sample 0, event 0: got 2"):
        aer.bin_events(recording([0], p=[2]), 5)
    with pytest.raises(DataError, match=r"labels: got 2, expected 1"):
        recording([0], labels=[1, 2])
    with pytest.raises(UsageError, match="step_us"):
        aer.bin_events(recording([0]), 5, 0.0)
    with pytest.raises(UsageError, match="t: got 8388608…8388608, expected 0…8388607"):
        aer.write_bin(recording([2**23]), path)
    np.savez(tmp_path / "a.npz", t=[1], x=[1])
    with pytest.raises(DataError, match="no y, p, offset"):
        aer.read_npz(tmp_path / "a.npz")


def test_bad_event_files(tmp_path):
    path = tmp_path / "a.aer"
    events = aer.Events(np.array([3, 1]), np.array([0, 2]), np.array([0, 2]))
    with pytest.raises(DataError, match="address of sample 0, event 0: got 3, expected below 3"):
        aer.save(events, path, 3, 5)
    assert not path.exists()
    aer.save(events, path, 4, 5)
    image = path.read_bytes()
    for cut in (0, 7, 20, len(image) - 1):
        path.write_bytes(image[:cut])
        with pytest.raises(
            DataError, match=r"is cut short: got \d+ bytes, expected \d+ for 2 events|got \d+ bytes begin"
        ):
            aer.load(path)
    path.write_bytes(image.replace(b"\x03\0\0\0\x01\0\0\0", b"\x09\0\0\0\x01\0\0\0"))
    with pytest.raises(DataError, match=r"a\.aer: address of sample 0, event 0: got 9, expected below 4"):
        aer.load(path)
    path.write_bytes(image[:-8] + bytes([4, 0, 0, 0, 2, 0, 0, 0]))
    with pytest.raises(DataError, match=r"a\.aer: time of sample 0, event 1: got 2 after 4"):
        aer.load(path)


@pytest.mark.skipif(not (DATA / "nmnist").is_dir(), reason="set HWSIM_DATA to the folder with nmnist/ and loihi/")
def test_loihis_nmnist_net_knows_all_hundred():
    r = aer.read_npz(DATA / "nmnist" / "nmnist_test100.npz")
    result = Chip(load_nmnist_net(DATA / "loihi")).run(aer.bin_events(r, 300))
    assert (result.classes == r.labels).sum() == 100
