"""Runs external tools: found or named, timed, measured, and remembered by content.

A tool is looked for in ``$HWSIM_<NAME>`` (a path), on PATH, and among the Python wheels of the YoWASP
project. The first call of a YoWASP tool compiles its WebAssembly for this machine (10–60 s) and keeps it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hwsim.ir.errors import ArtifactError, ToolFailedError, ToolMissingError
from rtl.synth.report import SynthReport

_TAIL = 1500  # characters of a failed tool's log that the error shows


@dataclass(frozen=True)
class Tool:
    """An external program: how to call it, and its version."""

    name: str
    command: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Run:
    """One finished call.

    Attributes:
        log: stdout and stderr.
        files: text of the requested output files.
        seconds: CPU seconds. peak_mib: largest resident size.
    """

    log: str
    files: dict[str, str]
    seconds: float
    peak_mib: float


@cache
def _native_version(path: str, flag: str) -> str:
    try:
        out = subprocess.run([path, flag], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (out.stdout or out.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def find_tool(
    name: str, programs: Sequence[str], wheel: str | None, mend: str, version_flag: str = "--version"
) -> Tool:
    """The first of: ``$HWSIM_<NAME>``, a program on PATH, the wheel's entry point.

    Args:
        name: for messages and the environment variable.
        programs: names to look for on PATH.
        wheel: ``"module:function"`` of a YoWASP wheel, or None.
        mend: what to install.

    Raises:
        ToolMissingError: none of them.
    """
    variable = "HWSIM_" + name.upper().replace("-", "_")
    if named := os.environ.get(variable):
        path = shutil.which(named)
        if path is None:
            raise ToolMissingError.of(f"${variable}", named, "a program that can be run", "Mend or unset it.")
        return Tool(name, (path,), _native_version(path, version_flag))
    for program in programs:
        if path := shutil.which(program):
            return Tool(name, (path,), _native_version(path, version_flag))
    if wheel:
        module, function = wheel.split(":")
        if importlib.util.find_spec(module) is not None:
            version = importlib.metadata.version(module.replace("_", "-"))
            call = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
            return Tool(name, (sys.executable, "-c", call), f"{module.replace('_', '-')} {version}")
    raise ToolMissingError.of(f"{name} is not installed", "nothing on PATH", " or ".join(programs), mend)


def run_tool(
    tool: Tool,
    arguments: Sequence[str],
    inputs: Mapping[str, str],
    outputs: Sequence[str] = (),
    *,
    timeout_s: float = 600.0,
) -> Run:
    """Run a tool in a fresh folder that holds `inputs`, and collect `outputs`.

    Raises:
        ToolFailedError: a non-zero exit status, a time-out, or an output that is missing.
    """
    with tempfile.TemporaryDirectory(prefix="hwsim-synth-") as folder:
        for name, text in inputs.items():
            Path(folder, name).write_text(text)
        log_path = Path(folder, ".log")
        with log_path.open("w") as log_file:
            process = subprocess.Popen(
                [*tool.command, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=log_file,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            status, usage = _wait(process, timeout_s)
        log = log_path.read_text(errors="replace")
        if status is None:
            raise ToolFailedError.of(
                f"{tool.name} ran past its time limit", f"{timeout_s:g} s", "a shorter run",
                f"Raise timeout_s. Its log ends: {log[-_TAIL:]}",
            )  # fmt: skip
        missing = [name for name in outputs if not Path(folder, name).is_file()]
        if status or missing:
            got = f"exit status {status}" + (f", no {', '.join(missing[:3])}" if missing else "")
            raise ToolFailedError.of(f"{tool.name} failed", got, "exit status 0", f"Its log ends: {log[-_TAIL:]}")
        files = {name: Path(folder, name).read_text(errors="replace") for name in outputs}
        return Run(log, files, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _wait(process: subprocess.Popen, timeout_s: float):  # type: ignore[no-untyped-def, type-arg]
    """(exit status or None on time-out, resource usage); kills the whole process group on time-out."""
    deadline = time.monotonic() + timeout_s
    pause = 0.005
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        if time.monotonic() > deadline:
            os.killpg(process.pid, 9)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            return None, usage
        time.sleep(pause)
        pause = min(0.1, pause * 1.5)


def cache_folder() -> Path:
    """``$HWSIM_CACHE``, or ``hwsim`` in the user's cache folder."""
    if named := os.environ.get("HWSIM_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwsim"


def content_hash(tool: Tool, arguments: Sequence[str], inputs: Mapping[str, str]) -> str:
    """SHA-256 over tool version, arguments and input files."""
    sha = hashlib.sha256(json.dumps([tool.name, tool.version, list(arguments)]).encode())
    for name in sorted(inputs):
        sha.update(f"\0{name}\0".encode())
        sha.update(inputs[name].encode())
    return sha.hexdigest()


def cached_report(key: str) -> SynthReport | None:
    """The remembered report of a key, or None; a damaged file counts as absent."""
    path = cache_folder() / "synth" / f"{key}.json"
    try:
        return replace(SynthReport.from_json(json.loads(path.read_text())), cached=True)
    except (OSError, ValueError, TypeError, ArtifactError):
        return None


def remember(report: SynthReport) -> SynthReport:
    """Store a report under its key; a cache that can not be written is no error."""
    path = cache_folder() / "synth" / f"{report.script_sha256}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w") as file:
            json.dump(report.to_json(), file)
        os.replace(temporary, path)
    except OSError:
        pass
    return report
