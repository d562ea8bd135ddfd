"""What goes to stderr, and where tasks go."""

from __future__ import annotations

import doctest
import importlib
import io
import sys

import pytest

from benches import environment, progress, registry
from benches.sweep import sweep
from hwsim.ir.errors import ToolMissingError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_lines_and_a_terminal_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert isinstance(progress.reporter(), progress.Lines)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(progress.reporter(), progress.Live)
    assert isinstance(progress.reporter(quiet=True), progress.Quiet)
    monkeypatch.setenv("CI", "true")
    assert isinstance(progress.reporter(), progress.Lines)


def test_the_bar_shows_the_note_and_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    says = progress.Live()
    says.begin("toy · [train]")
    says.advance(3, 10, "epoch 3")
    says._bar.refresh()
    says.end("toy · [train]", 1.25, "")
    says.say("[done]")
    text = screen.getvalue()
    assert "epoch 3" in text
    assert "✓ toy · [train] 1.2 s" in text
    assert text.endswith("[done]\n")


def test_dask_without_the_package_is_a_missing_tool(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from benches.samples import Samples

    monkeypatch.setenv("HWSIM_DASK", "tcp://nowhere:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolMissingError, match=r"HWSIM_DASK is set.*pip install 'hwsim\[dask\]'"):
        sweep(dict, [{"x": 1}], Samples(tmp_path / "s.csv", "p"), lambda *_: None, "s")


def test_environment_names_what_a_result_depends_on() -> None:
    found = environment.versions()
    assert {"python", "numpy", "hwsim"} <= set(found)
    machine = environment.machine()
    assert machine.cpu
    assert machine.cores >= 1
    sha, dirty = environment.git_state()
    assert sha == "unknown" or len(sha) == 40
    assert isinstance(dirty, bool)


def test_git_that_is_not_there_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert environment.git_state() == ("unknown", False)


def test_the_code_digest_follows_the_sources(tmp_path) -> None:
    (tmp_path / "bench.py").write_text("a = 1\n")
    first = environment.code_digest("nothing", tmp_path)
    assert first == environment.code_digest("nothing", tmp_path)
    (tmp_path / "bench.py").write_text("a = 2\n")
    assert first != environment.code_digest("nothing", tmp_path)


@pytest.mark.parametrize("name", ["samples", "stats", "verdicts"])
def test_the_docstrings_examples_run(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"benches.{name}"))
    assert done.attempted > 0
    assert done.failed == 0


def test_the_repository_is_found() -> None:
    assert (registry.REPOSITORY / "pyproject.toml").exists()
