"""Event files: N-MNIST's 40-bit recordings, npz archives, and address-event files of nets.

N-MNIST (Orchard et al., Front. Neurosci. 9, 2015): five bytes an event, x, y, then one bit of polarity and 23 bits of
time in µs, the high bits first. An npz archive holds the same columns for many recordings, end to end: ``t`` (µs),
``x``, ``y``, ``p``, ``offset`` [n + 1] and optionally ``label``.

An event file (suffix ``.aer``, little-endian): ``hwaer/1\\n``, uint32 n_inputs, steps, batch and graded (0 or 1),
uint64 events, uint64 offsets [batch + 1], uint32 addresses, uint32 times, and int16 values if graded.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError, ShapeError, UsageError
from hwsim.ir.events import Events

MAGIC = b"hwaer/1\n"
_HEADER = struct.Struct("<8sIIIIQ")
RECORD_BYTES = 5
TIME_BITS = 23


@dataclass(frozen=True, eq=False)
class Recording:
    """Camera events of many samples, sorted by time inside each.

    Attributes:
        t: int64 [n], µs.   x, y: int32 [n], pixels.   p: int32 [n], 0 or 1.
        offsets: int64 [samples + 1].
        labels: int64 [samples], or [0] when there are none.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        n, cuts = len(self.t), self.offsets
        lengths = [len(self.x), len(self.y), len(self.p)]
        if lengths != [n] * 3 or not len(cuts) or cuts[0] != 0 or cuts[-1] != n or (np.diff(cuts) < 0).any():
            got = f"{n} times, {lengths} x, y, p, offsets {cuts[:2].tolist()} … {cuts[-1:].tolist()}"
            raise DataError.of("recording", got, "columns of one length, offsets from 0 to it", "Fetch it again.")
        if len(self.labels) not in (0, len(cuts) - 1):
            raise DataError.of("labels", len(self.labels), f"{len(cuts) - 1}, one a sample", "Fetch it again.")
        falls = np.flatnonzero(np.diff(self.t) < 0) + 1
        falls = falls[~np.isin(falls, cuts)]
        if len(falls):
            sample = int(np.searchsorted(cuts, falls[0], side="right")) - 1
            where = f"time of sample {sample}, event {int(falls[0] - cuts[sample])}"
            got = f"{int(self.t[falls[0]])} µs after {int(self.t[falls[0] - 1])} µs"
            raise DataError.of(where, got, "times in order", "Sort the recording.")

    @property
    def samples(self) -> int:
        """Recordings in the set."""
        return len(self.offsets) - 1


def read_bin(path: str | os.PathLike[str]) -> Recording:
    """One N-MNIST recording (``.bin`` or ``.bs2``).

    Raises:
        DataError: no such file, one cut short, or times out of order.
    """
    data = _bytes(path)
    if len(data) % RECORD_BYTES:
        got = f"{len(data)} bytes, {len(data) % RECORD_BYTES} beyond event {len(data) // RECORD_BYTES}"
        raise DataError.of(f"{path} is cut short", got, "five bytes an event", "Fetch the file again.")
    raw = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES).astype(np.int64)
    t = (raw[:, 2] & 0x7F) << 16 | raw[:, 3] << 8 | raw[:, 4]
    x, y, p = (raw[:, 0].astype(np.int32), raw[:, 1].astype(np.int32), (raw[:, 2] >> 7).astype(np.int32))
    return Recording(t, x, y, p, np.array([0, len(t)]), np.zeros(0, np.int64))


