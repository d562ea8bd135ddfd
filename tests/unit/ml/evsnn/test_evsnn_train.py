"""Training runs: every method learns, runs resume, summaries tell everything; event frames and fashion images load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hwsim.ir.errors import ShapeError, UsageError
from ml.common.data import load
from ml.common.datasets import events, fashion
from ml.evsnn import train
from ml.evsnn.batches import FrameBatches, ImageBatches
from ml.evsnn.tasks import load_task

QUICK = train.RunSpec(epochs=4, batch=32, lr=0.1)
BARS = train.RunSpec(method="mpd", data="moving_bars", net="2x16x16-60-8", steps=8, leak=0.9, epochs=3, batch=32)


@pytest.mark.parametrize("method", ["std", "stdbp", "mpd", "stbp", "tssl"])
def test_every_method_learns_digits(method: str, tmp_path: Path) -> None:
    report = train.run(replace(QUICK, method=method), tmp_path)
    assert report["test_accuracy"] > 0.7
    model, spec = train.restore(tmp_path)
    task = load_task("digits")
    assert train.accuracy(model, task, task.x_test, task.dataset.y_test) == report["test_accuracy"]
    assert spec.method == json.loads((tmp_path / "summary.json").read_text())["spec"]["method"] == method


@pytest.mark.parametrize("method", ["std_multi", "mpd"])
def test_events_are_learned(method: str, tmp_path: Path) -> None:
    assert train.run(replace(BARS, method=method), tmp_path)["test_accuracy"] > 0.5  # chance is 0.125


def test_convolutions_learn_too(tmp_path: Path) -> None:
    for method in ("std", "mpd"):
        spec = replace(QUICK, method=method, net="1x8x8-12C3-P2-10")
        assert train.run(spec, tmp_path / method)["test_accuracy"] > 0.5


def test_resumed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    task = load_task("digits")
    whole, _ = train.train_network(replace(QUICK, shift=1, moved=0.5), task)

    class Stop(Exception):
        pass

    def stop(done: int, total: int, note: str) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        train.train_network(replace(QUICK, shift=1, moved=0.5), task, tmp_path, stop)
    resumed, _ = train.train_network(replace(QUICK, shift=1, moved=0.5), task, tmp_path)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_leaves_the_process_its_denormals() -> None:
    train.train_network(replace(QUICK, epochs=1), load_task("digits"))
    assert float(torch.tensor(1e-40) * 1) > 0


def test_a_run_can_start_from_another(tmp_path: Path) -> None:
    train.run(QUICK, tmp_path / "float")
    tuned = replace(QUICK, epochs=1, lr=1e-6, ticks=16, bits=8, fraction=6, start=str(tmp_path / "float/model.pt"))
    assert train.run(tuned, tmp_path / "tuned")["test_accuracy"] > 0.7


def test_images_shift_and_mirror() -> None:
    images = np.arange(1, 7, dtype=np.uint8).reshape(1, 1, 2, 3)
    batches = ImageBatches(images, np.zeros(1, np.int64), 1, 0, top=1.0, shift=1)
    still, no = np.array([[0], [0]]), np.array([False])
    assert batches.take(np.array([0]), still, no)[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert batches.take(np.array([0]), still, ~no)[0, 0].tolist() == [[3, 2, 1], [6, 5, 4]]
    assert batches.take(np.array([0]), np.array([[1], [-1]]), no)[0, 0].tolist() == [[0, 4, 5], [0, 0, 0]]


def test_frame_batches_keep_steps_apart() -> None:
    frames = np.random.default_rng(0).integers(0, 2, (4, 3, 2, 5, 5), dtype=np.uint8)
    x, labels = next(FrameBatches(frames, np.arange(4), 4, 0).epoch(0))
    assert np.array_equal(x.numpy(), frames[labels.numpy()])


def test_frames_of_events() -> None:
    bars = load("moving_bars")
    frames = events.event_frames(bars, bars.x_test[:3], 8, 64_000)
    assert frames.shape == (3, 8, 2, 16, 16)
    first, last = bars.x_test[0]
    t, x, y, p = (bars.extras[name][first:last].astype(int) for name in events.EVENT_ARRAYS)
    assert frames[0].sum() == len({(a // 8000, b, c, d) for a, b, c, d in zip(t, p, y, x, strict=True)})
    halved = events.event_frames(bars, bars.x_test[:3], 8, 64_000, 2)
    assert np.array_equal(halved, frames.reshape(3, 8, 2, 8, 2, 8, 2).max((4, 6)))


def test_moving_bars_are_always_the_same_and_balanced() -> None:
    a, b = load("moving_bars"), load("moving_bars")
    assert a.sha256s == b.sha256s
    assert np.bincount(a.y_test).tolist() == [50] * 8
    assert a.x_train[-1, 1] == a.x_test[0, 0]


def test_fashion_mnist_is_taken_from_the_systems_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip
    import hashlib

    for name in fashion.FILES:
        n = 4 if name.startswith("train") else 2
        body = np.zeros((n, 28, 28), np.uint8) if "images" in name else np.arange(n, dtype=np.uint8)
        raw = bytes([0, 0, 8, body.ndim]) + np.asarray(body.shape, ">u4").tobytes() + body.tobytes()
        (tmp_path / name).write_bytes(gzip.compress(raw))
        monkeypatch.setitem(fashion.CONTENT_SHA256, name, hashlib.sha256(raw).hexdigest())
    monkeypatch.setattr(fashion, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    data = load("fashion_mnist", download=False)
    assert (data.source, data.x_train.shape, data.y_test.tolist()) == ("system", (4, 784), [0, 1])


def test_missing_data_falls_back_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    for name, stand_in in (("fashion_mnist", "digits"), ("nmnist", "moving_bars")):
        data = load(name, fallback=True, download=False)
        assert data.variant == f"{stand_in} (embedded default for {name})"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: replace(QUICK, method="adam").build(), UsageError, "method: got 'adam'"),
        (lambda: load_task("jets_toy"), UsageError, "task: got 'jets_toy'"),
        (lambda: events.event_frames(load("digits"), np.zeros((1, 2)), 4, 100), ShapeError, "event data"),
        (lambda: events.event_frames(load("moving_bars"), np.zeros((1, 2)), 0, 100), UsageError, "0 steps"),
    ],
)
def test_bad_runs_are_clear_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_command_line_reports_errors_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--net", "64-10x", "--out", str(tmp_path)]) == 2
    assert "network shape" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["address", "order"])
def test_damaged_events_are_named(broken: str) -> None:
    rows = np.array([[0, 3], [3, 5]])
    arrays = {"t_us": np.array([0, 5, 9, 0, 2]), "size": np.array([4, 4]), **{a: np.zeros(5, int) for a in "xyp"}}
    events.check_events("toy", arrays, rows)
    if broken == "address":
        arrays["x"][4] = 7
    else:
        arrays["t_us"][1] = 10
    match = "x = 7 at event 4" if broken == "address" else "time falls at event 2"
    with pytest.raises(ShapeError, match=match):
        events.check_events("toy", arrays, rows)
