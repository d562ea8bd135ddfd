"""`hwsim index`, `hwsim search` and `hwsim opinion`, encoders by name, and the bench's kill test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benches.cli import main
from benches.semsearch import disan, encoders, kill
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


@pytest.fixture
def trained():
    """An untrained DiSAN encoder of a few words, by seed."""

    def made(seed: int) -> Any:
        from ml.disan import SentenceEncoder
        from ml.disan.model import SentenceModel
        from ml.disan.vocabulary import Vocabulary, vectors

        vocabulary = Vocabulary.of(["owls hunt at night larks sing dawn car engine herring swim sea the in . ,"])
        table, _ = vectors(vocabulary.words, "random", seed)
        return SentenceEncoder(SentenceModel(torch.from_numpy(table), d=8, seed=seed), vocabulary)

    return made


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
        (("index", "{}", "--encoder", ""), "encoder: got '', expected lsa, minilm, disan:FILE, or a sentence transf"),
        (("index", "{}", "--encoder", "disan:"), "encoder: got 'disan:', expected lsa"),
        (("index", "{}", "--encoder", "disan:none.pt"), r"sentence encoder .*none.pt: .* expected a file of Sentence"),
        (("opinion", "good", "{}/none.txt"), "labelled passages: got .*none.txt, expected a file"),
        (("opinion", "good", "{}/birds.txt"), r"birds.txt, passage 1: got 'Owls.*expected lines of label, tab, text"),
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


def test_a_sentence_transformer_that_cannot_be_had(folder, capsys, monkeypatch):
    run(capsys, "index", str(folder))
    held = (folder / PLACE / "encoder.json").read_text()
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    code, _, err = run(capsys, "index", str(folder), "--fresh", "--encoder", "some/model")
    assert code == 3
    assert "pip install 'hwsim[search]'" in err
    assert (folder / PLACE / "encoder.json").read_text() == held  # the old index is still there
    assert "1." in run(capsys, "search", "engine", str(folder))[1]


def test_disan_encodes_a_folder(folder, tmp_path, capsys, trained):
    file = tmp_path / "disan.pt"
    trained(seed=0).save(file)
    code, out, _ = run(capsys, "index", str(folder), "--encoder", f"disan:{file}")
    assert code == 0
    assert re.search(r"3 passages indexed, 0 kept, 0 removed \(disan-16-[0-9a-f]{12}\)", out)
    code, out, _ = run(capsys, "search", "owls hunt", str(folder), "--how", "vectors", "--json")
    assert (code, len(json.loads(out))) == (0, 3)
    assert "0 passages indexed, 3 kept" in run(capsys, "index", str(folder))[1]  # the encoder is remembered
    assert run(capsys, "search", "zebra xylem", str(folder))[1] == "nothing found\n"
    trained(seed=1).save(file)
    code, _, err = run(capsys, "search", "owls", str(folder))
    assert code == 2
    assert re.search(r"expected disan-16-\w+, which the folder was indexed with. Bring it back, or index anew", err)
    assert "3 passages indexed" in run(capsys, "index", str(folder), "--fresh")[1]
    assert run(capsys, "search", "owls", str(folder))[0] == 0


def test_vectors_of_disan_are_means_over_sentences(trained):
    sentence = trained(seed=0)
    encoder = disan.injected(sentence, "d")
    together, apart = "Owls hunt. Larks sing at dawn.", ["Owls hunt.", "Larks sing at dawn."]
    mean = sentence.encode(apart).mean(0)
    np.testing.assert_allclose(encoder.encode([together])[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert not encoder.encode(["zebra xylem", ""]).any()
    words = disan.word_vectors(sentence, "w").encode(["owls hunt"])[0]
    table = sentence.model.words.weight.detach().numpy()[sentence.vocabulary.ids("owls hunt")].mean(0)
    np.testing.assert_allclose(words, table / np.linalg.norm(table), atol=1e-6)


def test_an_opinion(tmp_path, capsys):
    file = tmp_path / "reviews.tsv"
    file.write_text("bad\ta dull film\nbad\tdull and long\ngood\ta fine film\ngood\tfine and funny\n")
    code, out, _ = run(capsys, "opinion", "so dull and long", str(file), "--encoder", "lsa", "-k", "2")
    assert code == 0
    assert out.startswith("bad (100 % of the votes of 2; 4 passages of reviews.tsv, lsa-")
    assert "bad: dull and long" in out
    facts = json.loads(run(capsys, "opinion", "fine", str(file), "--encoder", "lsa", "-k", "2", "--json")[1])
    assert (facts["label"], len(facts["passages"])) == ("good", 2)
    file.write_text("bad\ta dull film\nbad\tdull\n")
    assert "2 passages with one label or none" in run(capsys, "opinion", "dull", str(file))[2]


def test_names_of_encoders(tmp_path):
    assert encoders.canonical("all-MiniLM-L6-v2") == "minilm"
    assert encoders.canonical(str(tmp_path / ".." / tmp_path.name)) == str(tmp_path.resolve())
    assert encoders.canonical("disan:a.pt") == f"disan:{Path('a.pt').resolve()}"
    assert [encoders.weight(name) for name in ("lsa", "disan:a.pt", "minilm", "some/model")] == [0.5, 0.1, 0.7, 0.7]


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
