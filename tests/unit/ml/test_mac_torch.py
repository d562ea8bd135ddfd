"""The torch twin of the IR equals its reference on random graphs, in every value."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.mac import OPS
from hwsim.testing.strategies_mac import encoded_macs, mac_inputs
from ml.common import mac_torch
from ml.common.mac_torch import TorchMac


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_torch_equals_reference(data):
    network = data.draw(encoded_macs(max_inputs=2, max_ops=8))
    x = data.draw(mac_inputs(network))
    got = TorchMac(network)(*(torch.from_numpy(a.astype(np.int64)) for a in x))
    assert got.dtype == torch.int64
    assert got.tolist() == network.reference(x).tolist()


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
