"""The shipped integer networks: whole, as accurate as stated, and refused by name when absent."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwsim.ir import io
from hwsim.ir.errors import UsageError
from ml.common.data import UnreachableError
from ml.encodingnet import shipped
from ml.encodingnet.tasks import load_task


@pytest.mark.parametrize("name", shipped.names())
def test_shipped_networks_are_those_of_their_summary(name):
    summary = shipped.summary(name)
    assert summary["arms"].keys() >= {"exact", "m40", "m32", "m32-trained"}
    for arm, stated in summary["arms"].items():
        network = shipped.network(name, arm)
        assert io.artifact_id(network) == stated["artifact"]
        assert network.meta["arm"] == arm
        assert max(e.n_bits for e in network.encodings) == stated["wide_bits"]
        trained = len({tuple(e.position_weights.tolist()) for e in network.encodings})
        assert (trained > 1) == arm.endswith("-trained")


@pytest.mark.parametrize("name", shipped.names())
def test_shipped_networks_classify_as_stated(name):
    summary = shipped.summary(name)
    try:
        x, y = load_task(summary["spec"]["data"], download=False).test()
    except UnreachableError:
        pytest.skip("the data set is not on this machine")
    for arm in ("exact", "m40"):
        stated = summary["arms"][arm]["accuracy"]
        got = shipped.accuracy(shipped.network(name, arm), x[:400], y[:400])
        # 4 standard deviations of a share of 400 samples
        assert abs(got - stated) <= 4 * np.sqrt(stated * (1 - stated) / 400) + 0.0025


def test_what_is_not_shipped_is_named(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"shipped run: got 'iris', expected one of cifar-resnet8, mnist-lenet"):
        shipped.summary("iris")
    with pytest.raises(UsageError, match=r"arm of mnist-lenet: got 'm7', expected one of exact"):
        shipped.network("mnist-lenet", "m7")
    with pytest.raises(UsageError, match=r"run: got .*, expected a folder with summary\.json"):
        shipped.ship(tmp_path, "x")


def test_shipping_a_run_makes_it_known(tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    summary = shipped.summary("mnist-lenet")
    network = shipped.network("mnist-lenet", "exact")
    io.save(network, run / f"exact{io.SUFFIX}")
    (run / "summary.json").write_text(json.dumps({**summary, "arms": {"exact": summary["arms"]["exact"]}}))
    monkeypatch.setattr(shipped, "_DATA", tmp_path / "data")
    shipped.ship(run, "mine")
    assert shipped.names() == ("mine",)
    assert io.artifact_id(shipped.network("mine", "exact")) == io.artifact_id(network)
