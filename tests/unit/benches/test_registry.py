"""paper.toml is read strictly, and every mistake names its file and field."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from benches import registry, table
from hwsim.ir.errors import UsageError

from .conftest import TOY_TOML


def test_a_paper_is_read(make_paper: Callable[..., Path]) -> None:
    folder = make_paper()
    toy = registry.paper("toy")
    assert (toy.slug, toy.folder, toy.claims[0].value) == ("toy", str(folder), 2.0)
    assert toy.metric_units() == {"sum": "apples"}
    assert not toy.has_rtl


@pytest.mark.parametrize(
    ("change", "to", "message"),
    [
        ('kind = "exact"', 'kind = "exakt"', r"toy/paper\.toml does not fit.*'exakt'.*`claims\[0\]\.kind`"),
        ('unit = "apples"', 'units = "apples"', r"unknown field `units` - at `claims\[0\]`"),
        ("year = 2024", "", r"missing required field `year`"),
        ("year = 2024", "year = 24", r"`int` >= 1900 - at `year`"),
        ('direction = "equal"', 'direction = "higher"\ntolerance = -1', r"`claims\[0\]\.tolerance`"),
        ("value = 2.0", "", r"claim two: kind 'exact' needs a value"),
        ('kind = "exact"', 'kind = "bound"', r"needs direction 'higher' or 'lower'"),
        ("value = 2.0", 'value = -2.0\nbaseline = 0.0', None),
        ('kind = "exact"', 'kind = "ratio"\n', None),
        ('["benches"]', '["ml"]', r"has must name 'benches'"),
        ('["benches"]', '["benches", "hardware"]', r"'hardware'.*`has\[1\]`"),
        ('["benches"]', '["benches", "benches"]', r"given twice: benches"),
        ('title = "Toy"', 'title = "Toy"\nslug = "x"', r"field `slug` is taken from the folder's name"),
        ('title = "Toy"', "title = Toy", r"cannot be read.*a TOML file"),
        ('kind = "exact"', 'kind = "exact"\n[[bars]]\nmetric = "m"\nop = ">="', r"give either 'value' or 'of'"),
        ('kind = "exact"', 'kind = "exact"\n[[map]]\nwhere = "eq. 1"\ntarget = "a.py"', r"`map\[0\]\.target`"),
    ],
)  # fmt: skip
def test_mistakes_name_file_and_field(make_paper: Callable[..., Path], change: str, to: str, message: str) -> None:
    assert change in TOY_TOML
    make_paper(toml=TOY_TOML.replace(change, to))
    if message is None:  # a change that is fine
        assert registry.paper("toy").claims
        return
    with pytest.raises(UsageError) as caught:
        registry.paper("toy")
    assert re.search(message, str(caught.value), re.DOTALL), caught.value
    assert "toy" in str(caught.value)


def test_an_unknown_slug_lists_the_slugs_and_the_nearest(make_paper: Callable[..., Path]) -> None:
    make_paper()
    with pytest.raises(
        UsageError, match=r"unknown paper: got 'neuralutt', expected one of .*neuralut, .*toy.*\. Did you"
    ):
        registry.paper("neuralutt")
    with pytest.raises(UsageError, match=r"Choose one of them"):
        registry.paper("zzzzzz")


def test_one_slug_in_two_folders_is_refused(make_paper: Callable[..., Path]) -> None:
    make_paper("neuralut")
    with pytest.raises(UsageError, match=r"'neuralut' exists twice"):
        registry.papers()


def test_the_table_goes_between_markers_and_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- claims:begin (how) -->\nold\n<!-- claims:end -->\nafter\n", encoding="utf-8")
    assert table.main(["--check", str(page)]) == 1
    assert "stale" in capsys.readouterr().err
    assert table.main(["--write", str(page)]) == 0
    assert table.main(["--check", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- claims:begin (how) -->\n| paper |")
    assert text.endswith("<!-- claims:end -->\nafter\n")
    assert "old" not in text


def test_verdicts_are_counted_from_kept_results() -> None:
    rows = [line.split(" | ") for line in table.verdicts_table([registry.paper("neuralut")]).splitlines()[2:]]
    assert rows[0][0] == "| [NeuraLUT](docs/results/neuralut/report.md)"
    assert sum(int(cell or 0) for cell in rows[0][1:6]) == len(registry.paper("neuralut").claims)
    met, judged = rows[0][6].removesuffix(" |").split(" of ")
    assert 0 < int(met) <= int(judged)


def test_a_page_without_markers_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.md").write_text("nothing", encoding="utf-8")
    assert table.main(["--check", str(tmp_path / "page.md")]) == 2
    assert "no marked table" in capsys.readouterr().err
