"""Work is shared over threads in whole groups, every item once, and its errors come back."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.core.threads import in_parts
from hwsim.ir.errors import UsageError


@pytest.mark.parametrize(("count", "threads", "group"), [(10, 3, 1), (10, 1, 16), (33, 5, 16), (2, 8, 1), (0, 2, 1)])
def test_every_item_once_and_groups_whole(count, threads, group):
    seen, ranges = np.zeros(count, int), []

    def mark(first, last):
        seen[first:last] += 1
        ranges.append((first, last))

    in_parts(mark, count, threads, group)
    assert (seen == 1).all()
    assert all(first % group == 0 and last > first for first, last in ranges)
    assert len(ranges) == min(threads, -(-count // group))


@pytest.mark.parametrize("threads", [1, 3])
def test_errors_come_back(threads):
    def fail(first, last):
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        in_parts(fail, 10, threads)


def test_no_thread_is_refused():
    with pytest.raises(UsageError, match="threads: got 0, expected 1 or more"):
        in_parts(print, 10, 0)
