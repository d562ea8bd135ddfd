"""samples.csv: what is added is there after a kill, torn lines go, problems never mix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benches.files import StorageError
from benches.samples import HEADER, Samples
from hwsim.ir.errors import UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "samples.csv"


def test_rows_come_back_in_another_process_s_table(path: Path) -> None:
    Samples(path, "p").add({"errors": 3, "list": [1, 2]}, 0.5, snr=10, name='a "b", c')
    again = Samples(path, "p")
    assert again.get(name='a "b", c', snr=10) == {"errors": 3, "list": [1, 2]}
    assert again.get(snr=11) is None
    assert len(again) == 1


def test_once_computes_once(path: Path) -> None:
    calls: list[int] = []

    def compute() -> dict[str, int]:
        calls.append(1)
        return {"x": 5}

    for _ in range(2):
        assert Samples(path, "p").once(compute, k=1) == {"x": 5}
    assert calls == [1]


def test_problems_never_mix(path: Path) -> None:
    Samples(path, {"trials": 10}).add({"x": 1}, k=1)
    other = Samples(path, {"trials": 20})
    assert other.get(k=1) is None
    other.add({"x": 2}, k=1)
    assert Samples(path, {"trials": 10}).get(k=1) == {"x": 1}
    assert Samples(path, {"trials": 20}).get(k=1) == {"x": 2}


def test_a_kill_at_any_byte_loses_only_the_torn_row(path: Path) -> None:
    table = Samples(path, "p")
    sizes = [0]
    for i in range(3):
        table.add({"x": i, "text": "ö,\n"}, k=i)
        sizes.append(path.stat().st_size)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        again = Samples(path, "p")
        kept = sum(size <= cut for size in sizes[1:])
        assert [again.get(k=i) is not None for i in range(3)] == [i < kept for i in range(3)]
        again.add({"x": 9}, k=9)
        assert Samples(path, "p").get(k=9) == {"x": 9}
        assert Samples(path, "p").dropped == 0


def test_zeros_left_by_a_power_cut_are_dropped(path: Path) -> None:
    Samples(path, "p").add({"x": 1}, k=1)
    good = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\0" * 100)
    assert Samples(path, "p").dropped == 100
    assert path.stat().st_size == good


def test_damage_in_the_middle_is_an_error(path: Path) -> None:
    table = Samples(path, "p")
    for i in range(3):
        table.add({"x": i}, k=i)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "rubbish\n", *lines[2:]]))
    with pytest.raises(UsageError, match=r"samples\.csv is damaged: got line 2, expected whole rows"):
        Samples(path, "p")


def test_another_csv_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("a,b\n" + HEADER)
    with pytest.raises(UsageError, match="damaged"):
        Samples(path, "p")


def test_a_full_disk_leaves_whole_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Samples(path, "p")
    table.add({"x": 1}, k=1)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"No space left.*--resume") as caught:
            table.add({"x": 2}, k=2)
    assert caught.value.exit_code == 4
    assert path.read_bytes() == before
    assert table.get(k=2) is None


keys = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(st.integers(-5, 5), st.text(max_size=5)), min_size=1)


@settings(max_examples=25, deadline=None)  # each row is synced to the disk
@given(rows=st.lists(st.tuples(keys, st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False)))))
def test_the_table_is_a_dictionary(tmp_path_factory: pytest.TempPathFactory, rows) -> None:
    path = tmp_path_factory.mktemp("samples") / "samples.csv"
    table = Samples(path, "p")
    model = {}
    for key, values in rows:
        finite = {k: v for k, v in values.items() if abs(v) != float("inf")}
        table.add(finite, **key)
        model[tuple(sorted(key.items()))] = finite
    again = Samples(path, "p")
    for key, values in model.items():
        assert again.get(**dict(key)) == values
