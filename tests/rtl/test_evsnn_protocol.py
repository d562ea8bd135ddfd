"""Handshake, reset, cycles and spikes of the core, checked by cocotb under Verilator; and the exported folder."""

from __future__ import annotations

from pathlib import Path

import evsnn_clocked_nets
import evsnn_nets
import numpy as np
import pytest
from evsnn_nets import SHAPES
from exported import check_folder, same_bytes

from hwsim.evsnn.chip import simulate
from hwsim.evsnn.learning import learn
from hwsim.ir.errors import UsageError
from rtl.cosim.harness import run
from rtl.cosim.toolchain import lint
from rtl.evsnn import export
from rtl.evsnn.beats import load_beats, read_beats, sample_beats
from rtl.lib.verilog import to_verilog

pytestmark = pytest.mark.rtl
TESTS = ["order_and_loss_under_back_pressure", "cycles_and_spikes", "reset_in_every_phase",
         "an_answer_nobody_takes_holds_the_core"]  # fmt: skip


def answer(value: int, address: int, last: bool, read: bool) -> str:
    """An output beat as a hexadecimal number, put together here by hand."""
    return f"{value % 2**32 | address % 2**24 << 32 | last << 56 | read << 57:x}"


def expected(plan, reads, after, want) -> list[str]:
    """Every output beat: results, counters, random states, weights."""
    out = [answer(int(v), k, k == plan.classes - 1, False) for z in want.outputs for k, v in enumerate(z)]
    words = [want.counters[name] for name in plan.counters] + after.plasticity.seeds.tolist()
    words += [int(w) for layer in after.layers for w in layer.synapse.shadow.ravel()]
    asked = [int(beat) >> 32 & (2**30 - 1) for beat in reads]
    return out + [answer(word, address, True, True) for word, address in zip(words, asked, strict=True)]


@pytest.mark.parametrize("nets", [evsnn_nets, evsnn_clocked_nets])
def test_protocol(nets):
    shape, rng = nets.SHAPES["6-11-3"], np.random.default_rng(21)
    net, plan = shape.net(rng, 0.6), shape.plan()
    events, labels = shape.events(rng, 3), rng.integers(0, 3, 3)
    after, want = learn(net, events, labels, plan.arch)
    samples = [sample_beats(events.sample(b), int(labels[b]), True) for b in range(3)]
    load, reads = load_beats(plan, net), read_beats(plan, True)
    starts = np.cumsum([0, *map(len, samples)])[:3]
    data = {
        "load": [f"{beat:x}" for beat in load.tolist()], "reads": [f"{beat:x}" for beat in reads.tolist()],
        "samples": [f"{beat:x}" for sample in samples for beat in sample.tolist()],
        "outputs": expected(plan, reads, after, want), "starts": starts.tolist(), "ends": [2, 5, 8],
        "cycles": int(want.cycles) + 12 * (len(load) + 4 * len(reads)) + 400,
        "first": [int(want.sample_cycles[0]), 0],
    }  # fmt: skip
    outcome = run(
        to_verilog(nets.core_of("6-11-3"), "dut"), "cocotb_evsnn", data=data, python_path=Path(__file__).parent,
        testcase=",".join(TESTS), timeout_s=300,
    )  # fmt: skip
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(TESTS)
    assert outcome.report["forward"] == (want.sample_cycles - want.learn_cycles).tolist()
    assert outcome.report["learning"] == want.learn_cycles[:2].tolist()
    spikes = [
        s for b in range(3) for s in spikes_of(after_samples(net, events, labels, plan, b), events.sample(b), plan)
    ]
    assert outcome.report["spikes"] == spikes


def after_samples(net, events, labels, plan, count: int):
    """The net after learning from the first `count` samples."""
    return learn(net, events.samples(0, count), labels[:count], plan.arch)[0]


def spikes_of(net, events, plan) -> list[list[int]]:
    """[layer, neuron, tick] of the spikes of one sample in the chip model."""
    [fired] = simulate(net, events, plan.arch).spikes
    return [[0, int(j), int(t)] for j, t in zip(fired.address, fired.time, strict=True)]


@pytest.mark.parametrize(
    ("nets", "name"), [(nets, name) for nets in (evsnn_nets, evsnn_clocked_nets) for name in nets.SHAPES]
)
def test_lints_in_silence(nets, name):
    assert lint(to_verilog(nets.core_of(name), "dut")) == ""


def test_exported_folder_of_a_clocked_net(tmp_path):
    net = evsnn_clocked_nets.SHAPES["6-11-3"].net(np.random.default_rng(1))
    written = export(net, None, tmp_path, name="chip", clock_ns=8)
    check_folder(tmp_path, written, "chip", "8", {"chip_lane3.v", "chip_serving.v", "weights.hex"})
    assert "5 steps, 4 lanes; answers and learns (MPD-ED)" in (tmp_path / "README.txt").read_text()


def test_exported_folder(tmp_path):
    net = SHAPES["6-11-3"].net(np.random.default_rng(1))
    written = export(net, None, tmp_path / "first", name="chip", clock_ns=8)
    check_folder(tmp_path / "first", written, "chip", "8", {"chip_lane3.v", "chip_firing.v", "weights.hex"})
    lines = (tmp_path / "first" / "weights.hex").read_text().split()
    assert len(lines) == 6 * 11 + 11 * 3 + 4
    assert int(lines[0], 16) == 3 << 62 | int(net.layers[0].synapse.shadow[0, 0]) % 2**16
    export(net, None, tmp_path / "again", name="chip", clock_ns=8)
    assert same_bytes(tmp_path / "first", tmp_path / "again")
    with pytest.raises(UsageError, match="clock_ns: got 0"):
        export(net, None, tmp_path, clock_ns=0)
