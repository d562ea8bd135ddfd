"""Names, stand-ins, splits and what a loaded data set says about itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest

from hwsim.ir.errors import DataError, ShapeError, UsageError
from ml.common import data
from ml.common.datasets import download, jets_toy, mnist, store
from ml.common.datasets.dataset import Dataset
from ml.common.datasets.store import RemoteFile

CLOSED_PORT = "http://127.0.0.1:9/"  # the discard port: nothing listens there


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def tiny_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small IDX files, with the pinned checksums changed to theirs."""
    rng = np.random.default_rng(0)
    files = {}
    for name in mnist.FILES:
        n = 6 if name.startswith("train") else 3
        files[name] = idx(rng.integers(256, size=(n, 2, 2)) if "images" in name else np.arange(n))
    content = {name: hashlib.sha256(gzip.decompress(f)).hexdigest() for name, f in files.items()}
    monkeypatch.setattr(mnist, "CONTENT_SHA256", content)
    return files


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def serve(files: dict[str, bytes], mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loopback mirror serve `files` as MNIST."""
    mirror.files = {f"/{name}": content for name, content in files.items()}
    remote = {
        name: RemoteFile(name, (f"{mirror.url}/{name}",), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
    monkeypatch.setattr(mnist, "FILES", remote)


def point_at_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = {name: RemoteFile(name, (CLOSED_PORT + name,), "0" * 64) for name in mnist.FILES}
    monkeypatch.setattr(mnist, "FILES", remote)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"data set: got 'minst', expected one of mnist, digits, .*jets_toy"):
        data.load("minst")


def test_digits_are_embedded_and_always_split_alike():
    a, b = data.load("digits"), data.load("digits")
    assert (a.source, a.variant) == ("embedded", "digits 8x8 (scikit-learn)")
    assert a.x_train.dtype == np.uint8
    assert a.x_train.shape == (1438, 64)
    assert a.x_test.shape == (359, 64)
    assert a.x_train.max() == 16
    assert np.array_equal(a.x_test, b.x_test)
    digest = hashlib.sha256(a.x_test.tobytes()).hexdigest()
    assert digest == "955f721cdd8bd332dc84c1a37ccaa765cddfbd609ab1117da3a66cd39f329d16"
    assert set(np.bincount(a.y_test)) <= {35, 36, 37}  # a fifth of 174 … 183


def test_mnist_in_the_data_folder_comes_first(tmp_path, monkeypatch, tiny_mnist):
    put(tmp_path / "data" / "mnist", tiny_mnist)
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path / "data"))
    loaded = data.load("mnist")
    assert loaded.source == "$HWSIM_DATA"
    assert loaded.x_train.shape == (6, 4)
    assert loaded.y_test.tolist() == [0, 1, 2]
    assert loaded.sha256s == mnist.CONTENT_SHA256
    assert data.load("mnist", root=tmp_path / "data").location == str(tmp_path / "data" / "mnist")


def test_mnist_is_downloaded_announced_and_then_read_from_the_cache(mirror, monkeypatch, tiny_mnist, cache, caplog):
    serve(tiny_mnist, mirror, monkeypatch)
    steps = []
    first = data.load("mnist", progress=lambda done, total, note: steps.append((done, total, note)))
    assert first.source == "download"
    assert sorted(p.name for p in (cache / "mnist").iterdir()) == sorted(tiny_mnist)
    announced = [r.getMessage() for r in caplog.records if r.name == "hwsim.data"]
    assert len(announced) == 4
    assert all(m.startswith(f"downloading {mirror.url}/") for m in announced)
    assert (len(tiny_mnist["t10k-labels-idx1-ubyte.gz"]),) * 2 in {(d, t) for d, t, _ in steps}
    n_asked = len(mirror.asked)
    assert data.load("mnist").source == "cache"
    assert len(mirror.asked) == n_asked
    path, headers = mirror.asked[0]
    assert path == "/train-images-idx3-ubyte.gz"
    assert headers["User-Agent"] == "hwsim"
    assert headers["Accept-Encoding"] == "identity"
    assert "Range" not in headers


def test_offline_mnist_is_an_error_that_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("HWSIM_OFFLINE", "1")
    with pytest.raises(
        data.UnreachableError, match=r"HWSIM_OFFLINE forbids .* Put train-images.* into \$HWSIM_DATA/mnist"
    ):
        data.load("mnist")


def test_an_unreachable_mirror_is_an_error_without_a_long_wait(monkeypatch):
    point_at_closed_port(monkeypatch)
    begun = time.perf_counter()
    with pytest.raises(data.UnreachableError, match=r"127\.0\.0\.1:9 can't be reached"):
        data.load("mnist")
    assert time.perf_counter() - begun < download.CONNECT_TIMEOUT_S + 2


def test_the_stand_in_for_mnist_says_so_in_one_line(monkeypatch, caplog):
    point_at_closed_port(monkeypatch)
    stand_in = data.load_or_embedded("mnist")
    assert stand_in.name == "digits"
    assert stand_in.variant == "digits (embedded default for mnist)"
    assert stand_in.source == "embedded"
    lines = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].startswith("mnist can't be had: using digits, its embedded default.")
    assert "\n" not in lines[0]


def test_a_stand_in_never_covers_up_damage(tmp_path, tiny_mnist):
    put(tmp_path / "mnist", {**tiny_mnist, "t10k-labels-idx1-ubyte.gz": idx(np.array([9, 9, 9]))})
    with pytest.raises(DataError, match=r"checksum of the content of .*t10k-labels.*got sha256 .*expected sha256"):
        data.load("mnist", root=tmp_path, fallback=True)


@pytest.mark.parametrize("name", ["jsc_openml", "jsc_distilled"])
def test_offline_jets_fall_back_to_the_toy(monkeypatch, name):
    monkeypatch.setenv("HWSIM_OFFLINE", "1")
    with pytest.raises(data.UnreachableError):
        data.load(name)
    assert data.load(name, fallback=True).variant == f"jets_toy (embedded default for {name})"


@pytest.mark.parametrize("name", ["jsc_openml_test1000", "kanele_openml_tables", "cifar10_subset"])
def test_what_can_not_be_downloaded_has_no_stand_in(name):
    with pytest.raises(data.UnreachableError, match=r"can't be downloaded: put \w+\.npz into \$HWSIM_DATA/"):
        data.load_or_embedded(name)


def test_a_data_folder_that_is_none_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"\$HWSIM_DATA: got .*nowhere, which is no folder"):
        data.load("mnist")


def test_a_data_set_there_only_in_part_is_an_error(tmp_path, tiny_mnist):
    put(tmp_path / "mnist", {"t10k-labels-idx1-ubyte.gz": tiny_mnist["t10k-labels-idx1-ubyte.gz"]})
    with pytest.raises(DataError, match=r"only in part: got no train-images"):
        data.load("mnist", root=tmp_path)


def test_validation_is_stratified_disjoint_and_repeatable():
    digits = data.load("digits")
    one, two, other = digits.validation(0.2, 3), digits.validation(0.2, 3), digits.validation(0.2, 4)
    assert np.array_equal(one.x_val, two.x_val)
    assert not np.array_equal(one.y_val, other.y_val) or not np.array_equal(one.x_val, other.x_val)
    assert len(one.y_train) + len(one.y_val) == len(digits.y_train)
    assert len(one.y_val) == round(0.2 * len(digits.y_train))
    share = np.bincount(one.y_val) / np.bincount(digits.y_train)
    assert np.abs(share - 0.2).max() < 1 / np.bincount(digits.y_train).min()
    both = np.concatenate([one.x_train, one.x_val])
    assert np.array_equal(np.sort(both.sum(1, dtype=int)), np.sort(digits.x_train.sum(1, dtype=int)))


def test_stratified_indices_partition_the_samples():
    y = np.repeat([0, 1, 2], [5, 3, 2])
    kept, held = data.stratified_indices(y, 0.5, 0)
    assert sorted([*kept, *held]) == list(range(10))
    assert len(held) == 5
    assert np.bincount(y[held], minlength=3).tolist() in ([3, 1, 1], [2, 2, 1])


@pytest.mark.parametrize(("fraction", "why"), [(0.0, r"in \(0, 1\)"), (1.0, r"in \(0, 1\)"), (1e-6, "both sides")])
def test_a_split_with_an_empty_side_is_refused(fraction, why):
    with pytest.raises(UsageError, match=why):
        data.load("digits").validation(fraction, 0)


def test_provenance_is_json():
    record = json.loads(json.dumps(data.load("jets_toy").provenance()))
    assert record["source"] == "embedded"
    assert record["n_train"] == 20_000
    assert record["variant"].startswith("jets_toy")


def test_a_data_set_refuses_labels_outside_its_classes():
    x, y = np.zeros((2, 1), np.uint8), np.array([0, 2])
    with pytest.raises(
        ShapeError, match=r"labels of the train part: got int64 in \[0, 2\], expected int64 in \[0, 2\)"
    ):
        Dataset("a", "a", "embedded", "", x, y, x, y, (), ("p", "q"), "", "")
    with pytest.raises(ShapeError, match=r"2 samples and 1 labels"):
        Dataset("a", "a", "embedded", "", x, y[:1], x, y[:1], (), ("p", "q"), "", "")


def test_jets_toy_is_the_same_everywhere_and_not_trivial():
    toy = data.load("jets_toy")
    assert toy.sha256s["jets_toy"] == "52765d194a0fa0623fab79f9cdc8db55124b10372bda89304b9ce54136764b05"
    assert toy.x_train.dtype == np.float32
    assert np.abs(toy.x_train.mean(0)).max() < 0.05
    assert np.abs(toy.x_train.std(0) - 1).max() < 0.05
    best = (jets_toy.bayes_classify(toy.x_test) == toy.y_test).mean()
    assert best == pytest.approx(0.8196, abs=0.002)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no gzip", "expected a whole gzip file"),
        (idx(np.arange(9))[:-6], "expected a whole gzip file"),
        (gzip.compress(b"\0\0\x0d\x01" + b"\0" * 8), "header of"),
        (gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9]) + b"123"), r"length of .*got 3 bytes"),
    ],
    ids=["no gzip", "cut short", "bad header", "bad length"],  # gzip bytes hold the time of day
)
def test_a_damaged_idx_file_is_an_error(tmp_path, content, why):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why):
        mnist.read_idx(path)


def test_read_idx_gives_the_shape_of_the_file(tmp_path):
    array = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "x.gz").write_bytes(idx(array))
    assert np.array_equal(mnist.read_idx(tmp_path / "x.gz"), array)


def test_real_mnist(shared):
    loaded = data.load("mnist", root=shared)
    assert loaded.x_train.shape == (60_000, 784)
    assert np.bincount(loaded.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert loaded.x_train.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_real_cifar_subset(shared):
    loaded = data.load("cifar10_subset", root=shared)
    assert loaded.x_test.shape == (2000, 32, 32, 3)
    assert set(np.bincount(loaded.y_train)) == {1000}
    assert loaded.class_names[0] == "airplane"


def test_download_false_takes_only_what_is_here(tmp_path, monkeypatch):
    monkeypatch.delenv("HWSIM_OFFLINE", raising=False)
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    with pytest.raises(data.UnreachableError, match=r"the caller forbids a download"):
        data.load("mnist", download=False)
    assert not store.is_offline()  # the ban ends with the call
