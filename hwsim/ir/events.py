"""Address events: what enters a spiking chip and what it emits, for a batch of samples.

An event is (address, time), address-event representation (Mahowald 1992), optionally with an integer value
("graded spike"). Events of one sample stand together, in order of time; `offsets` cuts the batch into samples.

    sample b = events offsets[b] … offsets[b + 1] − 1,    time in steps of the net, 0 … steps − 1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import DataError, ShapeError, check_shape

MAX_VALUE = 2**15 - 1


@dataclass(frozen=True, eq=False)
class Events:
    """Events of a batch of samples.

    Attributes:
        address: int32 [n], ≥ 0.
        time: int32 [n], ≥ 0, never falling inside a sample.
        offsets: int64 [batch + 1], from 0 to n, never falling.
        values: int16 [n] for graded events, or None: every event counts 1.

    Raises:
        ShapeError: arrays of other lengths or kinds, or offsets that do not fit.
        DataError: a negative address or time, or times out of order; the message names sample and event.

    Example:
        >>> events = Events(np.array([3, 1]), np.array([0, 2]), np.array([0, 2, 2]))
        >>> events.batch, events.sample(0).time.tolist(), len(events.sample(1))
        (2, [0, 2], 0)
    """

    address: np.ndarray
    time: np.ndarray
    offsets: np.ndarray
    values: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("address", np.int32), ("time", np.int32), ("offsets", np.int64), ("values", np.int16)):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _integers(name, given, dtype))
        n = len(self.address)
        check_shape("time", self.time.shape, "[events]", (n,))
        if self.values is not None:
            check_shape("values", self.values.shape, "[events]", (n,))
        cuts = self.offsets
        if not len(cuts) or cuts[0] != 0 or cuts[-1] != n or (np.diff(cuts) < 0).any():
            got = f"{cuts[:3].tolist()} … {cuts[-1:].tolist()}"
            raise ShapeError.of("event offsets", got, f"0, never falling, {n}", "Count the events of each sample.")
        self._check_order()

    def _check_order(self) -> None:
        for name, array in (("address", self.address), ("time", self.time)):
            if len(array) and int(array.min()) < 0:
                at = int((array < 0).argmax())
                raise DataError.of(f"{name} of {self.place(at)}", int(array[at]), "0 or more", "Mend the event file.")
        falls = np.flatnonzero(np.diff(self.time) < 0) + 1
        falls = falls[~np.isin(falls, self.offsets)]
        if len(falls):
            at = int(falls[0])
            got = f"{int(self.time[at])} after {int(self.time[at - 1])}"
            raise DataError.of(f"time of {self.place(at)}", got, "times in order", "Sort events by time: Events.of.")

    def __len__(self) -> int:
        return len(self.address)

    @property
    def batch(self) -> int:
        """Samples."""
        return len(self.offsets) - 1

    def place(self, at: int) -> str:
        """``"sample 2, event 17"`` for event `at` of the batch."""
        sample = int(np.searchsorted(self.offsets, at, side="right")) - 1
        return f"sample {sample}, event {at - int(self.offsets[sample])}"

    def check(self, n_inputs: int, steps: int) -> None:
        """Raise `DataError` unless every address is below `n_inputs` and every time below `steps`."""
        for name, array, limit in (("address", self.address, n_inputs), ("time", self.time, steps)):
            if len(array) and int(array.max()) >= limit:
                at = int((array >= limit).argmax())
                mend = "Use the net's own inputs." if name == "address" else "Cut or bin the recording: bin_events."
                raise DataError.of(f"{name} of {self.place(at)}", int(array[at]), f"below {limit}", mend)

    def repeated(self) -> str | None:
        """Place of an event whose address was already used at that time in its sample, or None."""
        slot = np.repeat(np.arange(self.batch, dtype=np.int64), np.diff(self.offsets)) << 31 | self.time
        new = np.concatenate([[True], slot[1:] != slot[:-1]])
        key = np.cumsum(new) << 31 | self.address
        rises = key[1:] > key[:-1]
        if rises.all():
            return None  # already sorted by address in every slot
        order = np.argsort(key, kind="stable")
        same = key[order][1:] == key[order][:-1]
        return self.place(int(order[1:][same].min())) if same.any() else None

    def samples(self, first: int, last: int) -> Events:
        """Samples first … last − 1 as a batch of their own."""
        low, high = self.offsets[first], self.offsets[last]
        values = None if self.values is None else self.values[low:high]
        return Events(self.address[low:high], self.time[low:high], self.offsets[first : last + 1] - low, values)

    def sample(self, at: int) -> Events:
        """One sample as a batch of one."""
        return self.samples(at, at + 1)

    def raster(self, n_inputs: int, steps: int) -> np.ndarray:
        """int32 [batch, steps, n_inputs]: sum of the values of the events of each address and time."""
        self.check(n_inputs, steps)
        out = np.zeros((self.batch, steps, n_inputs), np.int32)
        sample = np.repeat(np.arange(self.batch), np.diff(self.offsets))
        np.add.at(out, (sample, self.time, self.address), 1 if self.values is None else self.values)
        return out

    def first_times(self, n_inputs: int, steps: int) -> np.ndarray:
        """int32 [batch, n_inputs]: time of each address's first event, −1 for none."""
        self.check(n_inputs, steps)
        out = np.full((self.batch, n_inputs), steps, np.int32)
        sample = np.repeat(np.arange(self.batch), np.diff(self.offsets))
        np.minimum.at(out, (sample, self.address), self.time)
        return np.where(out == steps, -1, out).astype(np.int32)

    @classmethod
    def from_raster(cls, raster: np.ndarray) -> Events:
        """Events of every non-zero entry of [batch, steps, n_inputs]; graded unless all are 0 or 1.

        Example:
            >>> Events.from_raster(np.array([[[0, 1], [1, 1]]])).address.tolist()
            [1, 0, 1]
        """
        raster = np.asarray(raster)
        check_shape("raster", raster.shape, "[batch, steps, n_inputs]", (None, None, None))
        sample, time, address = np.nonzero(raster)
        values = raster[sample, time, address]
        offsets = np.searchsorted(sample, np.arange(len(raster) + 1))
        return cls(address, time, offsets, None if (values == 1).all() else values)

    @classmethod
    def from_times(cls, times: np.ndarray) -> Events:
        """Events of spike times [batch, n_inputs], −1 for no spike; of equal times the lower address comes first.

        Example:
            >>> events = Events.from_times(np.array([[5, -1, 0]]))
            >>> events.address.tolist(), events.time.tolist()
            ([2, 0], [0, 5])
        """
        times = np.asarray(times)
        check_shape("times", times.shape, "[batch, n_inputs]", (None, None))
        sample, address = np.nonzero(times >= 0)
        time = times[sample, address]
        order = np.lexsort((address, time, sample))
        return cls(address[order], time[order], np.searchsorted(sample, np.arange(len(times) + 1)))

    @classmethod
    def of(cls, address: np.ndarray, time: np.ndarray, offsets: np.ndarray) -> Events:
        """Events in any order inside each sample, sorted here by time; those of equal times keep their order."""
        sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        order = np.lexsort((np.asarray(time), sample))
        return cls(np.asarray(address)[order], np.asarray(time)[order], offsets)


def _integers(name: str, given: np.ndarray, dtype: type) -> np.ndarray:
    array = np.asarray(given)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        got = f"{array.dtype} {list(array.shape)}"
        raise ShapeError.of(f"event {name}", got, "a list of integers", "Convert the array.")
    limits = np.iinfo(dtype)
    if array.size and not limits.min <= int(array.min()) <= int(array.max()) <= limits.max:
        got = f"{array.min()}…{array.max()}"
        raise ShapeError.of(f"event {name}", got, f"{limits.min}…{limits.max}", "Scale or bin the events.")
    return np.ascontiguousarray(array, dtype)
