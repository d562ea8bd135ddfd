"""The exported folder is complete, lints in silence, and is what the batch driver simulates."""

from __future__ import annotations

import numpy as np
import pytest
from exported import check_folder, same_bytes
from rtl_networks import mixed, single

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import UsageError
from rtl.cosim.verilate import Verilated
from rtl.lib.verilog import Port, VerilogDesign
from rtl.neuralut import export

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("ports", ["plain", "stream"])
def test_folder_lints_from_its_file_list(tmp_path, ports):
    written = export(mixed(), NeuralutArch(ports=ports), tmp_path, name="net", clock_ns=1.1)
    check_folder(tmp_path, written, "net", "1.1", {"net_layer0.v"})


def test_readme_states_ports_and_latency(tmp_path):
    export(mixed(), NeuralutArch(register_every=2), tmp_path)
    text = (tmp_path / "README.txt").read_text()
    assert "codes_in[11:0]  6 codes of 2 bits" in text
    assert "Latency 2 clock edges, one sample a cycle;\nregisters before layers 0, 2 (3 = output)" in text


def test_exported_files_simulate_by_themselves(tmp_path):
    network = mixed()
    export(network, NeuralutArch(), tmp_path, name="net")
    paths = [tmp_path / name for name in (tmp_path / "files.f").read_text().split()]
    ports = (Port("codes_in", "in", 1, 12), Port("codes_out", "out", 1, 6))
    dut = Verilated(VerilogDesign.read(paths, "net", ports).with_lanes(codes_in=6, codes_out=3))
    x = np.random.default_rng(5).integers(0, 4, (100, 6))
    assert np.array_equal(dut.run(x).outputs, network.reference(x))
    with pytest.raises(UsageError, match=r"Verilog file: got .*No such file"):
        VerilogDesign.read([tmp_path / "gone.v"], "net", ports)


def test_combinational_network_gets_a_path_constraint(tmp_path):
    export(single(), NeuralutArch(register_input=False), tmp_path)
    assert "set_max_delay 2 -from [all_inputs]" in (tmp_path / "neuralut.xdc").read_text()
    assert "no clock" in (tmp_path / "README.txt").read_text()


def test_same_bytes_twice(tmp_path):
    for folder in ("a", "b"):
        export(mixed(), None, tmp_path / folder)
    assert same_bytes(tmp_path / "a", tmp_path / "b")


def test_bad_period(tmp_path):
    with pytest.raises(UsageError, match="clock_ns: got 0"):
        export(mixed(), None, tmp_path, clock_ns=0)
