"""What every exported folder must be: complete, silent under lint from its own file list, read by its Tcl."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rtl.cosim.toolchain import verilator_root

BESIDE = {"files.f", "synth.tcl", "README.txt"}


def check_folder(folder: Path, written: list[Path], top: str, period: str, sources: set[str]) -> None:
    """`written` is all there is, among it `sources`; the constraints ask for `period` ns, as text."""
    names = sorted(path.name for path in written)
    assert names == sorted(os.listdir(folder))
    assert BESIDE | {f"{top}.v", f"{top}.xdc"} | sources <= set(names)
    done = subprocess.run(
        [verilator_root() / "bin" / "verilator_bin", "--lint-only", "-Wall", "-f", "files.f", "--top-module", top],
        cwd=folder, env={**os.environ, "VERILATOR_ROOT": str(verilator_root())}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert f"-period {period} " in (folder / f"{top}.xdc").read_text()
    for source in (folder / "files.f").read_text().split():
        assert f"read_verilog {source}\n" in (folder / "synth.tcl").read_text()


def same_bytes(first: Path, second: Path) -> bool:
    """Whether both folders hold the same files with the same bytes."""
    names = sorted(os.listdir(first))
    return names == sorted(os.listdir(second)) and all(
        (first / name).read_bytes() == (second / name).read_bytes() for name in names
    )
