"""The shipped HDR-5L: its tables are its weights' tables, and every kernel computes its codes."""

import numpy as np
import pytest

from hwsim.ir.errors import UsageError
from hwsim.neuralut import pretrained, simulate
from hwsim.neuralut.shipped import names


def test_tables_are_those_of_the_weights():
    from ml.neuralut.export import enumerate_tables
    from ml.neuralut.weights import load_weights

    model, network = load_weights("hdr5l"), pretrained("hdr5l")
    tables, margin = enumerate_tables(model)
    for table, layer, trained in zip(tables, network.layers, model.layers, strict=True):
        assert np.array_equal(table, layer.table)
        assert np.array_equal(trained.conn.numpy(), layer.connections)
    assert margin.unproven == 0
    x = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(np.uint8)
    assert np.array_equal(model.codes(x)[-1], network.reference(network.quantise(x)))


@pytest.mark.parametrize("backend", ["auto", "numba"])
def test_kernels_compute_its_codes(backend):
    network = pretrained("hdr5l")
    codes = np.random.default_rng(1).integers(0, 4, (300, 784)).astype(np.uint8)
    assert np.array_equal(simulate(network, codes, backend=backend).outputs, network.reference(codes))


def test_shape_is_the_papers():
    network = pretrained("hdr5l")
    assert network.widths == (784, 256, 100, 100, 100, 10)
    assert set(network.code_bits) == {2}
    assert network.cost().values["lut6_bound"] == 96_220  # the specification's 96.2 k


def test_an_unknown_name_lists_the_known_ones():
    assert "hdr5l" in names()
    with pytest.raises(UsageError, match=r"unknown pretrained network: got 'hdr6l', expected one of .*hdr5l"):
        pretrained("hdr6l")
