"""The torch twin of the IR equals its reference on random graphs, in every value."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.encodingnet.emulator import emulator
from hwsim.ir.mac import OPS
from hwsim.testing.strategies_mac import encoded_macs, mac_inputs
from ml.common import mac_torch
from ml.common.mac_torch import TorchMac


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_torch_reference_and_numba_are_equal(data):
    network = data.draw(encoded_macs(max_inputs=2, max_ops=8))
    x = data.draw(mac_inputs(network))
    got = TorchMac(network)(*(torch.from_numpy(a.astype(np.int64)) for a in x))
    want = network.reference(x).tolist()
    assert got.dtype == torch.int64
    assert got.tolist() == want
    for kernel in ("popcount", "table"):
        units = [emulator(e, kernel) for e in network.encodings]
        values = network.evaluate(x, lambda a, b, i, units=units: units[i](a, units[i].prepare_weights(b)))
        assert list(values)[-1].tolist() == want


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_features_become_the_same_codes(data):
    network = data.draw(encoded_macs(max_inputs=2).filter(lambda n: all(i.scale for i in n.inputs)))
    rng = np.random.default_rng(0)
    x = [rng.integers(-50, 50, (3, *one.shape)) / 4 for one in network.inputs]  # halves occur
    want = network.quantise(x)
    got = TorchMac(network).quantise(*(torch.from_numpy(a) for a in x))
    assert [a.tolist() for a in got] == [a.tolist() for a in want]


def test_every_operation_has_a_twin():
    assert set(mac_torch._RUN) == set(OPS)
