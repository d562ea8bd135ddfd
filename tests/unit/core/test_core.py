"""Counters, energies and traces."""

from __future__ import annotations

import io as text_io
import subprocess
import sys

import numpy as np
import pytest

from hwsim.core import energy
from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of, technology
from hwsim.core.result import SimResult
from hwsim.core.trace import Signal, Trace
from hwsim.ir.errors import ShapeError, UsageError


def test_counters_add_and_refuse_negative_counts():
    total = Counters(a=1) + {"a": 2, "b": 3}
    assert dict(total) == {"a": 3, "b": 3}
    assert repr(total) == "Counters(a=3, b=3)"
    with pytest.raises(UsageError, match="counter a: got -1, expected 0 or more"):
        Counters(a=-1)


def test_every_figure_has_a_source_and_ordered_bounds():
    for entry in technology("cmos45").values():
        assert entry.source
        assert entry.node
        assert 0 < entry.low_pj <= entry.energy_pj <= entry.high_pj


def test_energy_bounds_and_unpriced_events():
    got = energy_of(
        {"adds": 10, "reads": 2, "other": 1, "none": 0}, "cmos45", {"adds": "add_int16", "reads": "dram_read64"}
    )
    assert got.total_pj == pytest.approx(10 * 0.05 + 2 * 1950)
    assert (got.low_pj, got.high_pj) == pytest.approx((10 * 0.03 + 2 * 1300, 10 * 0.1 + 2 * 2600))
    assert got.unpriced == ("other",)
    assert energy_of({"other": 1}, "cmos45", {}) is None
    assert energy_of({"adds": 0}, "cmos45", {"adds": "add_int8"}) is None


def test_bad_technologies(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"technology: got 'sky1', expected one of .*cmos45"):
        technology("sky1")
    (tmp_path / "bare.toml").write_text('[add]\nvalue = 1.0\nunit = "pJ"\nnode = "?"\n')
    monkeypatch.setattr(energy.resources, "files", lambda _: tmp_path)
    with pytest.raises(UsageError, match=r"bare\.toml entry add.*a source"):
        technology("bare")


def test_seconds_at_a_clock():
    result = SimResult(np.zeros((1, 1)), 431, 5, 1, Counters(), "numba")
    assert result.seconds_at(431.0) == pytest.approx(1e-6)


def test_a_trace_checks_its_signals():
    with pytest.raises(ShapeError, match=r"trace signals differ in length: got \[1, 2\]"):
        Trace({"a": Signal(1, np.zeros(1, int)), "b": Signal(1, np.zeros(2, int))})
    with pytest.raises(ShapeError, match="trace signal a: got 2, expected at most 1 bits"):
        Trace({"a": Signal(1, np.array([2]))})


def test_vcd(tmp_path):
    """Two cycles of 10 ns: the values change at the rising edges, −1 is written as x; equal bytes every time."""
    trace = Trace({"s.v": Signal(1, np.array([1, 0])), "code": Signal(3, np.array([-1, 5]))})
    text = trace.write_vcd(tmp_path / "sub/a.vcd").read_text()
    assert "$timescale 1 ns $end" in text
    assert "$scope module s $end" in text
    names = {}
    for line in text_io.StringIO(text):
        if line.startswith("$var"):
            names[line.split()[4]] = line.split()[3]
    body = text.split("$enddefinitions $end")[1]
    assert f"#10\n1{names['clk']}\n0{names['v']}\nb101 {names['code']}\n" in body
    assert "#5\n0" in body
    assert body.rstrip().endswith("#20")
    assert trace.write_vcd(tmp_path / "b.vcd").read_text() == text


def test_imports_stay_light():
    """`import hwsim` and the simulator's face load neither numba nor anything heavier."""
    code = "import sys, hwsim, hwsim.neuralut; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "torch", "amaranth", "scipy"} & set(loaded)
