"""A folder of papers outside the repository, and the command line as a user meets it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benches import cli
from benches.loader import OUTSIDE

DOCS = Path(__file__).resolve().parents[3] / "docs" / "add-a-paper.md"

TOY_TOML = """
title = "Toy"
authors = ["A. Nobody"]
venue = "V"
year = 2024
summary = "Nothing much."
has = ["benches"]

[[claims]]
id = "two"
where = "Table 1"
text = "One and one are two"
metric = "sum"
value = 2.0
unit = "apples"
direction = "equal"
kind = "exact"
"""

TOY_BENCH = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    value: float = 2.0
    many: tuple[int, ...] = (1, 2)
    loud: bool = False

PROFILES = {"smoke": Config(), "quick": Config(), "full": Config()}

def run(ctx):
    ctx.metric("sum", ctx.config.value, "apples")
"""


@pytest.fixture
def make_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a paper into a folder that the registry reads; returns the paper's folder."""
    root = tmp_path / "papers"
    root.mkdir()
    monkeypatch.setenv("HWSIM_PAPERS", str(root))
    monkeypatch.setenv("HWSIM_JOBS", "1")

    def write(slug: str = "toy", toml: str = TOY_TOML, bench: str | None = TOY_BENCH) -> Path:
        folder = root / slug
        folder.mkdir(exist_ok=True)
        (folder / "paper.toml").write_text(toml, encoding="utf-8")
        if bench is not None:
            (folder / "bench.py").write_text(bench, encoding="utf-8")
            sys.modules.pop(f"{OUTSIDE}{slug}_bench", None)  # as in a process that starts anew
        return folder

    return write


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty results folder."""
    return tmp_path / "results"


@pytest.fixture
def coins(make_paper: Callable[..., Path]) -> str:
    """The complete example of docs/add-a-paper.md, as it stands there."""
    text = DOCS.read_text(encoding="utf-8")
    blocks = [re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("toml", "python")]
    make_paper("coins", *[block[1] for block in blocks if block])
    return "coins"


class Shell:
    """Runs `hwsim` in this process; `out` and `err` are what the last call printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], results: Path) -> None:
        self._capsys = capsys
        self.results = results
        self.out = self.err = ""

    def __call__(self, *arguments: str | Path) -> int:
        self._capsys.readouterr()
        code = cli.main([str(a) for a in arguments])
        self.out, self.err = self._capsys.readouterr()
        return code

    def bench(self, *arguments: str | Path) -> int:
        """``hwsim bench … --out <temporary results>``."""
        return self("bench", *arguments, "--out", self.results)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """The command line, with a results folder of its own."""
    return Shell(capsys, tmp_path / "results")
