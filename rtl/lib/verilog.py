"""Amaranth component → Verilog-2001 text, as one value that can be hashed, written, linted and simulated.

A component may add hand-rendered Verilog files while it elaborates, through `platform.add_file(name, text)` (what
Amaranth's vendor platforms offer too). `to_verilog` passes a `SourceCollector` as platform; elaborated without one
(Amaranth's own simulator, a bare ``verilog.convert``), the component falls back to pure Amaranth.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from amaranth.back import verilog
from amaranth.hdl import Shape, Value
from amaranth.lib import data, wiring

from hwsim.ir.errors import UsageError

Direction = Literal["in", "out"]
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Amaranth keeps every named signal, read or not, sizes operands by their values, and gives each register the
# value that it powers up with; all three are meant.
_PRAGMAS = "".join(f"/* verilator lint_off {rule} */\n" for rule in ("UNUSEDSIGNAL", "WIDTH", "PROCASSINIT"))
_SHARED = "/* verilator lint_off DECLFILENAME */ // a module and its parts share this file\n"


class SourceCollector:
    """The `platform` of an elaboration: keeps the Verilog files that components add.

    Attributes:
        top: name of the top module, which added modules take as prefix.
        files: file name → text.
    """

    def __init__(self, top: str) -> None:
        self.top = top
        self.files: dict[str, str] = {}

    def add_file(self, name: str, content: str) -> None:
        """Keep `content` as file `name`.

        Raises:
            UsageError: another file of that name with other content.
        """
        if self.files.setdefault(name, content) != content:
            raise UsageError.of(
                "two Verilog files of one name", name, "one content a name", "Give the components different names."
            )


@dataclass(frozen=True)
class Port:
    """A top-level port: `lanes` codes of `bits` bits each, lane k at bits [k·bits + bits − 1 : k·bits]."""

    name: str
    direction: Direction
    lanes: int
    bits: int

    @property
    def width(self) -> int:
        return self.lanes * self.bits


@dataclass(frozen=True)
class VerilogDesign:
    """Verilog sources with their top module and its ports.

    Attributes:
        top: name of the top module.
        sources: file name → text, in compile order.
        ports: data ports, clock and reset left out.
        clock, reset: names of the clock (rising edge) and of the synchronous active-high reset, or None.
    """

    top: str
    sources: dict[str, str]
    ports: tuple[Port, ...]
    clock: str | None = "clk"
    reset: str | None = "rst"

    def __post_init__(self) -> None:
        for name in (self.top, *(port.name for port in self.ports)):
            if not _IDENTIFIER.match(name):
                raise UsageError.of("Verilog name", repr(name), "letters, digits and _", "Choose a plain identifier.")

    @classmethod
    def read(cls, paths: Iterable[str | os.PathLike[str]], top: str, ports: Sequence[Port], **clocking: str) -> Self:
        """A design from Verilog files, in compile order; `clocking` may name `clock` and `reset`.

        Raises:
            UsageError: a file is missing or unreadable.
        """
        sources = {}
        for path in map(Path, paths):
            try:
                sources[path.name] = path.read_text()
            except OSError as error:
                raise UsageError.of("Verilog file", error, "a readable file", "Check the path.") from error
        return cls(top, sources, tuple(ports), **clocking)

    def port(self, name: str) -> Port:
        """The port called `name`.

        Raises:
            UsageError: there is none.
        """
        for port in self.ports:
            if port.name == name:
                return port
        known = ", ".join(p.name for p in self.ports)
        raise UsageError.of(f"module {self.top} has no such port", repr(name), f"one of {known}", "Check the name.")

    def digest(self) -> str:
        """SHA-256 (hex) over names, texts and ports."""
        sha = hashlib.sha256(repr((self.top, self.ports, self.clock, self.reset)).encode())
        for name, text in self.sources.items():
            sha.update(f"\0{name}\0{len(text)}\0".encode())
            sha.update(text.encode())
        return sha.hexdigest()

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the sources into `folder` and return their paths in compile order."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, text in self.sources.items():
            path = folder / name
            path.write_text(text)
            paths.append(path)
        return paths

    def with_lanes(self, **lanes: int) -> VerilogDesign:
        """The same design with ports regrouped, for example ``with_lanes(codes_in=16)``."""
        ports = list(self.ports)
        for name, count in lanes.items():
            port = self.port(name)
            if count < 1 or port.width % count:
                raise UsageError.of(
                    f"lanes of {name}", count, f"a divisor of its {port.width} bits", "Count codes, not bits."
                )
            ports[ports.index(port)] = replace(port, lanes=count, bits=port.width // count)
        return replace(self, ports=tuple(ports))


def component_ports(component: wiring.Component) -> tuple[Port, ...]:
    """Ports of a component by their Verilog names.

    A `data.ArrayLayout` port has a lane for each element; other ports of up to 64 bits are one lane, wider ones
    one lane a bit.
    """
    found = []
    for path, member, value in component.signature.flatten(component):
        shape = value.shape() if hasattr(value, "shape") else None
        if isinstance(shape, data.ArrayLayout):
            lanes, bits = shape.length, Shape.cast(shape.elem_shape).width
        else:
            width = len(Value.cast(value))
            lanes, bits = (1, width) if width <= 64 else (width, 1)
        direction: Direction = "in" if member.flow == wiring.In else "out"
        found.append(Port("__".join(map(str, path)), direction, lanes, bits))
    return tuple(found)


def to_verilog(component: wiring.Component, name: str = "top") -> VerilogDesign:
    """Elaborate `component` and render it as Verilog; equal components give equal bytes.

    Args:
        component: an Amaranth component with at most the clock domain ``sync``.
        name: name of the top module, also the prefix of its submodules.

    Raises:
        UsageError: `name` is no identifier, or two added files collide.
    """
    if not _IDENTIFIER.match(name):
        raise UsageError.of("module name", repr(name), "letters, digits and _", "Choose a plain identifier.")
    collector = SourceCollector(name)
    text = verilog.convert(component, name=name, platform=collector, emit_src=False, strip_internal_attrs=True)
    text = _plain_module_names(_without_banner(text))
    modules = _split_modules(text)
    sources = {f"{top}.v": _PRAGMAS + body for top, body in modules.items()}
    for file, content in collector.files.items():
        sources[file] = _SHARED + (sources[file] + "\n" if file in sources else "") + content
    header = modules[name].split(";", 1)[0]
    has = {port: re.search(rf"\b{port}\b", header) is not None for port in ("clk", "rst")}
    return VerilogDesign(
        name, sources, component_ports(component), "clk" if has["clk"] else None, "rst" if has["rst"] else None
    )


def _without_banner(text: str) -> str:
    """Drop the line that names the converter's version: bytes shall depend on the component alone."""
    return re.sub(r"\A/\* Generated by [^\n]*\n+", "", text)


def _plain_module_names(text: str) -> str:
    """Turn Amaranth's escaped hierarchical module names (``\\top.layer0 ``) into plain ones (``top_layer0 ``)."""
    names = re.findall(r"^module \\(\S+) ", text, flags=re.MULTILINE)
    if not names:
        return text
    plain = {name: re.sub(r"\W", "_", name) for name in names}
    pattern = re.compile(r"\\(" + "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True)) + r") ")
    return pattern.sub(lambda match: plain[match[1]] + " ", text)


def _split_modules(text: str) -> dict[str, str]:
    """Module name → its text, in the converter's order."""
    pieces = re.split(r"(?<=^endmodule\n)", text, flags=re.MULTILINE)
    modules = {}
    for piece in pieces:
        if match := re.search(r"^module (\w+)", piece, flags=re.MULTILINE):
            modules[match[1]] = piece.strip("\n") + "\n"
    return modules
