"""A paper's `bench.py`: loading it, and the configuration that its profiles and ``--set`` give."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from benches.registry import HERE, PROFILES, Paper, Profile, unknown
from hwsim.ir.errors import UsageError

OUTSIDE = "hwsim_papers_"  # module name prefix of benches that lie outside this package


@dataclass(frozen=True)
class NoConfig:
    """Configuration of a bench that has nothing to set."""


@dataclass(frozen=True)
class Bench:
    """What a bench.py offers.

    Attributes:
        run: ``run(ctx)``, the measurement.
        profiles: configuration object of every profile, all of one frozen dataclass or msgspec struct.
        verilog: ``verilog(out, …) -> files``, or None when the paper has no RTL.
        samples_version: ``SAMPLES_VERSION``; raising it disowns every sample stored before.
    """

    run: Callable[[Any], None]
    profiles: Mapping[str, Any]
    verilog: Callable[..., Any] | None = None
    samples_version: int = 1

    def config(self, profile: Profile, sets: Mapping[str, str]) -> Any:
        """The profile's configuration with ``--set key=value`` texts put in, typed by the config class.

        Raises:
            UsageError: an unknown key, or a value that does not fit its field.
        """
        base = self.profiles[profile]
        return _with_texts(type(base), msgspec.to_builtins(base), sets, "setting")


def load(paper: Paper) -> Bench:
    """Import the bench.py of `paper`.

    Raises:
        UsageError: there is none, or it lacks `run` or one of the profiles.
    """
    path = Path(paper.folder) / "bench.py"
    if not path.is_file():
        mend = "Write it after docs/add-a-paper.md."
        raise UsageError.of(f"paper '{paper.slug}' has no bench", "nothing", path, mend)
    module = import_bench(path)
    run = getattr(module, "run", None)
    profiles = getattr(module, "PROFILES", dict.fromkeys(PROFILES, NoConfig()))
    if not callable(run):
        raise UsageError.of(f"{path} lacks run", run, "def run(ctx)", "See docs/add-a-paper.md.")
    if set(profiles) != set(PROFILES):
        mend = "Give PROFILES one configuration a profile."
        raise UsageError.of(f"{path}: PROFILES", sorted(profiles), ", ".join(PROFILES), mend)
    version = int(getattr(module, "SAMPLES_VERSION", 1))
    return Bench(run, profiles, getattr(module, "verilog", None), version)


def import_bench(path: Path) -> ModuleType:
    """The module of a bench.py, imported once a process."""
    slug = path.parent.name
    if path.parent.parent == HERE:
        return importlib.import_module(f"benches.{slug}.bench")
    name = f"{OUTSIDE}{slug}_bench"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError.of(f"{path} cannot be imported", "no loader", "a Python file", "Rename it bench.py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def parse_sets(texts: list[str]) -> dict[str, str]:
    """``["k=v", …]`` as a mapping.

    Raises:
        UsageError: a text without ``=``, or a key given twice.
    """
    sets: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError.of("--set", repr(text), "key=value", "For example --set epochs=3.")
        if key.strip() in sets:
            raise UsageError.of("--set", f"'{key.strip()}' twice", "each key once", "Remove one.")
        sets[key.strip()] = value.strip()
    return sets


def verilog_options(function: Callable[..., Any], sets: Mapping[str, str]) -> dict[str, Any]:
    """Typed keyword options of a bench's ``verilog(out, *, option: type = …)`` from ``--set`` texts.

    Raises:
        UsageError: an unknown option, or a value that does not fit its annotation.
    """
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    fields = [
        (p.name, hints.get(p.name, str), dataclasses.field(default=None if p.default is p.empty else p.default))
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    options = dataclasses.make_dataclass("VerilogOptions", fields)
    names = [name for name, _, _ in fields]
    for key in sets:
        if key not in names:
            raise unknown("option of verilog", key, names)
    known = _with_texts(options, {}, sets, "option of verilog")
    return {key: getattr(known, key) for key in sets}


def _with_texts(cls: type, values: dict[str, Any], sets: Mapping[str, str], what: str) -> Any:
    """An instance of `cls` from `values` overridden by texts, converted to each field's type."""
    names = [field.name for field in _fields(cls)]
    merged = dict(values)
    for key, text in sets.items():
        if key not in names:
            raise unknown(what, key, names)
        merged[key] = _plain(text)
        try:
            msgspec.convert(merged, cls, strict=False)
        except msgspec.ValidationError as error:
            mend = "Write lists as [1,2,3], booleans as true or false."
            raise UsageError.of(f"{what} '{key}'", repr(text), str(error), mend) from error
    return msgspec.convert(merged, cls, strict=False)


def _plain(text: str) -> Any:
    """JSON lists and objects as data; everything else stays text, which msgspec converts by type."""
    if text[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    return text


def _fields(cls: type) -> tuple[Any, ...]:
    if dataclasses.is_dataclass(cls):
        return dataclasses.fields(cls)
    return msgspec.structs.fields(cls)
