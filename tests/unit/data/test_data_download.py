"""Downloads from a loopback server: resumed, checked, atomic; and what goes wrong."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from hwsim.ir.errors import DataError
from ml.common.datasets import download, store
from ml.common.datasets.store import Found, RemoteFile

CONTENT = bytes(range(256)) * 1200  # more than four blocks


def remote(mirror, content=CONTENT, name="a.bin"):
    mirror.files["/" + name] = content
    return RemoteFile(name, (f"{mirror.url}/{name}",), hashlib.sha256(CONTENT).hexdigest())


def test_a_broken_transfer_goes_on_where_it_stopped(mirror, tmp_path):
    file = remote(mirror)
    mirror.cut_at, mirror.cuts = 100_000, 1
    assert download.fetch(file, tmp_path, None).read_bytes() == CONTENT
    ranges = [headers.get("Range") for _, headers in mirror.asked]
    assert ranges[0] is None
    assert ranges[1] == f"bytes={download.BLOCK_BYTES}-"  # whole blocks are kept
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_later_process_goes_on_too(mirror, tmp_path):
    file = remote(mirror)
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:777])
    assert download.fetch(file, tmp_path, None).read_bytes() == CONTENT
    assert mirror.asked[0][1]["Range"] == "bytes=777-"


def test_a_server_without_ranges_begins_again(mirror, tmp_path):
    file = remote(mirror)
    mirror.knows_ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"x" * 777)
    assert download.fetch(file, tmp_path, None).read_bytes() == CONTENT


def test_a_truncated_file_is_an_error_and_takes_no_place(mirror, tmp_path):
    file = remote(mirror)
    mirror.cut_at, mirror.cuts = 70_000, 99
    with pytest.raises(DataError, match=r"download of http.*got 65536 bytes and then a broken connection, 3 times"):
        download.fetch(file, tmp_path, None)
    assert os.listdir(tmp_path) == ["a.bin.part"]
    mirror.cuts = 0
    assert download.fetch(file, tmp_path, None).read_bytes() == CONTENT


def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(mirror, tmp_path):
    file = remote(mirror, b"something else")
    got = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(DataError, match=rf"checksum of http.*got {got}, expected sha256:{file.sha256}"):
        download.fetch(file, tmp_path, None)
    assert os.listdir(tmp_path) == []


def test_an_md5_from_a_catalogue_is_checked(mirror, tmp_path):
    file = RemoteFile("a.bin", remote(mirror).urls)
    md5 = hashlib.md5(CONTENT).hexdigest()
    assert download.fetch(file, tmp_path, None, known_hash=f"md5:{md5}").is_file()
    (tmp_path / "a.bin").unlink()
    with pytest.raises(DataError, match=rf"got {md5}, expected md5:0{{32}}"):
        download.fetch(file, tmp_path, None, known_hash="md5:" + "0" * 32)


def test_the_second_mirror_is_asked_when_the_first_has_nothing(mirror, tmp_path):
    good = remote(mirror)
    file = RemoteFile(good.name, (f"{mirror.url}/gone", *good.urls), good.sha256)
    assert download.fetch(file, tmp_path, None).read_bytes() == CONTENT
    with pytest.raises(download.NoAnswerError, match="/gone answered HTTP 404"):
        download.fetch(RemoteFile("b.bin", (f"{mirror.url}/gone",), good.sha256), tmp_path, None)


def test_a_silent_host_is_waited_for_once(tmp_path):
    file = RemoteFile("a.bin", ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b"), "0" * 64)
    with pytest.raises(download.NoAnswerError, match=r"127\.0\.0\.1:9 can't be reached"):
        download.fetch(file, tmp_path, None)
    assert list(download._silent_hosts) == ["127.0.0.1:9"]


def test_of_several_that_want_a_file_one_downloads_it(mirror, tmp_path):
    file = remote(mirror)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: download.fetch(file, tmp_path / "a", None), range(4)))
    assert {p.read_bytes() == CONTENT for p in paths} == {True}
    assert len(mirror.asked) == 1


def test_a_full_disk_is_a_clear_error(mirror, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match=r"writing a\.bin: got .*No space left.*HWSIM_CACHE"):
        download.fetch(remote(mirror), tmp_path, None)


def test_the_lock_file_pins_the_first_use(tmp_path):
    file = RemoteFile("a.bin")
    found = Found(tmp_path, "cache")
    found.path(file).write_bytes(b"one")
    digest = store.check_locked(found, file)
    assert digest == hashlib.sha256(b"one").hexdigest()
    assert store.check_locked(found, file) == digest
    found.path(file).write_bytes(b"two")
    with pytest.raises(DataError, match=r"expected sha256 .*changed since its first use: .* delete .*lock\.json"):
        store.check_locked(found, file)


def test_a_damaged_lock_file_is_an_error(tmp_path):
    (tmp_path / "lock.json").write_text("{")
    (tmp_path / "a.bin").write_bytes(b"one")
    with pytest.raises(DataError, match=r"lock file .*expected JSON"):
        store.check_locked(Found(tmp_path, "cache"), RemoteFile("a.bin"))


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False), ("false", False)]
)
def test_offline_switch(monkeypatch, value, expected):
    monkeypatch.setenv("HWSIM_OFFLINE", value)
    assert store.is_offline() is expected


def test_the_default_cache_is_the_users(monkeypatch):
    monkeypatch.delenv("HWSIM_CACHE")
    assert store.cache_folder("mnist").parts[-3:] == ("hwsim", "data", "mnist")