def write_bin(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write one sample in N-MNIST's format.

    Raises:
        UsageError: several samples, or a column that has no room in 40 bits.
    """
    if recording.samples != 1:
        raise UsageError.of("samples", recording.samples, "one", "Write a file a sample.")
    for name, values, limit in (("x", recording.x, 256), ("y", recording.y, 256), ("p", recording.p, 2),
                                ("t", recording.t, 1 << TIME_BITS)):  # fmt: skip
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < limit:
            raise UsageError.of(name, f"{values.min()}…{values.max()}", f"0…{limit - 1}", "It has no more bits.")
    t = recording.t
    raw = np.stack([recording.x, recording.y, recording.p << 7 | t >> 16, t >> 8 & 255, t & 255], axis=1)
    Path(path).write_bytes(raw.astype(np.uint8).tobytes())


def read_npz(path: str | os.PathLike[str]) -> Recording:
    """A set of recordings.

    Raises:
        DataError: no such file, a missing column, or times out of order.
    """
    try:
        with np.load(path) as file:
            missing = [key for key in ("t", "x", "y", "p", "offset") if key not in file.files]
            if missing:
                raise DataError.of(f"{path}", f"no {', '.join(missing)}", "t, x, y, p, offset", "Fetch it again.")
            columns = [file[key].astype(np.int32) for key in ("x", "y", "p")]
            labels = file["label"].astype(np.int64) if "label" in file.files else np.zeros(0, np.int64)
            x, y, p = columns
            return Recording(file["t"].astype(np.int64), x, y, p, file["offset"].astype(np.int64), labels)
    except DataError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise DataError.of(f"{path}", error, "an npz archive", "Set HWSIM_DATA, or fetch it again.") from error


def bin_events(
    recording: Recording, steps: int, step_us: float = 1000.0, height: int = 34, width: int = 34, late: str = "drop"
) -> Events:
    """Events for a net of 2·height·width inputs; address (p·height + y)·width + x, time ⌊t / step_us⌋.

    An address that comes again in the same step is one event, as in a camera's frame of spikes.

    Args:
        recording: the samples.
        steps: of the net.
        step_us: µs, > 0.
        height, width: of the camera.
        late: ``"drop"`` events at or after the last step's end, or ``"refuse"``.

    Raises:
        DataError: a pixel outside the camera, a polarity other than 0 and 1, or a late event.
        UsageError: a step that is not above 0, or another `late`.
    """
    if not step_us > 0 or late not in ("drop", "refuse"):
        raise UsageError.of("step_us, late", (step_us, late), "> 0, and drop or refuse", "Choose others.")
    sample = np.repeat(np.arange(recording.samples), np.diff(recording.offsets))
    time = np.floor_divide(recording.t, step_us).astype(np.int64)
    for name, values, limit in (("x", recording.x, width), ("y", recording.y, height), ("p", recording.p, 2),
                                ("step", time, steps if late == "refuse" else None)):  # fmt: skip
        wrong = (values < 0) | (values >= limit) if limit is not None else values < 0
        if wrong.any():
            at = int(wrong.argmax())
            where = f"{name} of sample {sample[at]}, event {at - recording.offsets[sample[at]]}"
            raise DataError.of(where, int(values[at]), f"0…{(limit or 0) - 1}", "Use the camera's size and length.")
    n = 2 * height * width
    address = (recording.p.astype(np.int64) * height + recording.y) * width + recording.x
    kept = time < steps
    key = np.unique((sample[kept] * steps + time[kept]) * n + address[kept])
    offsets = np.searchsorted(key // (steps * n), np.arange(recording.samples + 1))
    return Events(key % n, key // n % steps, offsets)


def save(events: Events, path: str | os.PathLike[str], n_inputs: int, steps: int) -> None:
    """Write an event file.

    Raises:
        DataError: an event outside n_inputs and steps.
    """
    events.check(n_inputs, steps)
    graded = events.values is not None
    parts = [
        _HEADER.pack(MAGIC, n_inputs, steps, events.batch, int(graded), len(events)),
        events.offsets.astype("<u8").tobytes(), events.address.astype("<u4").tobytes(),
        events.time.astype("<u4").tobytes(),
    ]  # fmt: skip
    if events.values is not None:
        parts.append(events.values.astype("<i2").tobytes())
    Path(path).write_bytes(b"".join(parts))


def load(path: str | os.PathLike[str]) -> tuple[Events, int, int]:
    """(events, n_inputs, steps) of an event file.

    Raises:
        DataError: no such file, another format, a file cut short, or events out of order or range.
    """
    data, mend = _bytes(path), "Write the file again."
    if len(data) < _HEADER.size or data[:8] != MAGIC:
        raise DataError.of(f"{path}", f"{len(data)} bytes beginning {data[:8]!r}", f"an event file {MAGIC!r}", mend)
    _, n_inputs, steps, batch, graded, n = _HEADER.unpack_from(data)
    if graded > 1:
        raise DataError.of(f"{path}: graded", graded, "0 or 1", mend)
    need = _HEADER.size + 8 * (batch + 1) + (10 if graded else 8) * n
    if len(data) != need:
        raise DataError.of(f"{path} is cut short", f"{len(data)} bytes", f"{need} for {n} events", mend)
    at = _HEADER.size
    arrays = []
    for dtype, count in (("<u8", batch + 1), ("<u4", n), ("<u4", n), ("<i2", n if graded else 0)):
        arrays.append(np.frombuffer(data, dtype, count, at))
        at += arrays[-1].nbytes
    try:
        events = Events(arrays[1], arrays[2], arrays[0], arrays[3] if graded else None)
        events.check(n_inputs, steps)
    except (DataError, ShapeError) as error:
        raise DataError(f"{path}: {error}") from error
    return events, n_inputs, steps


def _bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError.of("event file", error, "a readable file", "Check the path.") from error
