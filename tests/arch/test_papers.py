"""Every paper is complete: its folders, its bench, the places that paper.toml points at, the docs index."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benches import table
from benches.registry import Paper

from .sources import PACKAGES, ROOT, find, parsed

PAPERS = {one.slug: one for one in table.own_papers()}


@pytest.fixture(params=sorted(PAPERS))
def one(request: pytest.FixtureRequest) -> Paper:
    return PAPERS[request.param]


def test_there_are_papers() -> None:
    assert "neuralut" in PAPERS


def test_has_names_the_packages_that_exist(one: Paper) -> None:
    forms = (f"{one.slug}/__init__.py", f"{one.slug}.py")  # a small paper may be one file
    there = {p for p in PACKAGES if any((ROOT / p / form).exists() for form in forms)}
    assert there == set(one.has)


def test_the_bench_defines_what_the_runner_calls(one: Paper) -> None:
    path = Path(one.folder) / "bench.py"
    assert path.is_file()
    for name in ("run", "PROFILES", *(["verilog"] if one.has_rtl else [])):
        assert find(path, name) or _imports(path, name), f"bench.py lacks {name}"


def _imports(path: Path, name: str) -> bool:
    found = [node for node in parsed(path).body if isinstance(node, ast.ImportFrom)]
    return any((alias.asname or alias.name) == name for node in found for alias in node.names)


def test_every_map_target_exists(one: Paper) -> None:
    missing = []
    for mapping in one.implements:
        file, _, name = mapping.target.partition(":")
        if not (ROOT / file).is_file() or find(ROOT / file, name) is None:
            missing.append(f"{mapping.where}: {mapping.target}")
    assert missing == []


def test_the_paper_is_mapped_claimed_and_barred(one: Paper) -> None:
    assert one.claims
    assert one.implements
    assert one.bars
    assert one.link


def test_a_metric_has_one_unit(one: Paper) -> None:
    units: dict[str, set[str]] = {}
    for item in [*one.claims, *(bar for bar in one.bars if bar.unit)]:
        units.setdefault(item.metric, set()).add(item.unit)
    assert {name: found for name, found in units.items() if len(found) > 1} == {}


def test_every_exact_claim_says_what_agrees(one: Paper) -> None:
    loose = [c.id for c in one.claims if c.kind == "exact" and c.value and c.tolerance > 0.5 * abs(c.value)]
    assert loose == [], "a tolerance of more than half of the value agrees with almost anything"


def test_the_docs_index_lists_every_paper() -> None:
    assert table.main(["--check", str(ROOT / "docs" / "README.md")]) == 0, "python -m benches.registry --write"


def test_every_bench_folder_is_a_paper() -> None:
    folders = {p.parent.name for p in (ROOT / "benches").glob("*/__init__.py")}
    assert folders == set(PAPERS)


@pytest.mark.parametrize(
    ("target", "there"),
    [("benches/registry.py:Paper.link", True), ("benches/registry.py:load", True),
     ("benches/registry.py:PROFILES", True), ("benches/registry.py:Paper.nothing", False),
     ("benches/registry.py:nothing", False)],
)  # fmt: skip
def test_the_lookup_itself(target: str, there: bool) -> None:
    file, _, name = target.partition(":")
    assert (find(ROOT / file, name) is not None) is there
