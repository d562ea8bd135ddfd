"""Recorded runs of Loihi (slayerPytorch's test files), reproduced step for step; needs the shared data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hwsim.evsnn.loihi import load_nmnist_net, load_recording, loihi_layer, trace_mismatches
from hwsim.ir.errors import DataError

DATA = Path(os.environ.get("HWSIM_DATA", "/nowhere"))
needs_data = pytest.mark.skipif(not (DATA / "loihi").is_dir(), reason="set HWSIM_DATA to the folder with loihi/")


@needs_data
def test_recorded_voltages_and_spikes():
    recording = load_recording(DATA / "loihi")
    assert (len(recording.hidden_spikes), recording.output_spikes) == (639, [(0, 57), (0, 60)])
    assert {key: len(v) for key, v in recording.voltages.items()} == dict.fromkeys(
        [(0, 0), (0, 23), (0, 24), (1, 0)], 499
    )
    assert trace_mismatches(recording) == {"voltages": 0, "hidden_spikes": 0, "output_spikes": 0}


@needs_data
def test_a_wrong_constant_is_seen():
    recording = load_recording(DATA / "loihi")
    layer = recording.net.layers[0]
    slower = loihi_layer(layer.synapse.weights.T, v_decay=127)
    net = type(recording.net)(250, 500, (slower, recording.net.layers[1]))
    wrong = trace_mismatches(type(recording)(net, *list(vars(recording).values())[1:]))
    assert wrong["voltages"] > 1000


@needs_data
def test_the_nmnist_net_loads():
    net = load_nmnist_net(DATA / "loihi")
    assert (net.n_inputs, net.steps, [layer.population.n for layer in net.layers]) == (2312, 300, [512, 10])
    assert np.abs(net.layers[0].synapse.weights).max() <= 50
    assert (net.layers[0].synapse.weights % 2 == 0).all()


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Loihi recording w1learned\.txt: got .*HWSIM_DATA/loihi"):
        load_recording(tmp_path)
