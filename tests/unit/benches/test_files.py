"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from benches.files import StorageError, digest, link_atomic, make_folder, storing, write_atomic
from hwsim.ir.errors import HwsimError, UsageError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["a.json"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StorageError, match=r"cannot write .*a\.json: got No space left on device"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(errno.EACCES, UsageError, 2), (errno.EROFS, UsageError, 2), (errno.ENOSPC, StorageError, 4),
     (errno.EDQUOT, StorageError, 4), (errno.EIO, StorageError, 4)],
)  # fmt: skip
def test_the_reason_decides_the_exit_code(number: int, kind: type[HwsimError], code: int) -> None:
    with pytest.raises(kind) as caught, storing(Path("x")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code == code


def test_a_file_in_the_way_of_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match="--out"):
        make_folder(tmp_path / "a" / "b")


def test_a_link_moves_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        link_atomic(tmp_path / "latest", name)
        assert os.readlink(tmp_path / "latest") == name
    assert sorted(os.listdir(tmp_path)) == ["latest", "one", "two"]


def test_digests_ignore_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})
