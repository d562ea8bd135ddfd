"""What the bench reads from its settings, counts on its own, and puts behind the cycle model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benches.graphnorm.array import EncodedProducts
from benches.graphnorm.bench import PROFILES, verilog
from benches.graphnorm.convergence import reached
from benches.graphnorm.handover import UNIT, encoding_named
from benches.graphnorm.studies import Study, studies
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.library import shipped
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import UsageError


def test_studies_are_read():
    config = replace(PROFILES["quick"], sets="mutag:graph+batch:3:7:2 ptc::: proteins::5", hidden=4)
    every = ("graph", "batch", "instance", "layer")
    assert studies(config) == {
        "mutag": Study(("graph", "batch"), 3, 7, 2, 4),
        "ptc": Study(every, 10, 40, 1, 4),
        "proteins": Study(every, 5, 40, 1, 4),
    }


@pytest.mark.parametrize("text", ["mutagen", "mutag:power", "mutag:batch", "mutag::11", "mutag:::0", "mutag::a"])
def test_studies_that_are_none(text):
    with pytest.raises(UsageError, match=r"sets: got .*Write name:norm"):
        studies(replace(PROFILES["quick"], sets=text))


def test_epochs_to_ninety_percent_are_counted_from_one_and_censored():
    assert reached([0.5, 0.89, 0.9, 0.2]) == 3
    assert reached([0.5, 0.6]) == 2


@pytest.mark.parametrize("encoding", [exact(8, 8), shipped(UNIT)], ids=["exact", "m32"])
def test_the_array_multiplies_and_counts(encoding):
    rng, arch = np.random.default_rng(0), EncodingnetArch(16, 16)
    x, w = rng.integers(0, 128, (20, 24)), rng.integers(-127, 128, (10, 24))
    array = EncodedProducts((encoding,), arch)
    assert array(x, w, 0).tolist() == EncodedProducts((encoding,))(x, w, 0).tolist()
    want = simulate(x, w, encoding, arch, toggles="none")
    assert array(x, w, 0).tolist() == want.outputs.tolist()
    cycles, energy, events = array.take()
    assert cycles == 2 * want.cycles
    assert events["macs"] == 2 * 20 * 24 * 10
    assert sum(energy.values()) > 0
    assert array.take()[0] == 0


def test_verilog_of_a_unit(tmp_path):
    written = verilog(tmp_path, channels=4, lanes=2, max_nodes=8, layers=1)
    assert {"graphnorm.v", "files.f", "README.txt"} <= {path.name for path in written}
    (tmp_path / "x").write_text("no artifact")
    with pytest.raises(ValueError, match=r"too short|damaged|truncated"):
        verilog(tmp_path, network=str(tmp_path / "x"))


def test_the_bars_encoding():
    assert encoding_named(UNIT).n_bits == 32
    assert (encoding_named("exact").table == exact(8, 8).table).all()
