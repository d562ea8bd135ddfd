"""`hwsim index` and `hwsim search` on a folder, and the bench's kill test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benches.cli import main
from benches.semsearch import kill
from benches.semsearch.search import PLACE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "birds.txt").write_text("Owls hunt at night. Larks sing at dawn, high above the fields.")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cars.md").write_text("A car has an engine. Engines burn fuel on the road.")
    (tmp_path / "fish.txt").write_text("Herring swim in swarms. Sharks hunt herring in the sea.")
    (tmp_path / "photo.jpg").write_bytes(b"\xff")
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe broken")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def test_a_folder_is_indexed_searched_and_indexed_again(folder, capsys):
    code, out, _ = run(capsys, "index", str(folder))
    assert code == 0
    assert "3 passages indexed, 0 kept, 0 removed" in out
    assert "skipped broken.txt: not UTF-8 text" in out
    code, out, _ = run(capsys, "search", "engine fuel", str(folder), "-k", "2")
    assert (code, out.splitlines()[0].split()[:2]) == (0, ["1.", "deep/cars.md"])
    for how in ("words", "vectors", "hybrid"):
        _, out, _ = run(capsys, "search", "engine", str(folder), "--how", how, "--json")
        assert json.loads(out)[0]["source"] == "deep/cars.md"
    (folder / "fish.txt").write_text("Trout live in brooks.")  # no word that the folder's encoder has learnt
    (folder / "birds.txt").unlink()
    _, out, _ = run(capsys, "index", str(folder), "--json")
    facts = json.loads(out)
    assert (facts["indexed"], facts["kept"], facts["removed"]) == (0, 1, 2)
    assert [reason for _, reason in facts["refused"]] == ["a zero vector has no cosine"]
    _, out, _ = run(capsys, "index", str(folder), "--fresh")
    assert "2 passages indexed, 0 kept" in out
    _, out, _ = run(capsys, "search", "sharks", str(folder), "--how", "words")
    assert out == "nothing found\n"


def test_a_prompt(folder, capsys):
    run(capsys, "index", str(folder))
    _, out, _ = run(capsys, "search", "Who sings?", str(folder), "--how", "words", "--prompt")
    assert "[1] birds.txt" in out
    assert out.rstrip().endswith("Question: Who sings?\nAnswer:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "x", "{}"), r"index of .*: got none, expected a folder .hwsim-search. Make it with: hwsim index"),
        (("index", "{}/none"), "folder: got .*none, expected a folder"),
        (("index", "{}", "--encoder", "bert"), "encoder: got 'bert', expected one of lsa, minilm"),
        (("search", " ", "{}"), "search: got --how hybrid, query ' '"),
    ],
)
def test_mistakes_end_with_one_line(folder, capsys, arguments, message):
    code, out, err = run(capsys, *(a.format(folder) for a in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_an_empty_folder_and_another_encoder(tmp_path, folder, capsys):
    (tmp_path / "empty").mkdir()
    assert "texts in" in run(capsys, "index", str(tmp_path / "empty"))[2]
    run(capsys, "index", str(folder))
    assert (folder / PLACE / "lsa.npz").is_file()
    code, _, err = run(capsys, "index", str(folder), "--encoder", "minilm")
    assert code == 2
    assert "encoder: got minilm, expected lsa, which the folder is indexed with. Add --fresh." in err
    code, _, err = run(capsys, "search", "zzz", str(folder), "--how", "vectors")
    assert code == 2
    assert "no word of the indexed texts" in err


def test_a_killed_index_resumes(tmp_path):
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    kill.killed_after(broken, 100, 2)
    survived = kill._stored(broken)
    assert 40 <= len(survived) < 100
    kill.index_all(broken, 100)
    kill.index_all(whole, 100)
    assert kill.compare(broken, whole) == (0, 0, 0)
    kill.SegmentStore(broken / kill.INDEX).append(next(kill.SegmentStore(whole / kill.INDEX).segments()))
    assert kill.compare(broken, whole)[1] == 20  # what is stored twice is found
