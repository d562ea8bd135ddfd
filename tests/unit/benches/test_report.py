"""report.md and index.html: everything that is there is shown, nothing is fetched, nothing breaks the markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benches import html, registry, runner
from benches.context import kept_file
from benches.report import table

from .conftest import TOY_TOML, Shell

Paper = Callable[..., Path]

RICH = """
def run(ctx):
    ctx.metric("sum", 2.5, "apples", low=1.5, high=3.5, n=9, method="<counted & weighed>")
    ctx.note("a remark")
    with ctx.plot("one", "the caption | of <one>") as figure:
        figure.subplots().plot([1, 2], [3, 4])
    (ctx.folder / "top.v").write_text("module top; // <&>\\n" * 300)
    ctx.file(ctx.folder / "top.v", "verilog", "flat")
"""

VOID = {"meta", "img", "br", "line", "rect", "circle"}


class Checker(HTMLParser):
    """Collects addresses and checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(make_paper: Paper, shell: Shell) -> str:
    make_paper(toml=TOY_TOML.replace("One and one are two", "One & one < two"), bench=RICH)
    make_paper("idle")
    assert shell.bench("toy", "-q") == 0
    assert shell("report", "--out", shell.results) == 0
    assert shell.out == f"{shell.results / 'index.html'}\n"
    return (shell.results / "index.html").read_text(encoding="utf-8")


def test_the_page_is_self_contained_and_well_formed(page: str) -> None:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    outside = [a for a in checker.addresses if not a.startswith(("data:image/", "#"))]
    assert all(re.match(r"https://(arxiv\.org|doi\.org)/", a) for a in outside), outside
    assert not {"script", "link", "iframe", "object"} & set(checker.tags)
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_shows_claim_measurement_plot_and_verilog(page: str) -> None:
    assert "One &amp; one &lt; two" in page
    assert '<span class="chip part">trend only</span>' in page  # 2.5 [1.5, 3.5] against exactly 2
    assert 'class="strip"' in page
    assert "data:image/svg+xml;base64," in page
    assert "the caption | of &lt;one&gt;" in page
    assert "module top; // &lt;&amp;&gt;" in page
    assert "180 more lines" in page
    assert "&lt;counted &amp; weighed&gt;" in page
    assert 'id="idle"' in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_large_svg_is_embedded_as_png(page: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "SVG_LIMIT", 10)
    again = html.page(shell.results)
    assert "data:image/png;base64," in again
    assert "data:image/svg+xml;base64," not in again


def test_an_unreadable_result_does_not_cost_the_page(page: str, shell: Shell) -> None:
    (next(shell.results.glob("toy/2*")) / "result.json").write_text("{}")
    assert shell("report", "--out", shell.results) == 0
    assert "warning: " in shell.err
    assert "is not a result" in shell.err


def test_the_page_of_no_runs(make_paper: Paper, tmp_path: Path) -> None:
    make_paper()
    text = html.page(tmp_path / "nothing")
    assert "not run" in text
    kept = sum(kept_file(one).exists() for one in registry.papers().values())  # those of the repository
    assert f"{kept} with a run" in text


def test_report_md_has_every_part(make_paper: Paper, tmp_path: Path) -> None:
    make_paper(bench=RICH)
    done = runner.run("toy", out=tmp_path)
    text = (done.folder / "report.md").read_text(encoding="utf-8")
    assert "| One and one are two | Table 1 | 2 apples | 2.5 apples [1.5, 3.5] | trend only |" in text
    assert "> a remark" in text
    assert "![the caption | of <one>](plots/one.png)" in text
    for part in ("# Toy", "## Claims", "## Metrics", "## Plots", "## Versions"):
        assert f"\n{part}\n" in "\n" + text


def test_cells_cannot_break_a_table() -> None:
    assert table(("a",), [("x|y\nz",)]).splitlines()[-1] == "| x\\|y z |"
