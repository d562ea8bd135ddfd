"""KANELÉ's tables as a network: a hand-counted tiny model, and the published one where the data is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hwsim.interop.kanele import from_tables, load_kanele
from hwsim.ir.errors import DataError

JSC = Path(os.environ.get("HWSIM_DATA", "missing")) / "jsc"


def tiny() -> dict[str, np.ndarray]:
    """Two inputs of 2 bits, one hidden value of 3 bits, two outputs."""
    return {
        "edge": np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 1]], np.int16),
        "width": np.array([4, 4, 8, 8], np.int16),
        "values": np.array([-3, -1, 1, 3, -4, 0, 2, 3, *range(-4, 4), *range(3, -5, -1)], np.int16),
        "bn_weight": np.ones(2, np.float32),
        "bn_bias": np.zeros(2, np.float32),
        "bn_mean": np.array([0.0, 1.0], np.float32),
        "bn_var": np.full(2, 1 - 1e-5, np.float32),
        "input_bias": np.array([0.5], np.float32),
        "input_threshold": np.float32(2.0),
    }


def test_tiny_by_hand() -> None:
    network = from_tables(tiny())
    # scale 2/2 = 1: codes are clip(round(x − mean + 0.5), −2, 1) + 2
    codes = network.quantise(np.array([[0.9, -9.0], [-1.2, 1.0], [-9.0, 0.2]]))
    assert codes.tolist() == [[3, 0], [1, 2], [0, 2]]
    # hidden sums 3 − 4 = −1, −1 + 2 = 1, −3 + 2 = −1; the second output is the first's mirror image
    hidden = network.reference_layers(codes)[1]
    assert (hidden[:, 0].astype(int) - 4).tolist() == [-1, 1, -1]
    out = network.reference(codes).astype(int) - (1 << (network.output_bits - 1))
    assert out.tolist() == [[-1, 0], [1, -2], [-1, 0]]
    assert network.classify(network.reference(codes)).tolist() == [1, 0, 1]


def test_hidden_sum_saturates() -> None:
    data = tiny()
    data["values"][:8] = [-4] * 4 + [-4] * 4
    hidden = from_tables(data).reference_layers(np.array([[0, 0]]))[1]
    assert hidden.tolist() == [[0]]


def test_missing_file_and_field(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="KANELÉ tables"):
        load_kanele(tmp_path / "none.npz")
    np.savez(tmp_path / "half.npz", edge=np.zeros((1, 3)))
    with pytest.raises(DataError, match="no width, values"):
        load_kanele(tmp_path / "half.npz")


@pytest.mark.skipif(not JSC.is_dir(), reason="HWSIM_DATA has no jsc folder")
def test_published_tables_replay() -> None:
    network = load_kanele(JSC / "kanele_openml_tables.npz")
    jets = np.load(JSC / "jsc_openml_test1000.npz")
    classes = network.classify(network.reference(network.quantise(jets["x"])))
    assert int((classes == jets["y"]).sum()) == 784
