"""Retrieval corpora: SMART and tab-separated files, the generated default, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from hwsim.ir.errors import DataError, UsageError
from ml.common import corpora
from ml.common.datasets import retrieval

CRANFIELD = {
    "cran.all.1400": ".I 1\n.T\nwing flow\n.A\nsomebody\n.W\nwing flow\n  in a jet .\n.I 2\n.T\n.W\n.I 3\n.W\nheat\n",
    "cran.qry": ".I 001\n.W\nwhat\nflows\n.I 004\n.W\nheat\n.I 009\n.W\nnothing judged\n",
    "cranqrel": "1 1 2\n1 2 1\n1 3 -1\n2 3 4\n3 1 5\n",
}
NFCORPUS = {
    "test.docs": "MED-1\tstatin cancer\nMED-2\tdiet\n", "test.titles.queries": "PLAIN-1\tstatins\nPLAIN-2\tnone\n",
    "test.2-1-0.qrel": "PLAIN-1\t0\tMED-1\t2\nPLAIN-1\t0\tMED-2\t0\nPLAIN-1\t0\tMED-9\t1\n",
}  # fmt: skip
CISI = {
    "CISI.ALL": ".I 1\n.T\nTitle\n.W\nbody\n.X\n1\t5\t1\n.I 2\n.T \nOther\n.W\ntext\n",
    "CISI.QRY": ".I 1\n.W\nWhat?\n.I 2\n.T\nA title\n.W\nnot judged\n", "CISI.REL": "     1      2\t0\t0.000000\n",
}  # fmt: skip


def put(root: Path, name: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "retrieval" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    monkeypatch.setattr(retrieval, name.upper(), {f: hashlib.sha256(t.encode()).hexdigest() for f, t in files.items()})


def test_cranfield_numbers_queries_by_order(tmp_path, monkeypatch):
    put(tmp_path, "cranfield", CRANFIELD, monkeypatch)
    one = corpora.load("cranfield", root=tmp_path)
    assert dict(zip(one.doc_ids, one.texts, strict=True)) == {"1": "wing flow in a jet .", "3": "heat"}
    assert dict(zip(one.query_ids, one.queries, strict=True)) == {"1": "what flows", "2": "heat"}
    assert one.gains == {"1": {"1": 3.0}, "2": {"3": 1.0}}  # 5 − grade; document 2 is empty, −1 and 5 count nothing
    assert one.source == "$HWSIM_DATA"


def test_cisi_and_nfcorpus(tmp_path, monkeypatch):
    put(tmp_path, "cisi", CISI, monkeypatch)
    put(tmp_path, "nfcorpus", NFCORPUS, monkeypatch)
    one = corpora.load("cisi", root=tmp_path)
    assert one.texts == ("Title body", "Other text")
    assert (one.query_ids, one.queries, one.gains) == (("1",), ("What?",), {"1": {"2": 1.0}})
    two = corpora.load("nfcorpus", root=tmp_path)
    assert (two.queries, two.gains) == (("statins",), {"PLAIN-1": {"MED-1": 2.0}})


def test_a_changed_file_is_found(tmp_path, monkeypatch):
    put(tmp_path, "cisi", CISI, monkeypatch)
    (tmp_path / "retrieval" / "cisi" / "CISI.REL").write_text("1 1\n")
    with pytest.raises(DataError, match=r"checksum of .*CISI.REL"):
        corpora.load("cisi", root=tmp_path)


def test_what_is_not_here(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    with pytest.raises(corpora.UnreachableError, match=r"put CISI.ALL, .* into \$HWSIM_DATA/retrieval/cisi"):
        corpora.load("cisi")
    stand_in = corpora.load("cisi", fallback=True)
    assert (stand_in.name, stand_in.source) == ("topics", "embedded")
    assert "embedded default for cisi" in stand_in.variant
    assert "cisi can't be had" in caplog.text
    with pytest.raises(UsageError, match="corpus: got 'trec', expected one of topics, cranfield, cisi, nfcorpus"):
        corpora.load("trec")


def test_topics_are_the_same_everywhere():
    one = corpora.load("topics")
    digest = hashlib.sha256("\n".join((*one.texts, *one.queries)).encode()).hexdigest()
    assert digest == "cdc51fe260e732053fb5be7f62ed2073ab7926a7ee189b842018e615dec316c5"


def test_a_corpus_that_does_not_fit_together():
    with pytest.raises(DataError, match=r"judged documents of x: got \['b'\]"):
        corpora.Corpus("x", "x", "embedded", "", ("a",), ("t",), ("q",), ("q",), {"q": {"b": 1.0}}, "", "")
    with pytest.raises(DataError, match=r"documents of x: got 2 ids, 1 of them different"):
        corpora.Corpus("x", "x", "embedded", "", ("a", "a"), ("t", "u"), (), (), {}, "", "")


ROOT = os.environ.get("HWSIM_DATA", "/nowhere")  # the fixtures of this folder hide it from the tests


@pytest.mark.skipif(not (Path(ROOT) / "retrieval").is_dir(), reason="needs $HWSIM_DATA/retrieval")
@pytest.mark.parametrize(
    ("name", "sizes"), [("cranfield", (1398, 225, 1611)), ("cisi", (1460, 76, 3114)), ("nfcorpus", (3162, 323, 12334))]
)
def test_the_real_files(name, sizes):
    one = corpora.load(name, root=ROOT)
    assert (len(one.texts), len(one.queries), sum(map(len, one.gains.values()))) == sizes
