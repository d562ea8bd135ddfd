"""Where Liberty files are looked for, and which files make one library.

In this order: ``$HWSIM_LIBERTY`` (files or folders, separated as in PATH), ``$HWSIM_DATA/liberty``, and the folder of
Debian's package ``qflow-tech-osu018``. Files may be gzip. Several libraries can be there side by side.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hwsim.ir.errors import ArtifactError, DataError
from rtl.synth.cells.library import Library, parse_library

_DEBIAN = Path("/usr/share/qflow/tech/osu018")
_MEND = "Set HWSIM_LIBERTY to a Liberty file or a folder of them, or apt install qflow-tech-osu018."


@dataclass(frozen=True)
class Known:
    """A library by name: one pattern a file (all are needed), what it is, how to get it."""

    patterns: tuple[str, ...]
    process: str
    get: str


KNOWN: Mapping[str, Known] = {
    "sky130hd": Known(
        (r"sky130hd_tt|sky130_fd_sc_hd__tt_025C_1v80",), "SkyWater 130 nm high density, Apache-2.0",
        "OpenSTA's examples/sky130hd_tt.lib.gz",
    ),
    "sg13g2": Known(
        (r"sg13g2_stdcell_typ_1p20V_25C",), "IHP 130 nm BiCMOS, Apache-2.0",
        "IHP-Open-PDK: ihp-sg13g2/libs.ref/sg13g2_stdcell/lib",
    ),
    "osu018": Known((r"osu018_stdcells",), "OSU 180 nm, GPL", "apt install qflow-tech-osu018"),
    "asap7": Known(
        (r"asap7_simple|asap7sc7p5t_SIMPLE_RVT_TT.*", r"asap7_seq|asap7sc7p5t_SEQ_RVT_TT.*",
         r"asap7_invbuf|asap7sc7p5t_INVBUF_RVT_TT.*"), "ASAP7 predictive 7 nm RVT TT, BSD-3", "OpenSTA's test/asap7",
    ),
    "nangate45": Known(
        (r"nangate45_typ|NangateOpenCellLibrary_typical",), "Nangate/FreePDK 45 nm",
        "OpenSTA's examples/nangate45_typ.lib.gz",
    ),
}  # fmt: skip


def library_files() -> dict[str, tuple[Path, ...]]:
    """Files of every library that was found, by name: the known ones, then others by their file's stem."""
    files: dict[str, Path] = {}
    for folder in _places():
        paths = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        for path in paths:
            if path.is_file() and (stem := _stem(path)) is not None:
                files.setdefault(stem, path)
    out: dict[str, tuple[Path, ...]] = {}
    used: set[str] = set()
    for name, known in KNOWN.items():
        stems = [next((s for s in files if re.fullmatch(pattern, s)), None) for pattern in known.patterns]
        if all(stem is not None for stem in stems):
            out[name] = tuple(files[stem] for stem in stems if stem)
            used |= {stem for stem in stems if stem}
    return out | {stem: (path,) for stem, path in files.items() if stem not in used}


def load_library(name: str | Path) -> Library:
    """A library by name (`library_files`) or from a file.

    Raises:
        DataError: not found; the message lists what is there.
        ArtifactError: a damaged file, or files of different voltages.
    """
    path = Path(name)
    paths: tuple[Path, ...]
    if path.suffix in (".lib", ".gz") or os.sep in str(name):
        if not path.is_file():
            raise DataError.of("Liberty file", path, "a file", _MEND)
        paths, short = (path,), _stem(path) or path.stem
    else:
        found = library_files()
        if name not in found:
            there = ", ".join(found) or "none"
            raise DataError.of(f"library {name}", "no such file", f"one of those found: {there}", _mend(str(name)))
        paths, short = found[str(name)], str(name)
    return _load(short, tuple((p, p.stat().st_mtime_ns) for p in paths))


def read_text(path: Path) -> str:
    """Text of a Liberty file, gzip (by its first bytes) or plain; raises `ArtifactError` when it is damaged."""
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ArtifactError.of(
            f"Liberty file {path}", repr(error), "gzip or plain text", "Get the file again."
        ) from error


@cache
def _load(name: str, files: tuple[tuple[Path, int], ...]) -> Library:
    texts = [read_text(path) for path, _ in files]
    library = parse_library(texts[0], name)
    for text, (path, _) in zip(texts[1:], files[1:], strict=True):
        library = library.merged(parse_library(text, path.name))
    sha = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    return replace(library, name=name, sources=tuple(path.name for path, _ in files), sha256=sha)


def _places() -> list[Path]:
    named = [Path(part) for part in os.environ.get("HWSIM_LIBERTY", "").split(os.pathsep) if part]
    for path in named:
        if not path.exists():
            raise DataError.of("$HWSIM_LIBERTY", path, "a file or a folder", "Mend or unset it.")
    data = os.environ.get("HWSIM_DATA")
    return named + ([Path(data) / "liberty"] if data and (Path(data) / "liberty").is_dir() else []) + [
        place for place in (_DEBIAN,) if place.is_dir()
    ]  # fmt: skip


def _stem(path: Path) -> str | None:
    """File name without ``.lib`` and ``.gz``; None for other files."""
    found = re.fullmatch(r"(.+)\.lib(?:\.gz)?", path.name)
    return found[1] if found else None


def _mend(name: str) -> str:
    return f"{_MEND} {name}: {KNOWN[name].get}." if name in KNOWN else _MEND
