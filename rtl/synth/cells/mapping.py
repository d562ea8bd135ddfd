"""Verilog → cells of a library, by yosys and the ABC inside it.

Adders of generated heaps are instances of the modules ``full_adder`` and ``half_adder``; plain RTL (``a*w + psum``)
goes through yosys' own multiplier and adder, or its Booth pass. Everything that changes the result is in
`MapOptions`, and netlists are remembered by content.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hwsim.ir.errors import UsageError
from rtl.synth.cells.adders import SUPPORT, adder_areas, adder_map, word_map
from rtl.synth.cells.library import Library
from rtl.synth.cells.netlist import CellNetlist, netlist_from_json
from rtl.synth.cells.polarity import BLACK_BOXES, inverting_area
from rtl.synth.cells.roles import usable
from rtl.synth.cells.write import liberty_text
from rtl.synth.runner import cache_folder, content_hash, run_tool
from rtl.synth.yosys import find_yosys

Adders = Literal["auto", "cell", "form", "inverting", "gates"]
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class MapOptions:
    """How Verilog becomes cells.

    Attributes:
        adders: of ``full_adder`` and ``half_adder``: the library's cells (``"cell"``), the smallest fixed form of
            gates (``"form"``), gates with carries of alternating polarity (``"inverting"``, see the module
            `polarity`), equations left to the mapper (``"gates"``: slow and larger on heaps, measured), or ``"auto"``:
            the smallest full adder of the first three.
        multiplier: yosys' own array (``"yosys"``) or its ``booth`` pass.
        word_adders: compressors inside yosys' multipliers: left to gates (``"gates"``) or built as ``full_adder``.
        flatten: one flat module before mapping, so that logic is shared over module borders; otherwise every module
            is mapped once (a column of equal rows: much faster) and flattened afterwards.
        clock_ps: delay that ABC aims for; None maps for area.
        dont_use: more cells to leave out (patterns).
    """

    adders: Adders = "auto"
    multiplier: Literal["yosys", "booth"] = "yosys"
    word_adders: Literal["gates", "full_adder"] = "gates"
    flatten: bool = True
    clock_ps: int | None = None
    dont_use: tuple[str, ...] = ()


def map_cells(
    verilog: Mapping[str, str],
    top: str,
    library: Library,
    options: MapOptions | None = None,
    *,
    timeout_s: float = 900.0,
    use_cache: bool = True,
) -> CellNetlist:
    """Map Verilog to cells of a library.

    Args:
        verilog: source text by file name; ``full_adder`` and ``half_adder`` are added where they are not defined.
        top: top module; one clock.
        library: see `rtl.synth.cells.load_library`.
        options: see `MapOptions`.
        timeout_s: wall-clock limit of yosys.
        use_cache: read and write the cache of netlists.

    Raises:
        ToolMissingError, ToolFailedError: no yosys, or it failed or ran too long.
        ArtifactError: the library lacks an inverter, a gate or a flip-flop.
        UsageError: an unknown option, or logic that no cell can make (a latch, a memory).

    Example:
        >>> from rtl.synth.cells import load_library, map_cells
        >>> library = load_library("sky130hd")                                           # doctest: +SKIP
        >>> map_cells({"x.v": "module x(input a, b, output y); assign y = a ^ b; endmodule"}, "x", library).cells
        ... # doctest: +SKIP
        {'sky130_fd_sc_hd__xor2_1': 1}
    """
    options = options or MapOptions()
    if not _NAME.fullmatch(top):
        raise UsageError.of("top", repr(top), "a Verilog identifier", "Name the top module.")
    kept = usable(library, options.dont_use)
    style = _style(kept, options)
    tool = find_yosys()
    inputs = {**verilog, "cells.lib": liberty_text(kept), "run.ys": _script(list(verilog), top, style, options)}
    inputs["hwsim_adders.v"] = "\n".join(
        text for text in re.split(r"(?<=endmodule)\n", SUPPORT) if text and not _defined(text, verilog)
    )  # only what the sources do not define themselves
    inputs["hwsim_map.v"] = adder_map(kept, style)
    inputs |= {"hwsim_word.v": word_map(), "hwsim_support.v": SUPPORT, "hwsim_boxes.v": BLACK_BOXES}
    key = content_hash(tool, [top, "netlist 1"], inputs)
    text, seconds = _cached(key) if use_cache else None, 0.0
    if text is None:
        run = run_tool(tool, ["-q", "-s", "run.ys"], inputs, ["out.json"], timeout_s=timeout_s)
        text, seconds = run.files["out.json"], run.seconds
        if use_cache:
            _remember(key, text)
    meta = {"tool": tool.version, "sha256": key, "adders": style, "seconds": seconds, "options": asdict(options),
            "script": inputs["run.ys"]}  # fmt: skip
    return netlist_from_json(text, top, library, meta, kept)


def _style(library: Library, options: MapOptions) -> str:
    """The way adders are built; ``"auto"`` compares the areas of one full adder."""
    areas = adder_areas(library)
    full = {"cell": areas["full_cell"], "inverting": inverting_area(library), "form": areas["full_form"]}
    if options.adders not in ("auto", "gates", *full):
        raise UsageError.of(
            "adders", repr(options.adders), "auto, cell, form, inverting or gates", "Choose one of them."
        )
    known = {style: area for style, area in full.items() if area is not None}
    if options.adders == "auto":
        return min(known, key=lambda style: known[style]) if known else "gates"
    if options.adders != "gates" and options.adders not in known:
        raise UsageError.of(
            f"adders {options.adders!r}",
            f"no such adder in {library.name}",
            " or ".join([*known, "gates"]),
            "Use auto.",
        )
    return options.adders


def _defined(module: str, verilog: Mapping[str, str]) -> bool:
    found = re.search(r"module (\w+)", module)
    return found is not None and any(re.search(rf"\bmodule\s+{found[1]}\b", text) for text in verilog.values())


def _script(sources: list[str], top: str, style: str, options: MapOptions) -> str:
    """Yosys commands. Adders keep their module until they are mapped to cells; constants reach them first."""
    booth = " -booth" if options.multiplier == "booth" else ""
    extra = " -extra-map hwsim_word.v" if options.word_adders == "full_adder" else ""
    adders = "full_adder half_adder"
    lines = [f"read_verilog -sv {' '.join(sources)} hwsim_adders.v", f"hierarchy -check -top {top}", "proc"]
    if style != "gates":
        lines += ["read_liberty -lib -ignore_miss_func cells.lib", "read_verilog -lib hwsim_boxes.v"]
    if not options.flatten:
        lines += ["setattr -mod -set keep_hierarchy 1 *"]
    if style != "gates":
        lines += [f"setattr -mod -set keep_hierarchy 1 {adders}", "flatten", "opt", "techmap -map hwsim_map.v"]
    lines += [f"setattr -mod -unset keep_hierarchy {adders}", "flatten"]
    lines += [f"synth -top {top} -noabc{booth}{extra} -run begin:check"]
    if options.word_adders == "full_adder":
        lines += ["read_verilog -overwrite hwsim_support.v"]
        lines += ["techmap -map hwsim_map.v"] if style != "gates" else []
        lines += ["hierarchy -check", "flatten", "opt", "techmap", "opt"]
    clock = f" -D {options.clock_ps}" if options.clock_ps else ""
    lines += ["setattr -unset init w:*", "dfflibmap -liberty cells.lib", f"abc -liberty cells.lib{clock}"]
    lines += [
        "setattr -mod -unset keep_hierarchy *",
        "flatten",
        "setundef -zero",
        "opt_clean -purge",
        "write_json out.json",
    ]
    return "\n".join([*lines, ""])


def _path(key: str) -> Path:
    return cache_folder() / "synth" / f"{key}.netlist.gz"


def _cached(key: str) -> str | None:
    """A remembered netlist, or None; a damaged file counts as absent."""
    try:
        return gzip.decompress(_path(key).read_bytes()).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return None


def _remember(key: str, text: str) -> None:
    """Keep a netlist; a cache that can not be written is no error."""
    try:
        _path(key).parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=_path(key).parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(gzip.compress(text.encode(), 3))
        os.replace(temporary, _path(key))
    except OSError:
        pass
